"""Finds the newest usage of metrics in each scope, without a scan of its history."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.domain.reporting.reports import AllScopes, FrameRow
from ratekit.storage.db.lists import in_list
from ratekit.storage.db.types import fits_word
from ratekit.storage.reports import selection as selecting
from ratekit.storage.schema import DESCRIPTORS, FRAMES, SCOPES, TOTALS

_DAY = datetime.timedelta(days=1)
#: How far back usage is looked for, from the day until which a scope is rated; further only for
#: metrics that no scope has used since.
LOOK_BACKS = (_DAY, 8 * _DAY)

#: Scopes that are rated until the same day.
_Cohort = tuple[datetime.datetime, Sequence[int]]


class _Usage(NamedTuple):
    """Scopes whose newest usage of a metric is in the same period.

    :ivar scopes: row ids
    """

    metric: str
    begin: datetime.datetime
    scopes: Sequence[int]


def read(
    connection: sa.Connection,
    scope_key: str,
    metrics: Collection[str],
    scopes: AllScopes | frozenset[str],
) -> Iterator[FrameRow]:
    """Yield the frames of the newest period in which each scope used each metric.

    Scopes that are no longer rated are left out a day after the last period of any scope.
    """
    cohorts = _read_cohorts(connection, scope_key, scopes)
    remaining_metrics = _read_used(connection, metrics) if cohorts else []
    for look_back in LOOK_BACKS:
        usages = [
            usage
            for metric in remaining_metrics
            for usage in _find(connection, metric, cohorts, look_back)
        ]
        for usage in usages:
            yield from _read_frames(connection, usage)
        remaining_metrics = sorted(set(remaining_metrics) - {usage.metric for usage in usages})


def _read_used(connection: sa.Connection, metrics: Collection[str]) -> Sequence[str]:
    """Return those of ``metrics`` that were ever rated, in order."""
    metric = DESCRIPTORS.c.metric
    # Databases refuse some texts, which no name can be.
    condition = metric.in_(list(filter(fits_word, metrics)))
    return sorted(connection.scalars(sa.select(metric).where(condition).distinct()))


def _read_cohorts(
    connection: sa.Connection, scope_key: str, scopes: AllScopes | frozenset[str]
) -> Sequence[_Cohort]:
    until = SCOPES.c.rated_until
    last = sa.select(sa.func.max(until, type_=until.type)).where(SCOPES.c.scope_key == scope_key)
    newest = connection.scalar(last)
    query = sa.select(SCOPES.c.id, until, SCOPES.c.active).order_by(SCOPES.c.id)
    query = query.where(*selecting.of_scopes(scopes, scope_key))
    cohorts: dict[datetime.datetime, list[int]] = {}
    for pk, instant, active in connection.execute(query):
        if active or (newest is not None and _day(instant) >= _day(newest) - _DAY):
            cohorts.setdefault(_day(instant), []).append(pk)
    return sorted(cohorts.items())


def _day(instant: datetime.datetime) -> datetime.datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)


def _find(
    connection: sa.Connection,
    metric: str,
    cohorts: Sequence[_Cohort],
    look_back: datetime.timedelta,
) -> Iterator[_Usage]:
    """Yield the newest usage of ``metric``, in the order of time."""
    scopes: dict[datetime.datetime, list[int]] = {}
    for day, pks in cohorts:
        for pk, begin in connection.execute(_select_newest(metric, pks, day - look_back)):
            if begin is not None:
                scopes.setdefault(begin, []).append(pk)
    for begin in sorted(scopes):
        yield _Usage(metric, begin, scopes[begin])


def _select_newest(metric: str, pks: Sequence[int], since: datetime.datetime) -> sa.Select[Any]:
    # Not max(): in this order of the key, the first row that fits ends the search.
    begin = (
        sa.select(TOTALS.c.begin)
        .where(TOTALS.c.scope_id == SCOPES.c.id)
        .where(TOTALS.c.begin >= since)
        .where(TOTALS.c.metric == metric)
        .order_by(TOTALS.c.begin.desc())
        .limit(1)
        .scalar_subquery()
    )
    return sa.select(SCOPES.c.id, begin).where(in_list(SCOPES.c.id, pks))


def _read_frames(connection: sa.Connection, usage: _Usage) -> Iterator[FrameRow]:
    query = (
        sa.select(*selecting.FRAME_COLUMNS)
        .join_from(FRAMES, SCOPES, SCOPES.c.id == FRAMES.c.scope_id)
        .join(DESCRIPTORS, DESCRIPTORS.c.id == FRAMES.c.descriptor_id)
        .where(in_list(FRAMES.c.scope_id, usage.scopes))
        .where(FRAMES.c.begin == usage.begin)
        .where(DESCRIPTORS.c.metric == usage.metric)
    )
    with connection.execute(query, execution_options=selecting.STREAMED) as rows:
        yield from selecting.frame_rows(rows)

"""Reads from when to when scopes are rated, and the records of each period of one."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.reporting.coverage import CoverageFacts, GapSpan, MetricsFrom, RatedSpan
from ratekit.domain.reporting.exclusion import Exclusion, ExclusionSpan
from ratekit.storage.db.lists import in_list
from ratekit.storage.ledger import purge_mark
from ratekit.storage.ledger.metric_sets import members
from ratekit.storage.reports import selection as selecting
from ratekit.storage.schema import EXCLUSIONS, GAPS, METRIC_SET_CHANGES, METRIC_SETS, SCOPES, TOTALS


def read(
    connection: sa.Connection,
    scope_key: str,
    scope_id: str,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> CoverageFacts:
    """Return the records of the periods that begin in ``[begin, end)``, by six statements.

    :raises ratekit.errors.OperatorError: there is no such scope
    """
    state = (
        sa.select(SCOPES.c.id, SCOPES.c.rated_since, SCOPES.c.rated_until)
        .where(SCOPES.c.scope_key == scope_key)
        .where(SCOPES.c.scope_id == scope_id)
    )
    scope = connection.execute(state).first()
    if scope is None:
        raise errors.OperatorError(f"no scope {scope_id!r}")
    points: Counter[tuple[datetime.datetime, str]] = Counter()
    for instant, metric, count in connection.execute(_totals(scope.id, begin, end)):
        points[instant, metric] += count
    return CoverageFacts(
        rated_since=scope.rated_since,
        rated_until=scope.rated_until,
        changes=tuple(
            MetricsFrom(instant, members(names))
            for instant, names in connection.execute(_changes(scope.id, begin, end))
        ),
        points=points,
        gaps=tuple(
            GapSpan(*span)
            for _, *span in connection.execute(_gaps(GAPS.c.scope_id == scope.id, begin, end))
        ),
        exclusions=tuple(
            ExclusionSpan(
                Exclusion(scope_id, row.metric, row.resource, row.reason, row.remedy),
                row.begin,
                row.end,
            )
            for row in connection.execute(_exclusions(scope.id, begin, end))
        ),
        # The points are counted by totals, which may outlive the frames.
        purged_until=purge_mark.read(connection).totals_until,
    )


def read_spans(
    connection: sa.Connection,
    scope_key: str,
    scopes: frozenset[str],
    begin: datetime.datetime,
    end: datetime.datetime,
) -> Mapping[str, RatedSpan]:
    """Return from when to when scopes are rated, with their gaps in ``[begin, end)``."""
    query = sa.select(
        SCOPES.c.id, SCOPES.c.scope_id, SCOPES.c.rated_since, SCOPES.c.rated_until
    ).where(*selecting.of_scopes(scopes, scope_key))
    rows = connection.execute(query).all()
    gaps: defaultdict[int, list[GapSpan]] = defaultdict(list)
    if rows:
        in_scopes = in_list(GAPS.c.scope_id, [row.id for row in rows])
        for scope_pk, *span in connection.execute(_gaps(in_scopes, begin, end)):
            gaps[scope_pk].append(GapSpan(*span))
    return {row.scope_id: RatedSpan(row.rated_since, row.rated_until, gaps[row.id]) for row in rows}


def _totals(scope_pk: int, begin: datetime.datetime, end: datetime.datetime) -> sa.Select[Any]:
    return (
        sa.select(TOTALS.c.begin, TOTALS.c.metric, TOTALS.c.points)
        .where(TOTALS.c.scope_id == scope_pk)
        .where((TOTALS.c.begin >= begin) & (TOTALS.c.begin < end))
    )


def _changes(scope_pk: int, begin: datetime.datetime, end: datetime.datetime) -> sa.Select[Any]:
    """Select the set in force at ``begin`` and those that follow it."""
    table = METRIC_SET_CHANGES
    is_of_scope = table.c.scope_id == scope_pk
    first = sa.select(sa.func.max(table.c.begin)).where(is_of_scope & (table.c.begin <= begin))
    return (
        sa.select(table.c.begin, METRIC_SETS.c.names)
        .join(METRIC_SETS, METRIC_SETS.c.id == table.c.metric_set_id)
        .where(is_of_scope & (table.c.begin < end))
        .where(table.c.begin >= sa.func.coalesce(first.scalar_subquery(), begin))
        .order_by(table.c.begin)
    )


def _gaps(
    in_scopes: sa.ColumnElement[bool], begin: datetime.datetime, end: datetime.datetime
) -> sa.Select[Any]:
    return (
        sa.select(GAPS.c.scope_id, GAPS.c.last_instant, GAPS.c.resume)
        .where(in_scopes & (GAPS.c.last_instant < end))
        .where(GAPS.c.resume.is_(None) | (GAPS.c.resume > begin))
        .order_by(GAPS.c.last_instant)
    )


def _exclusions(scope_pk: int, begin: datetime.datetime, end: datetime.datetime) -> sa.Select[Any]:
    table = EXCLUSIONS.c
    return (
        sa.select(table.metric, table.resource, table.begin, table.end, table.reason, table.remedy)
        .where((table.scope_id == scope_pk) & (table.begin < end) & (table.end > begin))
        .order_by(table.begin, table.metric, table.resource, table.id)
    )

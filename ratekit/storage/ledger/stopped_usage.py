"""Finds metrics whose usage has stopped, and remembers them until it comes back: each once."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.storage.db.lists import in_list
from ratekit.storage.ledger.sums import Total
from ratekit.storage.schema import STOPPED_USAGE, TOTALS

#: Number of periods before a batch in which a metric must never have been silent.
LOOK_BACK = 24

#: A scope's row id and a metric's public name.
Pair = tuple[int, str]


class _Past(NamedTuple):
    """The first period with frames within the look-back, and the number of such periods."""

    first: datetime.datetime
    periods: int


class Changes(NamedTuple):
    """What a batch changed; each is reported once.

    :ivar stopped: metrics whose usage has stopped
    :ivar resumed: metrics whose usage had stopped and has come back
    """

    stopped: Sequence[Pair]
    resumed: Sequence[Pair]


def record(
    connection: sa.Connection,
    scope_pks: Collection[int],
    window: Window,
    metrics: Collection[str],
    totals: Iterable[Total],
) -> Changes:
    """Record which usage has stopped and which has come back; the scopes' rows must be locked.

    A metric that is no longer collected is forgotten.

    :param scope_pks: row ids of the scopes that are rated over ``window``
    :param totals: totals of these scopes over ``window``, not written yet
    """
    usage = _usage_begins(totals)
    recorded, before = _read_pairs(connection, scope_pks, window)
    ended = {pair for pair in recorded if pair in usage or pair[1] not in metrics}
    stopped = [
        pair
        for pair in _find_stopped(connection, before, window, metrics, usage)
        if pair not in recorded or pair in ended
    ]
    _remove(connection, ended)
    if stopped:
        rows = [
            {"scope_id": pair[0], "metric": pair[1], "since": _silent_since(window, usage, pair)}
            for pair in stopped
        ]
        connection.execute(STOPPED_USAGE.insert(), rows)
    return Changes(stopped, sorted(ended.intersection(usage).difference(stopped)))


def remove_since(connection: sa.Connection, scope_pk: int, since: datetime.datetime) -> None:
    """Forget usage of a scope that stopped at ``since`` or later: it is rated again."""
    is_later = (STOPPED_USAGE.c.scope_id == scope_pk) & (STOPPED_USAGE.c.since >= since)
    connection.execute(STOPPED_USAGE.delete().where(is_later))


def _silent_since(
    window: Window, usage: Mapping[Pair, set[datetime.datetime]], pair: Pair
) -> datetime.datetime:
    return max(usage[pair]) + window.step if pair in usage else window.begin


def _read_pairs(
    connection: sa.Connection, scope_pks: Collection[int], window: Window
) -> tuple[set[Pair], set[Pair]]:
    """Return the recorded pairs, and those with frames in the last period before the window.

    One statement, because it runs for each batch.
    """
    recorded: set[Pair] = set()
    before: set[Pair] = set()
    pks = sorted(scope_pks)
    stopped = sa.select(STOPPED_USAGE.c.scope_id, STOPPED_USAGE.c.metric, sa.literal(1))
    usage = (
        sa.select(TOTALS.c.scope_id, TOTALS.c.metric, sa.literal(0))
        .where(in_list(TOTALS.c.scope_id, pks))
        .where(TOTALS.c.begin == window.begin - window.step)
    )
    query = stopped.where(in_list(STOPPED_USAGE.c.scope_id, pks)).union_all(usage)
    for scope_pk, metric, is_stopped in connection.execute(query):
        (recorded if is_stopped else before).add((scope_pk, metric))
    return recorded, before


def _remove(connection: sa.Connection, pairs: Collection[Pair]) -> None:
    if not pairs:
        return
    is_pair = (STOPPED_USAGE.c.scope_id == sa.bindparam("scope_pk")) & (
        STOPPED_USAGE.c.metric == sa.bindparam("name")
    )
    rows = [{"scope_pk": scope_pk, "name": metric} for scope_pk, metric in sorted(pairs)]
    connection.execute(STOPPED_USAGE.delete().where(is_pair), rows)


def _find_stopped(
    connection: sa.Connection,
    before: Collection[Pair],
    window: Window,
    metrics: Collection[str],
    usage: Mapping[Pair, set[datetime.datetime]],
) -> list[Pair]:
    """Return metrics with frames in each period up to some instant, and none after it.

    The instant is the window's begin or within the window, so that no other batch reports the
    same pair. A period that was not rated counts as silence: a scope that returns after a gap
    and then has no usage is not reported.

    :param before: pairs with frames in the last period before the window
    :param usage: begins of the periods in the window that have frames
    """
    last = window.end - window.step
    candidates = [
        pair for pair in {*before, *usage} if pair[1] in metrics and last not in usage.get(pair, ())
    ]
    pasts = _read_pasts(connection, candidates, window) if candidates else {}
    return sorted(
        pair
        for pair in candidates
        if _has_no_hole(window, pasts.get(pair), sorted(usage.get(pair, ())))
    )


def _usage_begins(totals: Iterable[Total]) -> dict[Pair, set[datetime.datetime]]:
    """Return the begins of the periods that have frames."""
    usage: dict[Pair, set[datetime.datetime]] = {}
    for total in totals:
        usage.setdefault((total.scope_pk, total.metric), set()).add(total.begin)
    return usage


def _has_no_hole(window: Window, past: _Past | None, begins: Sequence[datetime.datetime]) -> bool:
    """Return whether each period from the first to the last one with frames has frames.

    :param begins: periods in the window that have frames, in order
    """
    if past is not None and (window.begin - past.first) != past.periods * window.step:
        return False
    if not begins:
        return past is not None
    if past is not None and begins[0] != window.begin:
        return False
    return begins[-1] - begins[0] == (len(begins) - 1) * window.step


def _read_pasts(
    connection: sa.Connection, pairs: Collection[Pair], window: Window
) -> dict[Pair, _Past]:
    """Return what the look-back contains for these pairs."""
    pks = sorted({scope_pk for scope_pk, _ in pairs})
    metrics = sorted({metric for _, metric in pairs})
    begin = TOTALS.c.begin
    query = (
        sa.select(
            TOTALS.c.scope_id,
            TOTALS.c.metric,
            sa.func.min(begin, type_=begin.type),
            sa.func.count(sa.distinct(begin)),
        )
        .where(in_list(TOTALS.c.scope_id, pks) & TOTALS.c.metric.in_(metrics))
        .where(begin >= window.begin - LOOK_BACK * window.step)
        .where(begin < window.begin)
        .group_by(TOTALS.c.scope_id, TOTALS.c.metric)
    )
    return {
        (scope_pk, metric): _Past(first, count)
        for scope_pk, metric, first, count in connection.execute(query)
    }

"""Finds metrics whose usage has stopped: once, in the batch in which it stops."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.storage.db.engine import slices
from ratekit.storage.ledger.frames import Total
from ratekit.storage.schema import TOTALS

#: Number of periods before a batch in which a metric must never have been silent.
LOOK_BACK = 24

#: A scope's row id and a metric's public name.
Pair = tuple[int, str]


class _Past(NamedTuple):
    """The first period with frames within the look-back, and the number of such periods."""

    first: datetime.datetime
    periods: int


def find_stopped(
    connection: sa.Connection,
    scope_pks: Collection[int],
    window: Window,
    metrics: Collection[str],
    totals: Iterable[Total],
) -> list[Pair]:
    """Return metrics with frames in each period up to some instant, and none after it.

    The instant is the window's begin or within the window, so that no other batch reports the
    same pair. A period that was not rated counts as silence: a scope that returns after a gap
    and then has no usage is not reported.

    :param scope_pks: row ids of the scopes that are rated over ``window``
    :param totals: totals of these scopes over ``window``
    """
    usage = _usage_begins(totals)
    last = window.end - window.step
    before = {pair for pair in _pairs_before(connection, scope_pks, window) if pair[1] in metrics}
    candidates = [
        pair
        for pair in before | usage.keys()
        if pair[1] in metrics and last not in usage.get(pair, ())
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


def _pairs_before(
    connection: sa.Connection, scope_pks: Collection[int], window: Window
) -> set[Pair]:
    """Return the pairs with frames in the last period before the window."""
    pairs: set[Pair] = set()
    for part in slices(sorted(scope_pks)):
        query = (
            sa.select(TOTALS.c.scope_id, TOTALS.c.metric)
            .where(TOTALS.c.scope_id.in_(part))
            .where(TOTALS.c.begin == window.begin - window.step)
        )
        pairs.update((scope_pk, metric) for scope_pk, metric in connection.execute(query))
    return pairs


def _read_pasts(
    connection: sa.Connection, pairs: Collection[Pair], window: Window
) -> dict[Pair, _Past]:
    """Return what the look-back contains for these pairs."""
    pasts: dict[Pair, _Past] = {}
    metrics = sorted({metric for _, metric in pairs})
    begin = TOTALS.c.begin
    for part in slices(sorted({scope_pk for scope_pk, _ in pairs})):
        query = (
            sa.select(
                TOTALS.c.scope_id,
                TOTALS.c.metric,
                sa.func.min(begin, type_=begin.type),
                sa.func.count(sa.distinct(begin)),
            )
            .where(TOTALS.c.scope_id.in_(part) & TOTALS.c.metric.in_(metrics))
            .where(begin >= window.begin - LOOK_BACK * window.step)
            .where(begin < window.begin)
            .group_by(TOTALS.c.scope_id, TOTALS.c.metric)
        )
        for scope_pk, metric, first, count in connection.execute(query):
            pasts[scope_pk, metric] = _Past(first, count)
    return pasts

"""Metrics that a scope has always used and now does not: news, until it is old."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.storage.db.engine import slices
from ratekit.storage.ledger.frames import Total, begin_texts
from ratekit.storage.schema import TOTALS

#: Periods before a batch that show whether a metric has been silent before.
LOOK_BACK = 24

#: A scope's row id and a metric's public name.
Pair = tuple[int, str]


class _Past(NamedTuple):
    """The first of the periods looked back on that has frames, and how many do."""

    first: datetime.datetime
    periods: int


def fallen(
    connection: sa.Connection,
    keys: Collection[int],
    window: Window,
    metrics: Collection[str],
    totals: Iterable[Total],
) -> list[Pair]:
    """Return who used what in each period up to some instant, and nothing since.

    That instant is the window's begin or in it, so that no other batch tells the same. A
    period that was left out counts as silence: a scope that comes back is no news.

    :param keys: row ids of the scopes that are rated over ``window``
    :param totals: theirs, over ``window``
    """
    used = _used(window, totals)
    last = window.end - window.step
    before = {pair for pair in _just_before(connection, keys, window) if pair[1] in metrics}
    ended = [
        pair
        for pair in before | used.keys()
        if pair[1] in metrics and last not in used.get(pair, ())
    ]
    past = _past(connection, ended, window) if ended else {}
    return sorted(
        pair for pair in ended if _always(window, past.get(pair), sorted(used.get(pair, ())))
    )


def _used(window: Window, totals: Iterable[Total]) -> dict[Pair, set[datetime.datetime]]:
    """Return the begins of the periods that have frames."""
    begins = {text: begin for begin, text in begin_texts(window).items()}
    used: dict[Pair, set[datetime.datetime]] = {}
    for one in totals:
        used.setdefault((one.scope_id, one.metric), set()).add(begins[one.begin])
    return used


def _always(window: Window, past: _Past | None, begins: Sequence[datetime.datetime]) -> bool:
    """Tell whether nothing is missing from the first period that has frames to the last.

    :param begins: of those in the window, in order
    """
    if past is not None and (window.begin - past.first) != past.periods * window.step:
        return False
    if not begins:
        return past is not None
    if past is not None and begins[0] != window.begin:
        return False
    return begins[-1] - begins[0] == (len(begins) - 1) * window.step


def _just_before(connection: sa.Connection, keys: Collection[int], window: Window) -> set[Pair]:
    found: set[Pair] = set()
    for some in slices(sorted(keys)):
        query = (
            sa.select(TOTALS.c.scope_id, TOTALS.c.metric)
            .where(TOTALS.c.scope_id.in_(some))
            .where(TOTALS.c.begin == window.begin - window.step)
        )
        found.update((key, metric) for key, metric in connection.execute(query))
    return found


def _past(connection: sa.Connection, pairs: Collection[Pair], window: Window) -> dict[Pair, _Past]:
    """Look back, for these alone."""
    found: dict[Pair, _Past] = {}
    metrics = sorted({metric for _, metric in pairs})
    begin = TOTALS.c.begin
    for some in slices(sorted({key for key, _ in pairs})):
        query = (
            sa.select(
                TOTALS.c.scope_id,
                TOTALS.c.metric,
                sa.func.min(begin, type_=begin.type),
                sa.func.count(sa.distinct(begin)),
            )
            .where(TOTALS.c.scope_id.in_(some) & TOTALS.c.metric.in_(metrics))
            .where(begin >= window.begin - LOOK_BACK * window.step)
            .where(begin < window.begin)
            .group_by(TOTALS.c.scope_id, TOTALS.c.metric)
        )
        found.update(
            {
                (key, metric): _Past(first, count)
                for key, metric, first, count in connection.execute(query)
            }
        )
    return found

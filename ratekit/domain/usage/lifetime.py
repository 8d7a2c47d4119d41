"""How much of a period a resource existed, for metrics that are prorated."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from ratekit.domain.usage.revision import Instant, Revision


class End(NamedTuple):
    """A record that a resource ceased to exist.

    :ivar recorded_at: start of the revision that says so
    :ivar at: when the resource ceased to exist, UTC
    """

    recorded_at: Instant
    at: Instant


class Life(NamedTuple):
    """The part of a period in which a resource existed: ``begin <= t < end``."""

    begin: Instant
    end: Instant


def find_life(
    period: Instant,
    step: datetime.timedelta,
    patience: datetime.timedelta,
    revision: Revision,
    ends: Iterable[End],
) -> Life | None:
    """Return when in the period a resource existed; None: at no time of it.

    Only records made less than ``patience`` after the period's end count, and of these the
    newest, so a period costs the same whenever it is rated. An end before the period is taken
    from ``revision`` only, because how far ``ends`` reach back depends on the query.

    :param period: start of the period
    :param step: length of the period
    :param revision: the last one that has a bucket in the period
    """
    stop = period + step
    recorded_at, ended_at = revision.start, revision.ended_at
    for end in ends:
        if recorded_at < end.recorded_at < stop + patience and end.at >= period:
            recorded_at, ended_at = end
    begin = period if revision.started_at is None else max(period, revision.started_at)
    if ended_at is not None and ended_at < stop:
        stop = ended_at
    return Life(begin, stop) if begin < stop else None

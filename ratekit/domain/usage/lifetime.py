"""How much of a period a resource existed, for metrics that are prorated."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from ratekit.domain.usage.revision import Instant, Revision


class End(NamedTuple):
    """A record that a resource ceased to exist.

    :ivar recorded: start of the revision that says so
    :ivar at: when it ceased, UTC
    """

    recorded: Instant
    at: Instant


class Life(NamedTuple):
    """The part of a period in which a resource existed: ``begin <= t < end``."""

    begin: Instant
    end: Instant


def lived(
    period: Instant,
    step: datetime.timedelta,
    patience: datetime.timedelta,
    revision: Revision,
    ends: Iterable[End],
) -> Life | None:
    """Return when in the period a resource existed; None: at no time of it.

    The newest record counts, of those made less than ``patience`` after the period's end, so
    that a period costs the same whenever it is rated; an end before the period is known from
    ``revision`` only, since how far ``ends`` reach back depends on what was asked.

    :param period: begin of the period
    :param step: length of the period
    :param revision: the last one that has a bucket in the period
    """
    stop = period + step
    recorded, ended = revision.start, revision.ended_at
    for end in ends:
        if recorded < end.recorded < stop + patience and end.at >= period:
            recorded, ended = end
    begin = period if revision.started_at is None else max(period, revision.started_at)
    if ended is not None and ended < stop:
        stop = ended
    return Life(begin, stop) if begin < stop else None

"""When a resource existed, according to the records that count for a period."""

from __future__ import annotations

import bisect
import datetime
import operator
from collections.abc import Sequence
from typing import NamedTuple

from ratekit.domain.usage.revision import Instant, Revision


class Life(NamedTuple):
    """The part of a period in which a resource existed: ``begin <= t < end``."""

    begin: Instant
    end: Instant


def find_end(revisions: Sequence[Revision], until: Instant) -> Instant | None:
    """Return when a resource ceased to exist; None: it has not, or that was not known.

    The newest record decides, so an end that was taken back or corrected counts as it was
    known at last.

    :param revisions: by start
    :param until: records that were made from then on do not count
    """
    count = bisect.bisect_left(revisions, until, key=operator.attrgetter("start"))
    return revisions[count - 1].ended_at if count else None


def find_life(
    period: Instant, step: datetime.timedelta, started_at: Instant | None, ended_at: Instant | None
) -> Life | None:
    """Return when in the period a resource existed; None: at no time of it.

    :param period: start of the period
    :param step: length of the period
    """
    begin = period if started_at is None else max(period, started_at)
    end = period + step if ended_at is None else min(period + step, ended_at)
    return Life(begin, end) if begin < end else None

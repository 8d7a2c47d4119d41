"""Clocks of several hosts: how far they differ, and which of them is wrong."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Sequence

from ratekit.text import duration_text, list_text, second_text

_NO_TIME = datetime.timedelta(0)
_SECOND = datetime.timedelta(seconds=1)
#: Name of this host's clock in messages.
HOST = "this host"


@dataclasses.dataclass(frozen=True, slots=True)
class ClockReading:
    """How far another clock is ahead of this host's; negative: behind.

    The exact difference is unknown, because reading takes time, and a clock may show only whole
    seconds. It lies between two bounds.

    :ivar name: whose clock it is, such as ``Gnocchi``
    :ivar lower: lower bound of the difference
    :ivar upper: upper bound of the difference
    """

    name: str
    lower: datetime.timedelta
    upper: datetime.timedelta

    @classmethod
    def between(
        cls,
        name: str,
        before: datetime.datetime,
        instant: datetime.datetime,
        after: datetime.datetime,
        resolution: datetime.timedelta = _NO_TIME,
    ) -> ClockReading:
        """Return the reading of a clock that showed ``instant``.

        :param before: this host's time before the clock was read
        :param after: this host's time afterwards
        :param resolution: the clock cuts off fractions of it
        """
        # If this host's clock was set back meanwhile, the bounds would be swapped.
        bounds = instant - after, instant - before + resolution
        return cls(name, min(bounds), max(bounds))

    @property
    def difference(self) -> datetime.timedelta:
        """The smallest difference that is possible."""
        return max(self.lower, min(self.upper, _NO_TIME))


def slowest(readings: Collection[ClockReading]) -> datetime.timedelta:
    """Return how far the slowest clock is behind this host's, at least 0."""
    return max([_NO_TIME, *(-reading.difference for reading in readings)])


def disagreement(
    readings: Sequence[ClockReading], limit: datetime.timedelta, now: datetime.datetime
) -> str | None:
    """Return which clocks differ by more than ``limit``, in words; None if none do.

    The clocks of other hosts are compared with each other, too. With three clocks or more, one
    that differs from all others, which agree, is the wrong one.

    :param now: the time by this host's clock
    """
    clocks = [ClockReading(HOST, _NO_TIME, _NO_TIME), *readings]
    if _agree(clocks, limit):
        return None
    times = ", ".join(f"{clock.name} has {second_text(now + clock.difference)}" for clock in clocks)
    odd = _odd_one_out(clocks, limit)
    if odd is None:
        return f"the clocks of {list_text([clock.name for clock in clocks])} differ: {times}"
    right = next(clock for clock in clocks if clock is not odd)
    difference = odd.difference - right.difference
    direction = "ahead" if difference > _NO_TIME else "behind"
    length = duration_text(datetime.timedelta(seconds=abs(difference) // _SECOND))
    return f"the clock of {odd.name} is {length} {direction}: {times}"


def _agree(clocks: Collection[ClockReading], limit: datetime.timedelta) -> bool:
    """Tell whether no two clocks differ by more than ``limit`` for certain."""
    lower = max(clock.lower for clock in clocks)
    return lower - min(clock.upper for clock in clocks) <= limit


def _odd_one_out(clocks: Sequence[ClockReading], limit: datetime.timedelta) -> ClockReading | None:
    """Return the clock without which all agree, if there is exactly one."""
    candidates = [
        candidate
        for candidate in clocks
        if _agree([clock for clock in clocks if clock is not candidate], limit)
    ]
    return candidates[0] if len(clocks) > 2 and len(candidates) == 1 else None

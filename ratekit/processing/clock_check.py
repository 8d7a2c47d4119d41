"""Compares this host's clock with others before it decides what is due."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ratekit import errors
from ratekit.domain.schedule import clocks

ReadClock = Callable[[], clocks.ClockReading | None]


class ClockComparison(NamedTuple):
    """The result of a comparison, in which no clocks differed too much.

    :ivar lag: how far the slowest clock is behind this host's, at least 0
    :ivar failure: why a clock could not be read, or None
    :ivar is_confirmed: whether another clock was read, or there is none; otherwise this host's
        clock may be wrong, and a later comparison can tell
    """

    lag: datetime.timedelta
    failure: errors.RatekitError | None
    is_confirmed: bool


class ClockCheck:
    """Reads all clocks and requires that they agree.

    The clock of one host decides for good which periods are rated: those that it takes for past
    are never asked for again.

    :param readers: read a clock each, within a time limit
    :param limit: maximum difference of two clocks
    :ivar tolerance: how far apart the states that correct processors write may be
    """

    def __init__(self, readers: Sequence[ReadClock], limit: datetime.timedelta) -> None:
        self._readers = readers
        self._limit = limit
        self.tolerance = 2 * limit

    def compare(self, now: datetime.datetime) -> ClockComparison:
        """Return the result; a clock that cannot be read does not prevent the comparison.

        :param now: the time by this host's clock
        :raises ratekit.errors.ClockSkew: two clocks differ too much
        """
        readings: list[clocks.ClockReading] = []
        failures: list[errors.RatekitError] = []
        for read in self._readers:
            try:
                reading = read()
            except errors.SchemaChanged:
                raise
            except errors.RatekitError as error:
                failures.append(error)
            else:
                readings += [reading] if reading is not None else []
        difference = clocks.disagreement(readings, self._limit, now)
        if difference is not None:
            raise errors.ClockSkew(
                f"{difference}; the limit is {self._limit.total_seconds():g} s ([orchestrator] "
                "max_clock_skew): correct the wrong clock"
            )
        failure = failures[0] if failures else None
        return ClockComparison(clocks.slowest(readings), failure, bool(readings) or not failures)

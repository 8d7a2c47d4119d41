"""How long failed work waits before the next attempt."""

from __future__ import annotations

import dataclasses
import datetime

#: Largest part of a delay that is added at random, so that retries do not all start together.
SPREAD = 0.25
#: Seconds that a back end may ask to wait at most: an answer "next year" must not stop rating.
MAX_AFTER = 3600.0
#: Doublings after which every delay has reached its limit.
_MAX_DOUBLINGS = 30


@dataclasses.dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double with each consecutive failure.

    :ivar first: delay after the first failure
    :ivar longest: limit of all delays, before the random part is added
    """

    first: datetime.timedelta
    longest: datetime.timedelta

    def delay(self, failures: int, chance: float, after: float | None = None) -> datetime.timedelta:
        """Return how long to wait after a failure.

        Without ``after``, the next delay is longer than this one until the limit is reached,
        whatever ``chance`` is.

        :param failures: consecutive failures before this one
        :param chance: a random number, 0 <= chance < 1
        :param after: seconds that the back end asked for; the delay is at least that long, up to
            :data:`MAX_AFTER`
        """
        delay: datetime.timedelta = min(
            self.first * 2 ** min(failures, _MAX_DOUBLINGS), self.longest
        )
        delay *= 1 + SPREAD * chance
        if after is None:
            return delay
        return max(delay, datetime.timedelta(seconds=min(after, MAX_AFTER)))

    @property
    def limit(self) -> datetime.timedelta:
        """The longest delay that is possible."""
        return max(self.longest * (1 + SPREAD), datetime.timedelta(seconds=MAX_AFTER))

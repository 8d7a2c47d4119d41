"""How long failed work waits before the next attempt."""

from __future__ import annotations

import dataclasses
import datetime

#: Largest part of a delay that is added at random, so that retries do not all start together.
SPREAD = 0.25
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
        :param after: seconds that the back end asked for; the delay is at least that long
        """
        delay: datetime.timedelta = min(
            self.first * 2 ** min(failures, _MAX_DOUBLINGS), self.longest
        )
        delay *= 1 + SPREAD * chance
        return delay if after is None else max(delay, datetime.timedelta(seconds=after))

"""How long what has failed is left alone."""

from __future__ import annotations

import dataclasses
import datetime

#: Largest part of a rest that is added to it by chance, so that many do not come back at once.
SPREAD = 0.25
#: Doublings after which any rest has reached its limit.
_MOST = 30


@dataclasses.dataclass(frozen=True, slots=True)
class Backoff:
    """Rests that double with each failure in a row.

    :ivar first: after the first failure
    :ivar longest: no rest is longer, what chance adds aside
    """

    first: datetime.timedelta
    longest: datetime.timedelta

    def rest(self, failures: int, chance: float, after: float | None = None) -> datetime.timedelta:
        """Return how long to rest now.

        Without ``after``, the next rest is longer than this one until the longest is reached,
        whatever chance says.

        :param failures: that came before this one, in a row
        :param chance: a random number, 0 <= chance < 1
        :param after: seconds that the other side asked for; the rest is at least that long
        """
        rest: datetime.timedelta = min(self.first * 2 ** min(failures, _MOST), self.longest)
        rest *= 1 + SPREAD * chance
        return rest if after is None else max(rest, datetime.timedelta(seconds=after))

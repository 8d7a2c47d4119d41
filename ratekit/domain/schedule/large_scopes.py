"""Scopes whose usage of one period is more than a batch should hold: their requests are divided."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from ratekit.domain.schedule.density import Density

#: Periods that are collected together, one part after the other. A request's cost depends on the
#: number of resources far more than on the number of periods.
_MAX_PERIODS = 24
#: Requests for one scope, period and metric.
_MAX_PARTS = 512
#: Times more parts after a request failed. Each attempt may last as long as ``batch_timeout``.
_GROWTH = 8
#: Batches of one period after a transaction was refused, until two are tried: each attempt that is
#: refused collects its periods in vain.
_SHORT_BATCHES = 24
#: Load of a part below which parts become larger.
_LOW_LOAD = 0.25
#: Parts that one period needs below which a scope is no longer large.
_RETURN = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """How much the requests of a batch took of what one request should take at most; 1: all.

    :ivar time: seconds of all requests together
    :ivar share: size of the largest response
    """

    time: float = 0.0
    share: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Size:
    """What is known of one scope.

    :ivar burden: how many times more parts it needs than its weight tells, at least 1, because
        requests failed or responses were large
    :ivar max_periods: of a batch
    :ivar short_batches: number of batches for which that does not grow
    """

    density: Density
    burden: float = 1.0
    max_periods: int = _MAX_PERIODS
    short_batches: int = 0

    def parts(self, periods: int, limit: int) -> float:
        """Return how many parts are needed, not rounded."""
        return self.density.weight(periods) * self.burden / limit

    def burden_of(self, parts: float, periods: int, limit: int) -> float:
        """Return the burden with which so many parts are needed."""
        return parts * limit / max(self.density.weight(periods), 1.0)


class LargeScopes:
    """What is known of scopes of which one period weighs too much for a batch.

    A slow back end alone makes no scope large: more requests would make it slower still.
    """

    def __init__(self) -> None:
        self._sizes: dict[str, _Size] = {}

    @property
    def max_periods(self) -> Mapping[str, int]:
        """Maximum number of periods of a batch, by the ids of all large scopes."""
        return {scope: size.max_periods for scope, size in self._sizes.items()}

    def parts(self, scope: str, periods: int, limit: int) -> int:
        """Return into how many parts a scope's resources are divided; 1: it is not large.

        :param limit: weight of a part at most
        """
        size = self._sizes.get(scope)
        if size is None:
            return 1
        return min(max(math.ceil(size.parts(periods, limit)), 1), _MAX_PARTS)

    def learn(self, scope: str, periods: int, limit: int, density: Density, load: Load) -> None:
        """Record the usage of a batch that had this scope only.

        :param limit: weight of a part at most
        """
        size, parts = self._sizes.get(scope), self.parts(scope, periods, limit)
        learned = dataclasses.replace(size or _Size(density), density=density)
        burden = learned.burden
        if max(load.time / parts, load.share) < _LOW_LOAD:
            burden = max(burden / 2, 1.0)
        # What all parts return together would be too much for one response.
        whole_share = load.share * parts
        if whole_share > 1:
            burden = max(burden, learned.burden_of(whole_share, periods, limit))
        growth = 1 if learned.short_batches else 2
        learned = dataclasses.replace(
            learned,
            burden=burden,
            max_periods=min(learned.max_periods * growth, _MAX_PERIODS),
            short_batches=max(learned.short_batches - 1, 0),
        )
        needed = learned.parts(1, limit)
        # A scope near the limit must not change its mind in each period, nor one that failed.
        stays = needed > _RETURN or (burden > 1 and load.time > 1)
        if needed > 1 or (size is not None and stays):
            self._sizes[scope] = learned
        else:
            self._sizes.pop(scope, None)

    def divide(self, scope: str, periods: int, limit: int) -> bool:
        """Divide a scope's resources into more parts; False: there are too many already."""
        parts = self.parts(scope, periods, limit)
        if parts >= _MAX_PARTS:
            return False
        size = self._sizes.get(scope, _Size(Density(0, limit / periods)))
        burden = size.burden_of(parts * _GROWTH, periods, limit)
        self._sizes[scope] = dataclasses.replace(size, burden=burden)
        return True

    def relieve(self, scope: str, limit: int) -> None:
        """Forget failures of a scope's requests, because the back end was down."""
        size = self._sizes.get(scope)
        if size is None:
            return
        size = dataclasses.replace(size, burden=1.0)
        if size.parts(1, limit) > 1:
            self._sizes[scope] = size
        else:
            del self._sizes[scope]

    def shorten(self, scope: str) -> bool:
        """Rate one period of a large scope at a time for now; False: it does already."""
        size = self._sizes.get(scope)
        if size is None or size.max_periods == 1:
            return False
        self._sizes[scope] = dataclasses.replace(size, max_periods=1, short_batches=_SHORT_BATCHES)
        return True

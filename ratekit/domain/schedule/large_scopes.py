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
#: Load of a part below which parts become larger.
_LOW_LOAD = 0.5
#: Parts that one period needs below which a scope is no longer large.
_RETURN = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class _Size:
    """What is known of one scope.

    :ivar burden: how many times more parts it needs than its weight tells, at least 1, because
        the back end is slow or its responses are large
    :ivar max_periods: of a batch
    """

    density: Density
    burden: float = 1.0
    max_periods: int = _MAX_PERIODS

    def parts(self, periods: int, limit: int) -> float:
        """Return how many parts are needed, not rounded."""
        return self.density.weight(periods) * self.burden / limit


class LargeScopes:
    """What is known of scopes of which one period weighs too much for a batch."""

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
        return 1 if size is None else min(math.ceil(size.parts(periods, limit)), _MAX_PARTS)

    def learn(self, scope: str, periods: int, limit: int, density: Density, load: float) -> None:
        """Record the usage of a batch that had this scope only.

        :param limit: weight of a part at most
        :param load: how much a part took of the time or the response that it should take at
            most; 1: all
        """
        size = self._sizes.get(scope)
        burden = 1.0
        if size is not None:
            # How large a part is and how much it takes are not proportional.
            burden = size.burden if load > _LOW_LOAD else size.burden / 2
        parts = self.parts(scope, periods, limit)
        if load > 1:
            weight = density.weight(periods)
            burden = max(burden, load * parts * limit / max(weight, 1))
        learned = dataclasses.replace(
            size or _Size(density), density=density, burden=max(burden, 1.0)
        )
        needed = learned.parts(1, limit)
        # A scope near the limit must not change its mind in each period.
        if needed > 1 or (size is not None and needed > _RETURN):
            self._sizes[scope] = learned
        else:
            self._sizes.pop(scope, None)

    def divide(self, scope: str, periods: int, limit: int) -> bool:
        """Divide a scope's resources into more parts; False: there are too many already."""
        if self.parts(scope, periods, limit) >= _MAX_PARTS:
            return False
        size = self._sizes.get(scope, _Size(Density(0, limit / periods)))
        self._sizes[scope] = dataclasses.replace(size, burden=size.burden * _GROWTH)
        return True

    def shorten(self, scope: str) -> None:
        """Rate one period of a large scope at a time."""
        if scope in self._sizes:
            self._sizes[scope] = dataclasses.replace(self._sizes[scope], max_periods=1)

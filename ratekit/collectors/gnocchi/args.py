"""What a metric's ``extra_args`` say to the Gnocchi collector; names are CloudKitty's."""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, ClassVar

import pydantic

from ratekit.domain.reducers import REDUCERS, fitting
from ratekit.errors import nearest

_METHODS = (
    "mean", "sum", "last", "max", "min", "std", "median", "first", "count", "nunique",
)  # fmt: skip
_PERCENTILE = re.compile(r"[1-9][0-9]?pct\Z")


def _aggregation_method(value: str) -> str:
    method = value.removeprefix("rate:")
    if method not in _METHODS and not _PERCENTILE.match(method):
        known = ", ".join(_METHODS)
        raise ValueError(
            f"expected one of {known}, 1pct to 99pct, or one of them after 'rate:', "
            f"not {value!r}{nearest(method, _METHODS)}"
        )
    return value


def _re_aggregation_method(value: str) -> str:
    if value.startswith("rate:"):
        raise ValueError(f"{value!r} is not built yet; take the key out")
    if value not in REDUCERS:
        known = ", ".join(sorted(REDUCERS))
        raise ValueError(f"expected one of {known}, not {value!r}{nearest(value, REDUCERS)}")
    return value


def _granularity(value: int) -> int:
    if value == 0:
        raise ValueError("0 is not built yet; name a granularity of the archive policy")
    if value < 0:
        raise ValueError(f"expected seconds, not {value}")
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class GnocchiArgs:
    """Settings of one metric.

    :ivar resource_type: Gnocchi's type of the resources that carry the metric
    :ivar resource_key: attribute that tells resources apart; becomes a label
    :ivar aggregation_method: which stored aggregate is read
    :ivar re_aggregation_method: how the aggregates of a period become one value; what
        fits the aggregation method when not given
    :ivar force_granularity: of the aggregates, in seconds; divides the collect period
    :ivar use_all_resource_revisions: False gives a whole period to the last revision
    """

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = {"extra": "forbid"}

    resource_type: Annotated[str, pydantic.StringConstraints(min_length=1)]
    resource_key: Annotated[str, pydantic.StringConstraints(min_length=1)] = "id"
    aggregation_method: Annotated[str, pydantic.AfterValidator(_aggregation_method)] = "max"
    re_aggregation_method: Annotated[
        str | None, pydantic.AfterValidator(lambda v: v if v is None else _re_aggregation_method(v))
    ] = None
    # Strict, since a lax integer takes true for 1.
    force_granularity: Annotated[int, pydantic.Strict(), pydantic.AfterValidator(_granularity)] = (
        3600
    )
    use_all_resource_revisions: bool = True

    @property
    def reducer(self) -> str:
        """Name of the reducer that makes one value of a period's aggregates."""
        return self.re_aggregation_method or fitting(self.aggregation_method)

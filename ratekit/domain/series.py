"""What flows from a collector to storage: usages that share their labels."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.domain import period


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """Usages of one scope, metric and set of labels over a window.

    :ivar scope: id of the scope
    :ivar metric: public name of the metric
    :ivar unit: unit of the quantities
    :ivar groupby: labels that tell usages apart, the scope's key among them
    :ivar metadata: further labels; a name is in ``groupby`` or here, never in both
    :ivar points: (begin of the period, quantity), each period at most once; begins are
        aware UTC, quantities finite with at most 18 places
    """

    scope: str
    metric: str
    unit: str
    groupby: Mapping[str, str | None]
    metadata: Mapping[str, str | None]
    points: Sequence[tuple[datetime.datetime, Decimal]]

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a series has at least one point: silence is no series")
        # One look a series keeps the hot path lean; collectors take all begins from one window.
        begin, quantity = self.points[0]
        period.require_utc(begin)
        if not isinstance(quantity, Decimal):
            raise TypeError(f"a quantity is a Decimal, not {quantity!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class RatedSeries:
    """A series with its prices.

    :ivar prices: one price a point, in the order of ``series.points``, 28 places at most
    """

    series: Series
    prices: Sequence[Decimal]

    def __post_init__(self) -> None:
        if len(self.prices) != len(self.series.points):
            raise ValueError("a series has as many prices as points")

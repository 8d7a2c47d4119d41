"""Sums of the rows of a summary, by metric and by bucket of time."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import SummaryRow


@dataclasses.dataclass(frozen=True, slots=True)
class MetricCharge:
    """What a metric cost.

    :ivar points: number of frames
    :ivar quantity: sum over frames; None: they have several units
    :ivar unit: of the quantity; None if it is
    :ivar price: exact sum
    """

    metric: str
    points: int
    quantity: Decimal | None
    unit: str | None
    price: Decimal


class Sums:
    """Adds up rows that are grouped by metric and a time, in any order."""

    def __init__(self) -> None:
        self._prices: dict[str, dict[datetime.datetime, Decimal]] = {}
        self._quantities: dict[str, Decimal | None] = {}
        self._units: dict[str, set[str | None]] = {}
        self._points: dict[str, int] = {}

    def add(self, row: SummaryRow, bucket: str) -> None:
        """Add a row, whose group has ``metric`` and the key ``bucket``."""
        metric, start = str(row.group["metric"]), row.group[bucket]
        assert isinstance(start, datetime.datetime), "the key is a time"
        start = start.astimezone(datetime.UTC)
        prices = self._prices.setdefault(metric, {})
        prices[start] = EXACT.add(prices.get(start, ZERO), row.price)
        quantity = self._quantities.get(metric, ZERO)
        if quantity is not None and row.quantity is not None:
            self._quantities[metric] = EXACT.add(quantity, row.quantity)
        else:
            self._quantities[metric] = None
        self._units.setdefault(metric, set()).add(row.unit)
        self._points[metric] = self._points.get(metric, 0) + row.points

    def metrics(self) -> Sequence[MetricCharge]:
        """Return the charge of each metric, the dearest first."""
        charges = [self._charge(metric) for metric in sorted(self._prices)]
        return sorted(charges, key=lambda charge: -charge.price)

    def prices(self, starts: Sequence[datetime.datetime]) -> Mapping[str, Sequence[Decimal]]:
        """Return the price of each metric in each bucket, in the order of :meth:`metrics`."""
        return {
            charge.metric: [self._prices[charge.metric].get(start, ZERO) for start in starts]
            for charge in self.metrics()
        }

    def _charge(self, metric: str) -> MetricCharge:
        units = self._units[metric]
        quantity, unit = self._quantities[metric], next(iter(units))
        if len(units) > 1 or unit is None:
            quantity = unit = None
        price = ZERO
        for part in self._prices[metric].values():
            price = EXACT.add(price, part)
        return MetricCharge(metric, self._points[metric], quantity, unit, price)

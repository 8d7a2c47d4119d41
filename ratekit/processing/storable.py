"""Leaves out usage whose quantity or price is too large to be stored; all other is rated."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.series import RatedSeries, Series
from ratekit.pricing.price_list import PriceList

LOG = logging.getLogger(__name__)

_REASON = f"its quantity or price is not below {exact.LIMIT:.0e}"
_REMEDY = "correct its measures or the price rules, then ratekit reprocess"


class StorableUsage:
    """Prices usage, and logs once which series cannot be stored."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()

    def price(
        self, series: Iterable[Series], price_list: PriceList
    ) -> tuple[list[RatedSeries], list[Exclusion]]:
        """Return the series with prices, and what is left out of them."""
        rated, exclusions = [], []
        for usage in series:
            prices = _prices(usage, price_list)
            if prices is not None and _all_fit(usage, prices):
                rated.append(RatedSeries(usage, prices))
                continue
            exclusions.append(self._exclude(usage))
            rated += _storable_points(usage, price_list)
        return rated, exclusions

    def _exclude(self, series: Series) -> Exclusion:
        labels = " ".join(f"{name}={value}" for name, value in series.groupby.items())
        exclusion = Exclusion(series.scope, series.metric, labels, _REASON, _REMEDY)
        if (series.metric, labels) not in self._logged:
            self._logged.add((series.metric, labels))
            LOG.error(
                "%s: excluded from rating and not charged: %s: %s; %s",
                series.metric, labels, _REASON, _REMEDY,
            )  # fmt: skip
        return exclusion


def _prices(series: Series, price_list: PriceList) -> Sequence[Decimal] | None:
    """Return the prices; None: they cannot be computed."""
    try:
        return price_list.prices(series)
    except ArithmeticError:
        return None


def _all_fit(series: Series, prices: Sequence[Decimal]) -> bool:
    numbers = [*prices, *(quantity for _, quantity in series.points)]
    numbers += [shared.whole for shared in series.shared.values()]
    return exact.is_storable(max(numbers)) and exact.is_storable(min(numbers))


def _storable_points(series: Series, price_list: PriceList) -> list[RatedSeries]:
    """Return the periods that can be stored, each as a series, so that windows change nothing."""
    results = []
    for point in series.points:
        begin = point[0]
        shared = {begin: series.shared[begin]} if begin in series.shared else {}
        period = dataclasses.replace(series, points=[point], shared=shared)
        prices = _prices(period, price_list)
        if prices is not None and _all_fit(period, prices):
            results.append(RatedSeries(period, prices))
    return results

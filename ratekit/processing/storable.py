"""Leaves out usage whose quantity or price is too large to be stored; all other is rated."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Iterable, Sequence
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.series import RatedSeries, Series
from ratekit.pricing.price_list import PriceList
from ratekit.text import labels_text

LOG = logging.getLogger(__name__)

#: Why usage cannot be stored, one clause.
REASON = f"its quantity or price is not below {exact.LIMIT:.0e}"
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
            storable, begins = price_storable(usage, price_list)
            rated += storable
            if begins:
                exclusions.append(self._exclude(usage))
        return rated, exclusions

    def _exclude(self, series: Series) -> Exclusion:
        labels = labels_text(series.groupby)
        exclusion = Exclusion(series.scope, series.metric, labels, REASON, _REMEDY)
        if (series.metric, labels) not in self._logged:
            self._logged.add((series.metric, labels))
            LOG.error(
                "%s: excluded from rating and not charged: %s: %s; %s",
                series.metric, labels, REASON, _REMEDY,
            )  # fmt: skip
        return exclusion


def price_storable(
    series: Series, price_list: PriceList
) -> tuple[list[RatedSeries], list[datetime.datetime]]:
    """Return what can be stored, with prices, and the starts of the periods of all other.

    Where something cannot, each period is a series of its own, so that windows change nothing.
    """
    prices = _prices(series, price_list)
    if prices is not None and _all_fit(series, prices):
        return [RatedSeries(series, prices)], []
    if len(series.points) == 1:
        return [], [series.points[0][0]]
    results, begins = [], []
    for begin, quantity in series.points:
        shared = {begin: series.shared[begin]} if begin in series.shared else {}
        period = dataclasses.replace(series, points=[(begin, quantity)], shared=shared)
        storable, left_out = price_storable(period, price_list)
        results += storable
        begins += left_out
    return results, begins


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

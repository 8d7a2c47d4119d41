"""What usage costs by one rule book, all rating modules taken together."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.rules.explanation import Explanation, ModuleExplanation
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.series import Series
from ratekit.interfaces import RatingModule


class PriceList:
    """Prices series; whoever rates, explains or asks what-if asks here.

    :param modules: highest priority first
    :ivar book: the rules it prices by
    """

    def __init__(self, modules: Sequence[RatingModule], book: RuleBook) -> None:
        self.book = book
        self._modules = modules
        self._pricers = [module.compile(book) for module in modules]

    def prices(self, series: Series) -> Sequence[Decimal]:
        """Return one price a point, to 28 places."""
        prices: Sequence[Decimal] = [exact.ZERO] * len(series.points)
        for price in self._pricers:
            prices = price(series, prices)
        return prices

    def explain(self, series: Series) -> Explanation:
        """Return how the price of a series' only point comes about.

        :raises ValueError: it has several
        """
        if len(series.points) != 1:
            raise ValueError(f"one point is explained at a time, not {len(series.points)}")
        told = []
        price = exact.ZERO
        for module, pricer in zip(self._modules, self._pricers, strict=True):
            one = module.explain(self.book, series, price)
            if one is None:
                [after] = pricer(series, [price])
                one = ModuleExplanation(type(module).__name__, price, None, after)
            told.append(one)
            price = one.price
        return Explanation(self.book.version, tuple(told), price)

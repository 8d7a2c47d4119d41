"""Prices of usage by one rule book and all rating modules together."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.rules.explanation import Explanation, ModuleExplanation
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.series import Series
from ratekit.interfaces import RatingModule


class PriceList:
    """Prices series: for rating, explaining and what-if alike.

    :param modules: highest priority first
    :ivar book: the rules that it prices by
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
        """Return how the price of a series with one point is computed.

        :raises ValueError: the series has no point or several
        """
        if len(series.points) != 1:
            raise ValueError(f"expected a series with one point, not {len(series.points)}")
        explanations = []
        price = exact.ZERO
        for module, pricer in zip(self._modules, self._pricers, strict=True):
            explanation = module.explain(self.book, series, price)
            if explanation is None:
                [price_after] = pricer(series, [price])
                name = type(module).__name__
                explanation = ModuleExplanation(name, price, None, price_after)
            explanations.append(explanation)
            price = explanation.price
        return Explanation(self.book.version, tuple(explanations), price)

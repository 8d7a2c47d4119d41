"""The rating module that charges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Self

from ratekit.domain.rules.explanation import ModuleExplanation
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.series import Series
from ratekit.interfaces import Pricer, PriceSource, RatingModule


class Noop(RatingModule):
    """Changes no price; for running the daemon without price rules."""

    price_source = PriceSource.NONE

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Return the module; it has no options."""
        return cls()

    def compile(self, book: RuleBook) -> Pricer:
        """Return a pricer that returns the prices that it receives."""
        return _keep_prices

    def explain(self, book: RuleBook, series: Series, before: Decimal) -> ModuleExplanation:
        """Return an explanation that adds nothing."""
        return ModuleExplanation("noop", before, (), before)


def _keep_prices(series: Series, prices: Sequence[Decimal]) -> Sequence[Decimal]:
    return prices

"""The rating module that charges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Self

from ratekit.domain.rules.explanation import ModuleExplanation
from ratekit.domain.rules.rule import RuleBook
from ratekit.domain.series import Series
from ratekit.interfaces import Pricer, RatingModule


class Noop(RatingModule):
    """Leaves every price as it is; for running the daemon without price rules."""

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build; there is nothing to configure."""
        return cls()

    def compile(self, book: RuleBook) -> Pricer:
        """Return what hands back the prices it is given."""
        return _unchanged

    def explain(self, book: RuleBook, series: Series, before: Decimal) -> ModuleExplanation:
        """Say that nothing is added."""
        return ModuleExplanation("noop", before, (), before)


def _unchanged(series: Series, prices: Sequence[Decimal]) -> Sequence[Decimal]:
    return prices

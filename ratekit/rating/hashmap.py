"""The hashmap rating module: prices by metric, labels and quantity."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Self

from ratekit.domain import exact
from ratekit.domain.rules.explanation import ModuleExplanation
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.series import Series
from ratekit.interfaces import Pricer, PriceSource, RatingModule
from ratekit.rating import breakdown
from ratekit.rating.formula import Formula
from ratekit.rating.formulas import Formulas
from ratekit.rating.tables import Layer


class Hashmap(RatingModule):
    """Prices by mappings and thresholds, with CloudKitty's arithmetic (doc/arithmetic.rst)."""

    price_source = PriceSource.RULES

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Return the module; it has no options."""
        return cls()

    def compile(self, book: RuleBook) -> Pricer:
        """Return a pricer for ``book``.

        It only groups the rules by metric and scope; look-up tables are built when a series
        first needs them. Rules of one target, value or level, group and scope must not overlap
        in time.
        """
        return _Pricer(book)

    def explain(self, book: RuleBook, series: Series, before: Decimal) -> ModuleExplanation:
        """Return the rules that match, and how each enters the price."""
        [(begin, quantity)] = series.points
        formula = _Pricer(book).formula(series, begin)
        if formula is None:
            return ModuleExplanation("hashmap", before, (), exact.round_price(before))
        shared = series.shared.get(begin)
        groups = breakdown.explain(formula, quantity, shared)
        return ModuleExplanation("hashmap", before, groups, formula.price(quantity, before, shared))


class _Pricer:
    def __init__(self, book: RuleBook) -> None:
        members: dict[tuple[str, str | None], list[Rule]] = {}
        for rule in book.rules:
            members.setdefault((rule.target.metric, rule.terms.scope), []).append(rule)
        self._layers = {key: Layer(rules) for key, rules in members.items()}
        self._formulas: dict[tuple[str, str | None], Formulas | None] = {}

    def __call__(self, series: Series, prices: Sequence[Decimal]) -> Sequence[Decimal]:
        """Return one price for each point, to 28 places: its cost added to that of ``prices``.

        :raises ValueError: the numbers of prices and points differ
        """
        formulas = self._find_formulas(series)
        if formulas is None:
            return [exact.round_price(price) for price in prices]
        sums = []
        shared = series.shared
        current = formulas.find(series, series.points[0][0])
        for (begin, quantity), before in zip(series.points, prices, strict=True):
            if not current.since <= begin < current.until:
                current = formulas.find(series, begin)
            sums.append(current.price(quantity, before, shared.get(begin) if shared else None))
        return sums

    def formula(self, series: Series, instant: datetime.datetime) -> Formula | None:
        """Return the formula for ``series`` at an instant; None: there are no rules for it."""
        formulas = self._find_formulas(series)
        return None if formulas is None else formulas.find(series, instant)

    def _find_formulas(self, series: Series) -> Formulas | None:
        """Return the formulas of the series' metric and scope; None: there are no rules for it."""
        metric, scope = series.metric, series.scope
        key = metric, scope if (metric, scope) in self._layers else None
        if key not in self._formulas:
            layers = [
                layer
                for layer_key in dict.fromkeys([(metric, None), key])
                if (layer := self._layers.get(layer_key)) is not None
            ]
            self._formulas[key] = Formulas(layers) if layers else None
        return self._formulas[key]

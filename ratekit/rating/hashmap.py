"""The hashmap rating module: prices by metric, labels and quantity."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

from ratekit.domain import exact
from ratekit.domain.rules import calendar_labels
from ratekit.domain.rules.explanation import ModuleExplanation
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.series import Series
from ratekit.interfaces import Pricer, PriceSource, RatingModule
from ratekit.rating import breakdown, tables
from ratekit.rating.formula import Formula, build
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

    def __call__(self, series: Series, prices: Sequence[Decimal]) -> Sequence[Decimal]:
        """Return one price for each point, to 28 places: its cost added to that of ``prices``.

        :raises ValueError: the numbers of prices and points differ
        """
        layers = self._find_layers(series)
        if not layers:
            return [exact.round_price(price) for price in prices]
        sums = []
        shared = series.shared
        current = _build_formula(layers, series, series.points[0][0])
        for (begin, quantity), before in zip(series.points, prices, strict=True):
            if not current.since <= begin < current.until:
                current = _build_formula(layers, series, begin)
            sums.append(current.price(quantity, before, shared.get(begin) if shared else None))
        return sums

    def formula(self, series: Series, instant: datetime.datetime) -> Formula | None:
        """Return the formula for ``series`` at an instant; None: there are no rules for it."""
        layers = self._find_layers(series)
        return _build_formula(layers, series, instant) if layers else None

    def _find_layers(self, series: Series) -> Sequence[Layer]:
        return [
            layer
            for key in ((series.metric, None), (series.metric, series.scope))
            if (layer := self._layers.get(key)) is not None
        ]


def _build_formula(layers: Sequence[Layer], series: Series, instant: datetime.datetime) -> Formula:
    """Return the formula for ``series`` at ``instant``, with the time range that it is valid in."""
    table = layers[0].at(instant)
    for layer in layers[1:]:
        table = tables.overlay(table, layer.at(instant))
    since, until = table.since, table.until
    labels: Mapping[str, str | None] = {**series.metadata, **series.groupby}
    if table.calendar:
        midnight, next_midnight = calendar_labels.utc_day(instant)
        since, until = max(since, midnight), min(until, next_midnight)
        # As in CloudKitty, the calendar takes precedence over labels of the same name.
        labels = {**labels, **calendar_labels.read(instant)}
    return build(table, labels, since, until)

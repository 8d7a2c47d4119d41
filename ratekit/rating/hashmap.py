"""The hashmap rating module: price lists by service, label and quantity."""

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
from ratekit.interfaces import Pricer, RatingModule
from ratekit.rating import breakdown, tables
from ratekit.rating.formula import Formula, build
from ratekit.rating.tables import Layer


class Hashmap(RatingModule):
    """Prices by mappings and thresholds, with CloudKitty's arithmetic (design, section 6)."""

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        """Build; there is nothing to configure."""
        return cls()

    def compile(self, book: RuleBook) -> Pricer:
        """Return what prices by ``book``.

        Only sorts the rules by service; look-up tables are made when a series first needs
        them. Rules of one target, value or level, group and scope must not overlap in time.
        """
        return _Pricer(book)

    def explain(self, book: RuleBook, series: Series, before: Decimal) -> ModuleExplanation:
        """Return the rules that match, and how they make the price."""
        [(begin, quantity)] = series.points
        formula = _Pricer(book).formula(series, begin)
        if formula is None:
            return ModuleExplanation("hashmap", before, (), exact.round_price(before))
        groups = breakdown.groups(formula, quantity)
        return ModuleExplanation("hashmap", before, groups, formula.price(quantity, before))


class _Pricer:
    def __init__(self, book: RuleBook) -> None:
        members: dict[tuple[str, str | None], list[Rule]] = {}
        for rule in book.rules:
            members.setdefault((rule.target.metric, rule.terms.scope), []).append(rule)
        self._layers = {key: Layer(own) for key, own in members.items()}

    def __call__(self, series: Series, prices: Sequence[Decimal]) -> Sequence[Decimal]:
        """Return one price a point: what it costs, on top of ``prices``, to 28 places.

        :raises ValueError: there are not as many prices as points
        """
        layers = self._of(series)
        if not layers:
            return [exact.round_price(price) for price in prices]
        priced = []
        current = _formula(layers, series, series.points[0][0])
        for (begin, quantity), before in zip(series.points, prices, strict=True):
            if not current.since <= begin < current.until:
                current = _formula(layers, series, begin)
            priced.append(current.price(quantity, before))
        return priced

    def formula(self, series: Series, instant: datetime.datetime) -> Formula | None:
        """Return what prices ``series`` at an instant; None: there are no rules for it."""
        layers = self._of(series)
        return _formula(layers, series, instant) if layers else None

    def _of(self, series: Series) -> Sequence[Layer]:
        return [
            layer
            for key in ((series.metric, None), (series.metric, series.scope))
            if (layer := self._layers.get(key)) is not None
        ]


def _formula(layers: Sequence[Layer], series: Series, instant: datetime.datetime) -> Formula:
    """Return the formula for ``series`` context ``instant``, for as long as it holds."""
    table = layers[0].at(instant)
    for layer in layers[1:]:
        table = tables.overlay(table, layer.at(instant))
    since, until = table.since, table.until
    labels: Mapping[str, str | None] = {**series.metadata, **series.groupby}
    if table.calendar:
        midnight, next_midnight = calendar_labels.utc_day(instant)
        since, until = max(since, midnight), min(until, next_midnight)
        # In CloudKitty, too, a label cannot stand in for the calendar.
        labels = {**labels, **calendar_labels.read(instant)}
    return build(table, labels, since, until)

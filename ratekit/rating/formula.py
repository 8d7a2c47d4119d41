"""The price of usage as a function of its quantity, for one set of labels.

The arithmetic is CloudKitty's hashmap (``cloudkitty/rating/hash/__init__.py``) as
doc/arithmetic.rst states it, without rounding.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.rules.rule import CostType, MappingRule, ThresholdRule
from ratekit.domain.series import Shared
from ratekit.rating.tables import Group, Ladder, Node, Table

Labels = Mapping[str, str | None]

_ONE = Decimal(1)
#: Below every level: any threshold takes precedence over it.
_NO_LEVEL = Decimal(-1)

_add = exact.EXACT.add
_multiply = exact.EXACT.multiply


class GroupTerms:
    """The rules of one group that match a set of labels, whatever the quantity.

    :ivar flat: largest flat cost of the mappings, at least 0
    :ivar rate: product of the mappings' rates
    :ivar threshold: the threshold on a label that counts, unless one on the quantity has an
        equal or a higher level
    :ivar level: its level
    :ivar mappings: those that match
    :ivar replaced_mappings: general mappings that match but that the scope's own replace
    :ivar label_ladders: thresholds on labels of which at least one matches, and the label's
        number
    """

    __slots__ = (
        "flat",
        "label_ladders",
        "level",
        "mappings",
        "rate",
        "replaced_mappings",
        "threshold",
    )

    def __init__(self) -> None:
        self.flat = exact.ZERO
        self.rate = _ONE
        self.level = _NO_LEVEL
        self.threshold: ThresholdRule | None = None
        self.mappings: tuple[MappingRule, ...] = ()
        self.replaced_mappings: tuple[MappingRule, ...] = ()
        self.label_ladders: tuple[tuple[Ladder, Decimal], ...] = ()

    def add_mapping(self, mapping: MappingRule) -> None:
        """Add a mapping that matches."""
        self.mappings += (mapping,)
        terms = mapping.terms
        if terms.type is CostType.RATE:
            self.rate = _multiply(self.rate, terms.cost)
        elif terms.cost > self.flat:
            self.flat = terms.cost

    def unit_price(self, threshold: ThresholdRule | None) -> Decimal:
        """Return the price of one unit with a threshold on a label, or without a threshold."""
        if threshold is None:
            return _multiply(self.flat, self.rate)
        terms = threshold.terms
        if terms.type is CostType.FLAT:
            return _multiply(_add(self.flat, terms.cost), self.rate)
        return _multiply(_multiply(self.flat, self.rate), terms.cost)


#: By group; a group without matching rules has neutral terms.
_Terms = collections.defaultdict[Group, GroupTerms]


@dataclasses.dataclass(frozen=True, slots=True)
class GroupStep:
    """The price of one group that has thresholds on the quantity.

    :ivar group: its name
    :ivar ladders: the metric's thresholds, general ones before a scope's own
    :ivar level: of the threshold on a label, which counts unless the quantity matches a
        threshold of an equal or a higher level
    :ivar below: price of one unit while the threshold on a label counts
    :ivar above: price of one unit without a threshold
    """

    group: Group
    ladders: Sequence[Ladder]
    level: Decimal
    below: Decimal
    above: Decimal

    def find_threshold(self, whole: Decimal) -> ThresholdRule | None:
        """Return the threshold on the quantity that counts; None: one on a label, or none.

        :param whole: the unshared quantity
        """
        level, threshold = self.level, None
        for ladder in self.ladders:
            best = ladder.find_highest(whole)
            # Of equal levels, the quantity takes precedence over a label, and a scope's own
            # threshold over a general one.
            if best is not None and best.level >= level:
                level, threshold = best.level, best
        return threshold

    def price(self, quantity: Decimal, shared: Shared | None) -> Decimal:
        """Return the group's price, not rounded.

        A threshold sees what was used, not the share of it, and its flat cost is shared as the
        quantity is: a resource with several sets of labels in a period costs it once.
        """
        threshold = self.find_threshold(quantity if shared is None else shared.whole)
        if threshold is None:
            return _multiply(self.below, quantity)
        terms = threshold.terms
        price = _multiply(self.above, quantity)
        if terms.type is CostType.RATE:
            return _multiply(price, terms.cost)
        cost = terms.cost if shared is None else _multiply(terms.cost, shared.share)
        return _add(price, cost)


@dataclasses.dataclass(frozen=True, slots=True)
class Formula:
    """The price of usages that share their labels, in periods that start in ``[since, until)``.

    :ivar slope: price of one unit, of all groups without thresholds on the quantity together
    :ivar steps: the other groups
    :ivar terms: the rules behind both, by group
    """

    since: datetime.datetime
    until: datetime.datetime
    slope: Decimal
    steps: Sequence[GroupStep]
    terms: Mapping[Group, GroupTerms]

    def price(self, quantity: Decimal, before: Decimal, shared: Shared | None) -> Decimal:
        """Return ``before`` plus the price of ``quantity``, rounded once.

        :param shared: what ``quantity`` is a share of; None: it is not shared
        """
        price = _multiply(self.slope, quantity)
        for step in self.steps:
            price = _add(price, step.price(quantity, shared))
        return exact.round_price(_add(price, before))


def build(
    table: Table, labels: Labels, since: datetime.datetime, until: datetime.datetime
) -> Formula:
    """Return the formula for usages with ``labels``.

    :param labels: those of the calendar included
    :param since: start of the time range in which table and labels are valid
    :param until: its end
    """
    terms: _Terms = collections.defaultdict(GroupTerms)
    _add_mappings(terms, table.metric, None)
    for name, nodes in table.labels:
        if name not in labels:
            continue
        label = labels[name]
        _add_mappings(terms, nodes, label)
        layers = [node.ladders for node in nodes if node.ladders]
        if layers and label is not None and exact.NUMBER.match(label):
            _add_label_thresholds(terms, layers, Decimal(label))
    slope, steps = _split(terms, table.metric)
    return Formula(since, until, slope, steps, terms)


def _add_mappings(terms: _Terms, nodes: Sequence[Node], value: str | None) -> None:
    matches = [node.mappings[value] for node in nodes if value in node.mappings]
    if not matches:
        return
    mappings = matches[0]
    if len(matches) > 1:
        # A scope's own mapping replaces the general one of the same target, value and group.
        general, scope_specific = matches
        mappings = {**general, **scope_specific}
        for group in general.keys() & scope_specific.keys():
            terms[group].replaced_mappings += (general[group],)
    for group, mapping in mappings.items():
        terms[group].add_mapping(mapping)


def _add_label_thresholds(
    terms: _Terms, layers: Sequence[Mapping[Group, Ladder]], number: Decimal
) -> None:
    """Add the thresholds on one label; the highest level not above ``number`` counts."""
    highest: dict[Group, ThresholdRule] = {}
    for layer in layers:
        for group, ladder in layer.items():
            best = ladder.find_highest(number)
            if best is None:
                continue
            terms[group].label_ladders += ((ladder, number),)
            if group not in highest or best.level >= highest[group].level:
                highest[group] = best
    for group, threshold in highest.items():
        if threshold.level > terms[group].level:
            terms[group].level, terms[group].threshold = threshold.level, threshold


def _split(terms: _Terms, nodes: Sequence[Node]) -> tuple[Decimal, Sequence[GroupStep]]:
    """Return the unit price of the groups without thresholds on the quantity, and the others.

    :param nodes: of the metric itself
    """
    layers = [node.ladders for node in nodes if node.ladders]
    names = set().union(*layers) if layers else ()
    steps = []
    for group in names:
        group_terms = terms[group]
        ladders = [layer[group] for layer in layers if group in layer]
        below, above = group_terms.unit_price(group_terms.threshold), group_terms.unit_price(None)
        steps.append(GroupStep(group, ladders, group_terms.level, below, above))
    slope = exact.ZERO
    for group, group_terms in terms.items():
        if group not in names:
            slope = _add(slope, group_terms.unit_price(group_terms.threshold))
    return slope, steps

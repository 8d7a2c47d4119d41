"""What a usage costs as a function of its quantity, once its labels are known.

The arithmetic is CloudKitty's hashmap (``cloudkitty/rating/hash/__init__.py``) as the
design's section 6 states it, done exactly.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.rules import rule
from ratekit.domain.rules.rule import CostType, ThresholdRule
from ratekit.rating.tables import Group, Ladder, Node, Table

Labels = Mapping[str, str | None]

_ONE = Decimal(1)
#: Below every level: a threshold that beats it always counts.
_NO_LEVEL = Decimal(-1)

_add = exact.EXACT.add
_multiply = exact.EXACT.multiply


class Sum:
    """What matches in one group, whatever the quantity.

    :ivar flat: largest flat cost of mappings, at least 0
    :ivar rate: product of their rates
    :ivar threshold: the one on a field that holds unless the quantity reaches as high
    :ivar level: its level
    :ivar mappings: those that matched
    :ivar replaced: general mappings that matched, with the scope's own in their place
    :ivar reached: thresholds on fields, with the label's number that reached some of them
    """

    __slots__ = ("flat", "level", "mappings", "rate", "reached", "replaced", "threshold")

    def __init__(self) -> None:
        self.flat = exact.ZERO
        self.rate = _ONE
        self.level = _NO_LEVEL
        self.threshold: ThresholdRule | None = None
        self.mappings: tuple[rule.MappingRule, ...] = ()
        self.replaced: tuple[rule.MappingRule, ...] = ()
        self.reached: tuple[tuple[Ladder, Decimal], ...] = ()

    def map(self, mapping: rule.MappingRule) -> None:
        """Count a mapping in."""
        self.mappings += (mapping,)
        terms = mapping.terms
        if terms.type is CostType.RATE:
            self.rate = _multiply(self.rate, terms.cost)
        elif terms.cost > self.flat:
            self.flat = terms.cost

    def unit_price(self, threshold: ThresholdRule | None) -> Decimal:
        """Return the price of one unit with a threshold on a field, or without any."""
        if threshold is None:
            return _multiply(self.flat, self.rate)
        terms = threshold.terms
        if terms.type is CostType.FLAT:
            return _multiply(_add(self.flat, terms.cost), self.rate)
        return _multiply(_multiply(self.flat, self.rate), terms.cost)


class _Sums(dict[Group, Sum]):
    def __missing__(self, group: Group) -> Sum:
        self[group] = Sum()
        return self[group]


@dataclasses.dataclass(frozen=True, slots=True)
class GroupStep:
    """The price of one group that has thresholds on the quantity.

    :ivar group: its name
    :ivar ladders: the service's, general ones before a scope's own
    :ivar level: of the threshold on a field that holds unless the quantity reaches as high
    :ivar below: price of one unit while that threshold holds
    :ivar above: price of one unit without any threshold
    """

    group: Group
    ladders: Sequence[Ladder]
    level: Decimal
    below: Decimal
    above: Decimal

    def threshold(self, quantity: Decimal) -> ThresholdRule | None:
        """Return the threshold on the quantity that counts; None: another one, or none."""
        level, threshold = self.level, None
        for ladder in self.ladders:
            best = ladder.best(quantity)
            # Equal levels: the service's goes before a field's, a scope's before a general one.
            if best is not None and best.level >= level:
                level, threshold = best.level, best
        return threshold

    def price(self, quantity: Decimal) -> Decimal:
        """Return the group's exact price."""
        threshold = self.threshold(quantity)
        if threshold is None:
            return _multiply(self.below, quantity)
        terms = threshold.terms
        price = _multiply(self.above, quantity)
        if terms.type is CostType.FLAT:
            return _add(price, terms.cost)
        return _multiply(price, terms.cost)


@dataclasses.dataclass(frozen=True, slots=True)
class Formula:
    """Prices usages that share their labels, in the periods that begin in ``[since, until)``.

    :ivar slope: price of one unit, of all groups without thresholds on the quantity
    :ivar steps: the other groups
    :ivar sums: what both were made of, by group
    """

    since: datetime.datetime
    until: datetime.datetime
    slope: Decimal
    steps: Sequence[GroupStep]
    sums: Mapping[Group, Sum]

    def price(self, quantity: Decimal, before: Decimal) -> Decimal:
        """Return ``before`` plus what ``quantity`` costs, rounded once."""
        price = _multiply(self.slope, quantity)
        for step in self.steps:
            price = _add(price, step.price(quantity))
        return exact.round_price(_add(price, before))


def build(
    table: Table, labels: Labels, since: datetime.datetime, until: datetime.datetime
) -> Formula:
    """Return the formula for usages with ``labels``.

    :param labels: those of the calendar included
    :param since: begin of the time for which table and labels hold
    :param until: its end
    """
    sums = _Sums()
    _map(sums, table.service, None)
    for name, nodes in table.fields:
        label = labels.get(name)
        if label is None:
            continue
        _map(sums, nodes, label)
        ladders = [node.ladders for node in nodes if node.ladders]
        if ladders and exact.NUMBER.match(label):
            _climb(sums, ladders, Decimal(label))
    slope, steps = _split(sums, table.service)
    return Formula(since, until, slope, steps, sums)


def _map(sums: _Sums, nodes: Sequence[Node], value: str | None) -> None:
    found = [node.mappings[value] for node in nodes if value in node.mappings]
    if not found:
        return
    mappings = found[0]
    if len(found) > 1:
        # A scope's own mapping replaces the general one of the same target, value and group.
        general, own = found
        mappings = {**general, **own}
        for group in general.keys() & own.keys():
            sums[group].replaced += (general[group],)
    for group, mapping in mappings.items():
        sums[group].map(mapping)


def _climb(sums: _Sums, layers: Sequence[Mapping[Group, Ladder]], number: Decimal) -> None:
    """Note the highest level of a field's thresholds that ``number`` reaches."""
    found: dict[Group, ThresholdRule] = {}
    for layer in layers:
        for group, ladder in layer.items():
            best = ladder.best(number)
            if best is None:
                continue
            sums[group].reached += ((ladder, number),)
            if group not in found or best.level >= found[group].level:
                found[group] = best
    for group, threshold in found.items():
        if threshold.level > sums[group].level:
            sums[group].level, sums[group].threshold = threshold.level, threshold


def _split(sums: _Sums, services: Sequence[Node]) -> tuple[Decimal, Sequence[GroupStep]]:
    """Return the sum of the groups without thresholds on the quantity, and the others."""
    stepped = [node.ladders for node in services if node.ladders]
    names = set().union(*stepped) if stepped else ()
    steps = []
    for group in names:
        own = sums[group]
        ladders = [groups[group] for groups in stepped if group in groups]
        below, above = own.unit_price(own.threshold), own.unit_price(None)
        steps.append(GroupStep(group, ladders, own.level, below, above))
    slope = exact.ZERO
    for group, own in sums.items():
        if group not in names:
            slope = _add(slope, own.unit_price(own.threshold))
    return slope, steps

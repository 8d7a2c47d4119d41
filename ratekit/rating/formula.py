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
from ratekit.domain.rules import CostType, Terms
from ratekit.rating.tables import Group, Ladder, Node, Table

Labels = Mapping[str, str | None]

_ONE = Decimal(1)
#: Below every level: a threshold that beats it always counts.
_NO_LEVEL = Decimal(-1)

_add = exact.EXACT.add
_multiply = exact.EXACT.multiply


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """The price of one group that has thresholds on the quantity.

    :ivar ladders: the service's, general ones before a scope's own
    :ivar level: of the threshold on a field that holds unless the quantity reaches as high
    :ivar below: price of one unit while that threshold holds
    :ivar above: price of one unit without any threshold
    """

    ladders: Sequence[Ladder]
    level: Decimal
    below: Decimal
    above: Decimal

    def price(self, quantity: Decimal) -> Decimal:
        """Return the group's exact price."""
        level, threshold = self.level, None
        for ladder in self.ladders:
            best = ladder.best(quantity)
            # Equal levels: the service's goes before a field's, a scope's before a general one.
            if best is not None and best[0] >= level:
                level, threshold = best
        if threshold is None:
            return _multiply(self.below, quantity)
        price = _multiply(self.above, quantity)
        if threshold.type is CostType.FLAT:
            return _add(price, threshold.cost)
        return _multiply(price, threshold.cost)


@dataclasses.dataclass(frozen=True, slots=True)
class Formula:
    """Prices usages that share their labels, in the periods that begin in ``[since, until)``.

    :ivar slope: price of one unit, of all groups without thresholds on the quantity
    :ivar steps: the other groups
    """

    since: datetime.datetime
    until: datetime.datetime
    slope: Decimal
    steps: Sequence[Step]

    def price(self, quantity: Decimal, before: Decimal) -> Decimal:
        """Return ``before`` plus what ``quantity`` costs, rounded once."""
        price = _multiply(self.slope, quantity)
        for step in self.steps:
            price = _add(price, step.price(quantity))
        return exact.round_price(_add(price, before))


class _Sum:
    """Collects what matches in one group."""

    __slots__ = ("flat", "level", "rate", "threshold")

    def __init__(self) -> None:
        self.flat = exact.ZERO
        self.rate = _ONE
        self.level = _NO_LEVEL
        self.threshold: Terms | None = None

    def map(self, terms: Terms) -> None:
        if terms.type is CostType.RATE:
            self.rate = _multiply(self.rate, terms.cost)
        elif terms.cost > self.flat:
            self.flat = terms.cost

    def unit_price(self, threshold: Terms | None) -> Decimal:
        if threshold is None:
            return _multiply(self.flat, self.rate)
        if threshold.type is CostType.FLAT:
            return _multiply(_add(self.flat, threshold.cost), self.rate)
        return _multiply(_multiply(self.flat, self.rate), threshold.cost)


class _Sums(dict[Group, _Sum]):
    def __missing__(self, group: Group) -> _Sum:
        self[group] = _Sum()
        return self[group]


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
    return Formula(since, until, slope, steps)


def _map(sums: _Sums, nodes: Sequence[Node], value: str | None) -> None:
    found = [node.mappings[value] for node in nodes if value in node.mappings]
    if not found:
        return
    # A scope's own mapping replaces the general one of the same parent, value and group.
    mappings = found[0] if len(found) == 1 else {**found[0], **found[1]}
    for group, terms in mappings.items():
        sums[group].map(terms)


def _climb(sums: _Sums, layers: Sequence[Mapping[Group, Ladder]], number: Decimal) -> None:
    """Note the highest level of a field's thresholds that ``number`` reaches."""
    found: dict[Group, tuple[Decimal, Terms]] = {}
    for layer in layers:
        for group, ladder in layer.items():
            best = ladder.best(number)
            if best is not None and (group not in found or best[0] >= found[group][0]):
                found[group] = best
    for group, (level, threshold) in found.items():
        if level > sums[group].level:
            sums[group].level, sums[group].threshold = level, threshold


def _split(sums: _Sums, services: Sequence[Node]) -> tuple[Decimal, Sequence[Step]]:
    """Return the sum of the groups without thresholds on the quantity, and the others."""
    stepped = [node.ladders for node in services if node.ladders]
    steps = []
    for group in set().union(*stepped) if stepped else ():
        own = sums.pop(group, None) or _Sum()
        ladders = [groups[group] for groups in stepped if group in groups]
        steps.append(Step(ladders, own.level, own.unit_price(own.threshold), own.unit_price(None)))
    slope = exact.ZERO
    for own in sums.values():
        slope = _add(slope, own.unit_price(own.threshold))
    return slope, steps

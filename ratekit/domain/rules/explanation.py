"""How a price came about, for people who look at a few; rating itself records nothing."""

from __future__ import annotations

import dataclasses
import enum
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.rules.rule import Rule, ThresholdRule


class RuleVerdict(enum.Enum):
    """What became of a rule that matched, in words for people."""

    COUNTS = "counts"
    REPLACED = "replaced by the scope's own rule"
    NOTHING = "a flat cost of 0 or less adds nothing"
    NOT_LARGEST = "another flat cost is as large or larger"
    NOT_HIGHEST = "another threshold goes before"


@dataclasses.dataclass(frozen=True, slots=True)
class MatchedRule:
    """A rule that matched a usage, and whether it counted."""

    rule: Rule
    verdict: RuleVerdict


@dataclasses.dataclass(frozen=True, slots=True)
class GroupExplanation:
    """What the rules of one group charge.

    :ivar group: its name; None: rules without one
    :ivar matched: mappings, then thresholds
    :ivar flat: largest flat cost among the mappings that count, at least 0
    :ivar rate: product of the rates among the mappings that count, 1 without any
    :ivar threshold: the one that counts
    :ivar unit_price: of one unit, before a threshold on the quantity
    :ivar quantity: what was used
    :ivar price: what the group charges, exact
    """

    group: str | None
    matched: tuple[MatchedRule, ...]
    flat: Decimal
    rate: Decimal
    threshold: ThresholdRule | None
    unit_price: Decimal
    quantity: Decimal
    price: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleExplanation:
    """What one rating module makes of a usage.

    :ivar module: its name, for people
    :ivar before: what the modules before charged
    :ivar groups: what it adds, by the groups' names; None: it does not tell
    :ivar price: what is charged after it, to 28 places
    """

    module: str
    before: Decimal
    groups: tuple[GroupExplanation, ...] | None
    price: Decimal

    @property
    def exact(self) -> Decimal:
        """The price before it was rounded."""
        if self.groups is None:
            return self.price
        total = self.before
        for one in self.groups:
            total = exact.EXACT.add(total, one.price)
        return total


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """How all rating modules together come to a price.

    :ivar version: of the rule book
    :ivar modules: in the order in which they charge
    :ivar price: to 28 places, as it is stored
    """

    version: int
    modules: tuple[ModuleExplanation, ...]
    price: Decimal

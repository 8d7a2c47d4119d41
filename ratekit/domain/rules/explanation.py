"""How a price is computed, for people who look at a few of them; rating records nothing."""

from __future__ import annotations

import dataclasses
import enum
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.rules.rule import Rule, ThresholdRule


class RuleVerdict(enum.Enum):
    """How a matching rule enters the price, in words for people."""

    COUNTS = "counts"
    REPLACED = "replaced by the scope's own rule"
    NOTHING = "a flat cost of 0 or less adds nothing"
    NOT_LARGEST = "another flat cost is as large or larger"
    NOT_HIGHEST = "another threshold takes precedence"


@dataclasses.dataclass(frozen=True, slots=True)
class MatchedRule:
    """A rule that matches a usage, and whether it counts."""

    rule: Rule
    verdict: RuleVerdict


@dataclasses.dataclass(frozen=True, slots=True)
class GroupExplanation:
    """The price that the rules of one group charge.

    :ivar group: its name; None: the rules without a group
    :ivar matches: mappings, then thresholds
    :ivar flat: largest flat cost among the mappings that count, at least 0
    :ivar rate: product of the rates among the mappings that count, 1 if there are none
    :ivar threshold: the one that counts
    :ivar unit_price: of one unit, before a threshold on the quantity
    :ivar quantity: the usage's
    :ivar price: exact, not rounded
    :ivar share: of a flat cost of a threshold on the quantity that is charged; None: all of it
    """

    group: str | None
    matches: tuple[MatchedRule, ...]
    flat: Decimal
    rate: Decimal
    threshold: ThresholdRule | None
    unit_price: Decimal
    quantity: Decimal
    price: Decimal
    share: Decimal | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleExplanation:
    """The effect of one rating module on a usage's price.

    :ivar module: its name, for people
    :ivar before: price after the previous modules
    :ivar groups: the prices that it adds, by the groups' names; None: it explains nothing
    :ivar price: price after it, to 28 places
    """

    module: str
    before: Decimal
    groups: tuple[GroupExplanation, ...] | None
    price: Decimal

    @property
    def exact_price(self) -> Decimal:
        """Price after it, before rounding."""
        if self.groups is None:
            return self.price
        total = self.before
        for group in self.groups:
            total = exact.EXACT.add(total, group.price)
        return total


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """How all rating modules together compute a price.

    :ivar version: of the rule book
    :ivar modules: in the order in which they price
    :ivar price: to 28 places, as stored
    """

    version: int
    modules: tuple[ModuleExplanation, ...]
    price: Decimal

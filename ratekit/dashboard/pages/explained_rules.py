"""The rules of a calculation, as a page shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from decimal import Decimal

from ratekit.admin import price_breakdown
from ratekit.admin.price_words import PriceWords
from ratekit.domain.rules.explanation import Explanation, MatchedRule, RuleVerdict

_REASONS = {
    RuleVerdict.COUNTS: "",
    RuleVerdict.REPLACED: "your project has its own price",
    RuleVerdict.NOTHING: "a price of 0 or less adds nothing",
    RuleVerdict.NOT_LARGEST: "another price is as large or larger",
    RuleVerdict.NOT_HIGHEST: "one with a higher start takes its place",
}


@dataclasses.dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule that matches the usage.

    :ivar condition: which usage it is for
    :ivar price: what it charges
    :ivar special: it is for this project alone
    :ivar counts: it enters the price
    :ivar reason: why it does not; empty if it does
    """

    condition: str
    price: str
    special: bool
    counts: bool
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class GroupLines:
    """The rules of a group and their arithmetic.

    :ivar name: None: the rules without a group
    """

    name: str | None
    rules: Sequence[RuleLine]
    arithmetic: str
    price: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleLines:
    """What one rating module adds.

    :ivar groups: None: it explains nothing
    :ivar before: the price before it
    :ivar price: the price after it, rounded to 28 places
    :ivar exact_price: before rounding
    """

    name: str
    groups: Sequence[GroupLines] | None
    before: Decimal
    exact_price: Decimal
    price: Decimal


def list_modules(explanation: Explanation, words: PriceWords) -> Sequence[ModuleLines]:
    """Return the calculation of a price, by rating module."""
    documents = price_breakdown.modules(explanation)
    modules = []
    for module, document in zip(explanation.modules, documents, strict=True):
        groups = None
        if module.groups is not None:
            groups = [
                GroupLines(
                    group.group,
                    [_rule_line(match, words) for match in group.matches],
                    group_document["arithmetic"],
                    group.price,
                )
                for group, group_document in zip(module.groups, document["groups"], strict=True)
            ]
        modules.append(
            ModuleLines(module.module, groups, module.before, module.exact_price, module.price)
        )
    return modules


def export(modules: Sequence[ModuleLines]) -> Iterator[Sequence[object]]:
    """Yield a calculation as rows: step, group, usage, price, whether it counts, amount."""
    for module in modules:
        for group in module.groups or ():
            for rule in group.rules:
                counts = "yes" if rule.counts else f"no: {rule.reason}"
                yield "rule", group.name, rule.condition, rule.price, counts, None
            yield "sum", group.name, None, group.arithmetic, None, group.price
        yield "module", None, module.name, None, None, module.price


def _rule_line(match: MatchedRule, words: PriceWords) -> RuleLine:
    rule = match.rule
    counts = match.verdict is RuleVerdict.COUNTS
    return RuleLine(
        words.condition(rule),
        words.price(rule),
        rule.terms.scope is not None,
        counts,
        _REASONS[match.verdict],
    )

"""The calculation of a price in words: lines for people, objects for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit.admin.number_words import decimal_text
from ratekit.domain.exact import PRICE_PLACES
from ratekit.domain.rules.explanation import (
    Explanation,
    GroupExplanation,
    MatchedRule,
    ModuleExplanation,
    RuleVerdict,
)
from ratekit.domain.rules.rule import CostType, Rule, ThresholdRule
from ratekit.pricing import rule_change
from ratekit.text import utc_text


def modules(explanation: Explanation) -> Sequence[Mapping[str, Any]]:
    """Return the calculation of a price, an object for each rating module; amounts are Decimal."""
    return [_module(module) for module in explanation.modules]


def lines(explanation: Explanation) -> Iterator[str]:
    """Yield the lines of all rating modules; the name of a single one is omitted."""
    for module in explanation.modules:
        if len(explanation.modules) > 1:
            yield f"{module.module}, starting from {decimal_text(module.before)}:"
        yield from _module_lines(module)


def _module_lines(module: ModuleExplanation) -> Iterator[str]:
    if module.groups is None:
        yield f"the module gives no explanation; price {decimal_text(module.price)}"
        return
    if not module.groups:
        yield "no rule matches"
    for group in module.groups:
        yield "without group:" if group.group is None else f"group {group.group}:"
        for match in group.matches:
            yield f"  {_rule_line(match)}"
        yield f"  {_arithmetic(group)}"
    summands = [module.before] if module.before else []
    summands += [group.price for group in module.groups]
    if len(summands) > 1:
        yield f"sum: {' + '.join(map(decimal_text, summands))} = {decimal_text(module.exact_price)}"
    if module.exact_price != module.price:
        yield f"rounded to {PRICE_PLACES} places: {decimal_text(module.price)}"


def _rule_line(match: MatchedRule) -> str:
    """Return a rule as ``mapping 7: instance.flavor_name=m1.small flat 0.02 (counts)``."""
    rule = match.rule
    kind = "threshold" if isinstance(rule, ThresholdRule) else "mapping"
    return f"{kind} {rule.id}: {rule_change.describe(rule)} ({match.verdict.value})"


def _arithmetic(group: GroupExplanation) -> str:
    """Return a group's price as ``flat 0.02 * rate 1.1 * quantity 3 = 0.066``."""
    threshold, product, summand = group.threshold, [f"flat {decimal_text(group.flat)}"], ""
    product += [f"rate {decimal_text(rate)}" for rate in _mapping_rates(group)]
    if threshold is not None:
        cost = f"threshold {decimal_text(threshold.terms.cost)}"
        if threshold.terms.type is CostType.RATE:
            product.append(cost)
        elif threshold.target.label is None:
            summand = f" + {cost}"
            if group.share is not None:
                summand += f" * share {decimal_text(group.share)}"
        else:
            product[0] = f"({product[0]} + {cost})"
    product.append(f"quantity {decimal_text(group.quantity)}")
    return f"{' * '.join(product)}{summand} = {decimal_text(group.price)}"


def _mapping_rates(group: GroupExplanation) -> list[Decimal]:
    """Return the factors of the mappings that count, in the order of the rule lines."""
    return [
        match.rule.terms.cost
        for match in group.matches
        if match.verdict is RuleVerdict.COUNTS
        and match.rule.terms.type is CostType.RATE
        and not isinstance(match.rule, ThresholdRule)
    ]


def _module(module: ModuleExplanation) -> Mapping[str, Any]:
    groups = None
    if module.groups is not None:
        groups = [
            {
                "group": group.group,
                "rules": [_rule(match) for match in group.matches],
                "flat": group.flat,
                "rate": group.rate,
                "arithmetic": _arithmetic(group),
                "price": group.price,
            }
            for group in module.groups
        ]
    return {
        "module": module.module,
        "before": module.before,
        "groups": groups,
        "exact": module.exact_price,
        "price": module.price,
    }


def _rule(match: MatchedRule) -> Mapping[str, Any]:
    rule: Rule = match.rule
    terms = rule.terms
    criterion: Mapping[str, Any] = (
        {"kind": "threshold", "level": rule.level}
        if isinstance(rule, ThresholdRule)
        else {"kind": "mapping", "value": rule.value}
    )
    return {
        "id": rule.id,
        **criterion,
        "service": rule.target.metric,
        "field": rule.target.label,
        "type": terms.type.value,
        "cost": terms.cost,
        "group": terms.group,
        "scope": terms.scope,
        "start": None if terms.start is None else utc_text(terms.start),
        "end": None if terms.end is None else utc_text(terms.end),
        "counts": match.verdict is RuleVerdict.COUNTS,
        "verdict": match.verdict.value,
    }

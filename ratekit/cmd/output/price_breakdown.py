"""How commands show why a price is what it is: lines for people, objects for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ratekit.cmd.output import cells
from ratekit.domain.rules.explanation import (
    Explanation,
    GroupExplanation,
    MatchedRule,
    ModuleExplanation,
    RuleVerdict,
)
from ratekit.domain.rules.rule import CostType, Rule, ThresholdRule
from ratekit.pricing import rule_change


def cell(explanation: Explanation) -> cells.Cell:
    """Show all that led to a price; to machines a list of objects, one a rating module."""
    text = "\n".join(cells.printable(line) for line in _lines(explanation))
    return cells.Cell(0, text, [_module(one) for one in explanation.modules])


def labels(given: Mapping[str, str | None]) -> cells.Cell:
    """Show labels as ``name=value``; to machines as an object."""
    pairs = (f"{name}={value}" for name, value in given.items() if value is not None)
    return cells.Cell(0, cells.printable(", ".join(pairs)), dict(given))


def _lines(explanation: Explanation) -> Iterator[str]:
    """Yield what each rating module did; with one module, its name says nothing."""
    for one in explanation.modules:
        if len(explanation.modules) > 1:
            yield f"{one.module}, after {_text(one.before)}:"
        yield from _of_module(one)


def _of_module(told: ModuleExplanation) -> Iterator[str]:
    if told.groups is None:
        yield f"it does not tell how; price {_text(told.price)}"
        return
    if not told.groups:
        yield "no rule matches"
    for one in told.groups:
        yield "without group:" if one.group is None else f"group {one.group}:"
        for matched in one.matched:
            yield f"  {_rule(matched)}"
        yield f"  {_arithmetic(one)}"
    parts = [told.before] if told.before else []
    parts += [one.price for one in told.groups]
    if len(parts) > 1:
        yield f"sum: {' + '.join(map(_text, parts))} = {_text(told.exact)}"
    if told.exact != told.price:
        yield f"rounded to 28 places: {_text(told.price)}"


def _rule(matched: MatchedRule) -> str:
    """Return a rule as ``mapping 7: instance.flavor_name=m1.small flat 0.02 (counts)``."""
    rule = matched.rule
    kind = "threshold" if isinstance(rule, ThresholdRule) else "mapping"
    return f"{kind} {rule.id}: {rule_change.describe(rule)} ({matched.verdict.value})"


def _arithmetic(told: GroupExplanation) -> str:
    """Return a group's price as ``flat 0.02 * rate 1.1 * quantity 3 = 0.066``."""
    threshold, product, added = told.threshold, [f"flat {_text(told.flat)}"], ""
    product += [f"rate {_text(rate)}" for rate in _rates(told)]
    if threshold is not None:
        cost = f"threshold {_text(threshold.terms.cost)}"
        if threshold.terms.type is CostType.RATE:
            product.append(cost)
        elif threshold.target.label is None:
            added = f" + {cost}"
        else:
            product[0] = f"({product[0]} + {cost})"
    product.append(f"quantity {_text(told.quantity)}")
    return f"{' * '.join(product)}{added} = {_text(told.price)}"


def _rates(told: GroupExplanation) -> list[Decimal]:
    """Return the factors that mappings have, in the order in which they are listed."""
    return [
        one.rule.terms.cost
        for one in told.matched
        if one.verdict is RuleVerdict.COUNTS
        and one.rule.terms.type is CostType.RATE
        and not isinstance(one.rule, ThresholdRule)
    ]


def _module(told: ModuleExplanation) -> Mapping[str, Any]:
    groups = None
    if told.groups is not None:
        groups = [
            {
                "group": one.group,
                "rules": [_matched(matched) for matched in one.matched],
                "flat": _text(one.flat),
                "rate": _text(one.rate),
                "arithmetic": _arithmetic(one),
                "price": _text(one.price),
            }
            for one in told.groups
        ]
    return {
        "module": told.module,
        "before": _text(told.before),
        "groups": groups,
        "exact": _text(told.exact),
        "price": _text(told.price),
    }


def _matched(matched: MatchedRule) -> Mapping[str, Any]:
    rule: Rule = matched.rule
    terms = rule.terms
    mark: Mapping[str, str | None] = (
        {"kind": "threshold", "level": _text(rule.level)}
        if isinstance(rule, ThresholdRule)
        else {"kind": "mapping", "value": rule.value}
    )
    return {
        "id": rule.id,
        **mark,
        "service": rule.target.metric,
        "field": rule.target.label,
        "type": terms.type.value,
        "cost": _text(terms.cost),
        "group": terms.group,
        "scope": terms.scope,
        "start": None if terms.start is None else cells.instant_text(terms.start),
        "end": None if terms.end is None else cells.instant_text(terms.end),
        "counts": matched.verdict is RuleVerdict.COUNTS,
        "verdict": matched.verdict.value,
    }


def _text(number: Decimal) -> str:
    return cells.decimal_text(number)

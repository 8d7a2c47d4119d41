"""Why a formula gives the price it gives: the rules that matched, and what became of each.

Read off the formula that prices, so what is told cannot differ from what is charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.rules.explanation import GroupExplanation, MatchedRule, RuleVerdict
from ratekit.domain.rules.rule import CostType, ThresholdRule
from ratekit.rating.formula import Formula, GroupStep, Sum


def groups(formula: Formula, quantity: Decimal) -> tuple[GroupExplanation, ...]:
    """Return what each group in which a rule matched charges, by the groups' names."""
    steps = {step.group: step for step in formula.steps}
    ordered = sorted(formula.sums, key=lambda group: (group is not None, group or ""))
    told = (_group(group, formula.sums[group], steps.get(group), quantity) for group in ordered)
    return tuple(one for one in told if one.matched)


def _group(
    group: str | None, own: Sum, step: GroupStep | None, quantity: Decimal
) -> GroupExplanation:
    decisive = step.threshold(quantity) if step is not None else None
    counted = own.threshold if decisive is None else decisive
    unit_price = own.unit_price(own.threshold if decisive is None else None)
    reached = list(_reached(own, step, quantity))
    return GroupExplanation(
        group=group,
        matched=(*_mappings(own), *_thresholds(reached, counted)),
        flat=own.flat,
        rate=own.rate,
        threshold=counted,
        unit_price=unit_price,
        quantity=quantity,
        price=exact.EXACT.multiply(unit_price, quantity) if step is None else step.price(quantity),
    )


def _mappings(own: Sum) -> Iterator[MatchedRule]:
    largest = None
    for mapping in own.mappings:
        verdict = RuleVerdict.COUNTS
        if mapping.terms.type is CostType.FLAT:
            if mapping.terms.cost <= 0:
                verdict = RuleVerdict.NOTHING
            elif mapping.terms.cost < own.flat or largest is not None:
                verdict = RuleVerdict.NOT_LARGEST
            else:
                largest = mapping
        yield MatchedRule(mapping, verdict)
    for mapping in own.replaced:
        yield MatchedRule(mapping, RuleVerdict.REPLACED)


def _reached(own: Sum, step: GroupStep | None, quantity: Decimal) -> Iterator[ThresholdRule]:
    for ladder in step.ladders if step is not None else ():
        yield from ladder.reached(quantity)
    for ladder, number in own.reached:
        yield from ladder.reached(number)


def _thresholds(
    reached: Sequence[ThresholdRule], counted: ThresholdRule | None
) -> Iterator[MatchedRule]:
    replaced = set(_replaced(reached))
    for threshold in reached:
        verdict = RuleVerdict.NOT_HIGHEST
        if threshold is counted:
            verdict = RuleVerdict.COUNTS
        elif threshold in replaced:
            verdict = RuleVerdict.REPLACED
        yield MatchedRule(threshold, verdict)


def _replaced(reached: Iterable[ThresholdRule]) -> Iterator[ThresholdRule]:
    """Yield general thresholds at whose level the scope has its own."""
    members = list(reached)
    own = {(one.target, one.level) for one in members if one.terms.scope is not None}
    for one in members:
        if one.terms.scope is None and (one.target, one.level) in own:
            yield one

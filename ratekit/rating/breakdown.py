"""The rules that match a usage and how each enters its price.

Everything is read from the formula that prices, so an explanation cannot differ from the bill.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.rules.explanation import GroupExplanation, MatchedRule, RuleVerdict
from ratekit.domain.rules.rule import CostType, ThresholdRule
from ratekit.domain.series import Shared
from ratekit.rating.formula import Formula, GroupStep, GroupTerms


def explain(
    formula: Formula, quantity: Decimal, shared: Shared | None
) -> tuple[GroupExplanation, ...]:
    """Return an explanation of each group in which a rule matches, by the groups' names."""
    steps = {step.group: step for step in formula.steps}
    ordered = sorted(formula.terms, key=lambda group: (group is not None, group or ""))
    groups = (
        _explain_group(group, formula.terms[group], steps.get(group), quantity, shared)
        for group in ordered
    )
    return tuple(group for group in groups if group.matches)


def _explain_group(
    group: str | None,
    terms: GroupTerms,
    step: GroupStep | None,
    quantity: Decimal,
    shared: Shared | None,
) -> GroupExplanation:
    whole = quantity if shared is None else shared.whole
    on_quantity = step.find_threshold(whole) if step is not None else None
    threshold = terms.threshold if on_quantity is None else on_quantity
    unit_price = terms.unit_price(terms.threshold if on_quantity is None else None)
    price = exact.EXACT.multiply(unit_price, quantity)
    if step is not None:
        price = step.price(quantity, shared)
    candidates = list(_matching_thresholds(terms, step, whole))
    return GroupExplanation(
        group=group,
        matches=(*_judge_mappings(terms), *_judge_thresholds(candidates, threshold)),
        flat=terms.flat,
        rate=terms.rate,
        threshold=threshold,
        unit_price=unit_price,
        quantity=quantity,
        price=price,
        share=None if shared is None else shared.share,
    )


def _judge_mappings(terms: GroupTerms) -> Iterator[MatchedRule]:
    largest = None
    for mapping in terms.mappings:
        verdict = RuleVerdict.COUNTS
        if mapping.terms.type is CostType.FLAT:
            if mapping.terms.cost <= 0:
                verdict = RuleVerdict.NOTHING
            elif mapping.terms.cost < terms.flat or largest is not None:
                verdict = RuleVerdict.NOT_LARGEST
            else:
                largest = mapping
        yield MatchedRule(mapping, verdict)
    for mapping in terms.replaced_mappings:
        yield MatchedRule(mapping, RuleVerdict.REPLACED)


def _matching_thresholds(
    terms: GroupTerms, step: GroupStep | None, whole: Decimal
) -> Iterator[ThresholdRule]:
    for ladder in step.ladders if step is not None else ():
        yield from ladder.find_all(whole)
    for ladder, number in terms.label_ladders:
        yield from ladder.find_all(number)


def _judge_thresholds(
    candidates: Sequence[ThresholdRule], decisive: ThresholdRule | None
) -> Iterator[MatchedRule]:
    replaced_rules = set(_find_replaced(candidates))
    for threshold in candidates:
        verdict = RuleVerdict.NOT_HIGHEST
        if threshold is decisive:
            verdict = RuleVerdict.COUNTS
        elif threshold in replaced_rules:
            verdict = RuleVerdict.REPLACED
        yield MatchedRule(threshold, verdict)


def _find_replaced(thresholds: Iterable[ThresholdRule]) -> Iterator[ThresholdRule]:
    """Yield general thresholds at whose level the scope has a threshold of its own."""
    members = list(thresholds)
    scope_levels = {
        (member.target, member.level) for member in members if member.terms.scope is not None
    }
    for member in members:
        if member.terms.scope is None and (member.target, member.level) in scope_levels:
            yield member

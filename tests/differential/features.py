"""The parts of the arithmetic that a usage tests; for counting, not for comparing prices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from ratekit.domain.rules import calendar_labels
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, ThresholdRule
from ratekit.domain.series import Series
from tests.differential.differences import adapt
from tests.differential.random_cases import CALENDAR, identity

#: Features that must occur among the cases, so that the comparison has a meaning.
EXPECTED = frozenset(
    {
        "a cost of more than 28 digits",
        "a flat cost with a rate",
        "a flat threshold on a field",
        "a flat threshold on the quantity",
        "a mapping matches",
        "a negative flat cost is the largest of its group",
        "a null label, a label that is not a number, or a name that CloudKitty cannot store",
        "a rate threshold on a field",
        "a rate threshold on the quantity",
        "a rule of the calendar matches",
        "a rule that is not in force would match",
        "a scope's own mapping replaces a general one",
        "a scope's own rule adds to general ones",
        "a scope's own threshold replaces a general one",
        "a threshold at exactly its level",
        "a threshold on a field takes precedence over one on the quantity",
        "a threshold on the quantity takes precedence over one on a field",
        "equal levels of quantity and field",
        "equal levels of two fields",
        "lower thresholds of the same target do not count",
        "several flat costs in a group",
        "several groups",
        "several rates in a group",
    }
)


def find_features(
    rules: Sequence[Rule], series: Series, point: tuple[datetime, Decimal]
) -> set[str]:
    """Return the features of EXPECTED that one usage has."""
    begin, quantity = point
    adapted = adapt(rules, series)
    features = set()
    if adapted.reasons:
        features.add(
            "a null label, a label that is not a number, or a name that CloudKitty cannot store"
        )
    labels = {**adapted.series.metadata, **adapted.series.groupby, **calendar_labels.read(begin)}
    matching = [
        rule
        for rule in adapted.rules
        if rule.target.metric == series.metric
        and rule.terms.scope in (None, series.scope)
        and _matches(rule, labels, quantity)
    ]
    current = [rule for rule in matching if rule.terms.in_force(begin)]
    if len(current) < len(matching):
        features.add("a rule that is not in force would match")
    scope_rules = {identity(rule)[:3] for rule in current if rule.terms.scope is not None}
    replaced_rules = [
        rule for rule in current if rule.terms.scope is None and identity(rule)[:3] in scope_rules
    ]
    for rule in replaced_rules:
        kind = "threshold" if isinstance(rule, ThresholdRule) else "mapping"
        features.add(f"a scope's own {kind} replaces a general one")
    current = [rule for rule in current if rule not in replaced_rules]
    features.update(_rule_features(current, labels, quantity))
    groups = defaultdict(list)
    for rule in current:
        groups[rule.terms.group].append(rule)
    if len(groups) > 1:
        features.add("several groups")
    for members in groups.values():
        features.update(
            _mapping_features([rule for rule in members if isinstance(rule, MappingRule)])
        )
        features.update(
            _threshold_features([rule for rule in members if isinstance(rule, ThresholdRule)])
        )
    return features


def _matches(rule: Rule, labels: dict[str, str | None], quantity: Decimal) -> bool:
    if isinstance(rule, MappingRule):
        return rule.target.label is None or labels.get(rule.target.label) == rule.value
    return rule.level <= _number(rule, labels, quantity)


def _number(rule: ThresholdRule, labels: dict[str, str | None], quantity: Decimal) -> Decimal:
    if rule.target.label is None:
        return quantity
    # Below every level: adapt() has removed the thresholds on labels that are not numbers.
    return Decimal(labels.get(rule.target.label) or -1)


def _rule_features(
    rules: Iterable[Rule], labels: dict[str, str | None], quantity: Decimal
) -> Iterator[str]:
    scopes = {rule.terms.scope is None for rule in rules}
    if len(scopes) == 2:
        yield "a scope's own rule adds to general ones"
    for rule in rules:
        if len(rule.terms.cost.as_tuple().digits) > 28:
            yield "a cost of more than 28 digits"
        if rule.target.label in CALENDAR:
            yield "a rule of the calendar matches"
        if isinstance(rule, MappingRule):
            yield "a mapping matches"
        elif rule.level == _number(rule, labels, quantity):
            yield "a threshold at exactly its level"


def _mapping_features(mappings: Iterable[MappingRule]) -> Iterator[str]:
    flats = [rule.terms.cost for rule in mappings if rule.terms.type is CostType.FLAT]
    rates = [rule.terms.cost for rule in mappings if rule.terms.type is CostType.RATE]
    if len(flats) > 1:
        yield "several flat costs in a group"
    if flats and max(flats) < 0:
        yield "a negative flat cost is the largest of its group"
    if len(rates) > 1:
        yield "several rates in a group"
    if flats and rates:
        yield "a flat cost with a rate"


def _threshold_features(thresholds: Sequence[ThresholdRule]) -> Iterator[str]:
    if not thresholds:
        return
    highest = max(rule.level for rule in thresholds)
    top = sorted((rule for rule in thresholds if rule.level == highest), key=_label)
    first, lower = top[0], [rule for rule in thresholds if rule.level < highest]
    place = "a field" if _label(first) else "the quantity"
    yield f"a {first.terms.type.value} threshold on {place}"
    if len(top) > 1 and _label(first):
        yield "equal levels of two fields"
    elif len(top) > 1:
        yield "equal levels of quantity and field"
    for rule in lower:
        if rule.target == first.target:
            yield "lower thresholds of the same target do not count"
        elif not _label(rule):
            yield "a threshold on a field takes precedence over one on the quantity"
        elif not _label(first):
            yield "a threshold on the quantity takes precedence over one on a field"


def _label(rule: Rule) -> str:
    return rule.target.label or ""

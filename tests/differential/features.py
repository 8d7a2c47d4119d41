"""Which parts of the arithmetic a usage puts to the test; for counting, not for judging."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from ratekit.domain.rules import calendar_labels
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, ThresholdRule
from ratekit.domain.series import Series
from tests.differential.drawing import CALENDAR, same
from tests.differential.intended import question

#: What must be among the cases for the comparison to mean something.
EXPECTED = frozenset(
    {
        "a cost of more than 28 digits",
        "a flat cost with a rate",
        "a flat threshold on a field",
        "a flat threshold on the quantity",
        "a mapping matches",
        "a negative flat cost is the largest of its group",
        "a null label or one that is no number, or a name that CloudKitty cannot hold",
        "a rate threshold on a field",
        "a rate threshold on the quantity",
        "a rule of the calendar matches",
        "a rule that is not in force would match",
        "a scope's own mapping replaces a general one",
        "a scope's own rule adds to general ones",
        "a scope's own threshold replaces a general one",
        "a threshold at exactly its level",
        "a threshold on a field beats one on the quantity",
        "a threshold on the quantity beats one on a field",
        "equal levels of quantity and field",
        "equal levels of two fields",
        "lower thresholds of the same target do not count",
        "several flat costs in a group",
        "several groups",
        "several rates in a group",
    }
)


def features(rules: Sequence[Rule], series: Series, point: tuple[datetime, Decimal]) -> set[str]:
    """Return which of EXPECTED one usage has."""
    begin, quantity = point
    asked = question(rules, series)
    found = set()
    if asked.reasons:
        found.add("a null label or one that is no number, or a name that CloudKitty cannot hold")
    labels = {**asked.series.metadata, **asked.series.groupby, **calendar_labels.read(begin)}
    matching = [
        rule
        for rule in asked.rules
        if rule.target.metric == series.metric
        and rule.terms.scope in (None, series.scope)
        and _matches(rule, labels, quantity)
    ]
    current = [rule for rule in matching if rule.terms.in_force(begin)]
    if len(current) < len(matching):
        found.add("a rule that is not in force would match")
    own = {same(rule)[:3] for rule in current if rule.terms.scope is not None}
    replaced = [rule for rule in current if rule.terms.scope is None and same(rule)[:3] in own]
    for rule in replaced:
        kind = "threshold" if isinstance(rule, ThresholdRule) else "mapping"
        found.add(f"a scope's own {kind} replaces a general one")
    current = [rule for rule in current if rule not in replaced]
    found.update(_of_rules(current, labels, quantity))
    groups = defaultdict(list)
    for rule in current:
        groups[rule.terms.group].append(rule)
    if len(groups) > 1:
        found.add("several groups")
    for members in groups.values():
        found.update(_of_mappings([one for one in members if isinstance(one, MappingRule)]))
        found.update(_of_thresholds([one for one in members if isinstance(one, ThresholdRule)]))
    return found


def _matches(rule: Rule, labels: dict[str, str | None], quantity: Decimal) -> bool:
    if isinstance(rule, MappingRule):
        return rule.target.label is None or labels.get(rule.target.label) == rule.value
    return rule.level <= _compared(rule, labels, quantity)


def _compared(rule: ThresholdRule, labels: dict[str, str | None], quantity: Decimal) -> Decimal:
    if rule.target.label is None:
        return quantity
    # Below every level: labels that are no numbers have lost their thresholds before.
    return Decimal(labels.get(rule.target.label) or -1)


def _of_rules(
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
        elif rule.level == _compared(rule, labels, quantity):
            yield "a threshold at exactly its level"


def _of_mappings(mappings: Iterable[MappingRule]) -> Iterator[str]:
    flats = [one.terms.cost for one in mappings if one.terms.type is CostType.FLAT]
    rates = [one.terms.cost for one in mappings if one.terms.type is CostType.RATE]
    if len(flats) > 1:
        yield "several flat costs in a group"
    if flats and max(flats) < 0:
        yield "a negative flat cost is the largest of its group"
    if len(rates) > 1:
        yield "several rates in a group"
    if flats and rates:
        yield "a flat cost with a rate"


def _of_thresholds(thresholds: Sequence[ThresholdRule]) -> Iterator[str]:
    if not thresholds:
        return
    highest = max(one.level for one in thresholds)
    top = sorted((one for one in thresholds if one.level == highest), key=_field)
    first, lower = top[0], [one for one in thresholds if one.level < highest]
    what = "a field" if _field(first) else "the quantity"
    yield f"a {first.terms.type.value} threshold on {what}"
    if len(top) > 1 and _field(first):
        yield "equal levels of two fields"
    elif len(top) > 1:
        yield "equal levels of quantity and field"
    for one in lower:
        if one.target == first.target:
            yield "lower thresholds of the same target do not count"
        elif not _field(one):
            yield "a threshold on a field beats one on the quantity"
        elif not _field(first):
            yield "a threshold on the quantity beats one on a field"


def _field(rule: Rule) -> str:
    return rule.target.label or ""

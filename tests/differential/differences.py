"""Deliberate differences from CloudKitty, as changes of the input that CloudKitty prices.

CloudKitty raises an exception for some rules and usages, in every cycle, or prices them in a way
that no operator intends. The price by ratekit is then the one by CloudKitty for adapted input.
All other input is priced without changes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from ratekit.domain.rules.rule import MappingRule, Rule, ThresholdRule
from ratekit.domain.series import Series
from tests.differential.random_cases import CALENDAR

NULL = "a null label is a missing label"
NO_NUMBER = "a label that is not a plain decimal number matches no threshold"
EMPTY = "an empty label matches an empty value"
DEFAULT = "rules without a group are not in a group named _DEFAULT_"

_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
#: Replacements that occur nowhere else.
_EMPTY_TEXT, _DEFAULT_GROUP = "(empty)", "(named _DEFAULT_)"


@dataclasses.dataclass(frozen=True, slots=True)
class CloudkittyInput:
    """The input for CloudKitty.

    :ivar reasons: the differences for which it was adapted; empty: it was not
    """

    rules: Sequence[Rule]
    series: Series
    reasons: frozenset[str]


def adapt(rules: Sequence[Rule], series: Series) -> CloudkittyInput:
    """Return the input for which CloudKitty's prices are the correct ones for ``series``."""
    labels = {**series.metadata, **series.groupby}
    names = {rule.target.label for rule in rules if rule.target.metric == series.metric}
    names -= CALENDAR.keys()
    nulls = {name for name, text in labels.items() if text is None}
    reasons = {NULL} if nulls & names else set()
    adapted_rules: list[Rule] = []
    for rule in rules:
        if rule.target.metric != series.metric:
            continue
        name = rule.target.label
        text = labels.get(name) if name is not None and name in names else None
        if isinstance(rule, ThresholdRule) and text is not None and not _PLAIN.fullmatch(text):
            reasons.add(NO_NUMBER)
            continue
        if rule.terms.group == "_DEFAULT_":
            reasons.add(DEFAULT)
        if not isinstance(rule, ThresholdRule) and rule.value == "":
            reasons.add(EMPTY)
        adapted_rules.append(_adapt_rule(rule))
    if not reasons:
        return CloudkittyInput(rules, series, frozenset())
    adapted_series = dataclasses.replace(
        series,
        groupby=_adapt_labels(series.groupby, nulls),
        metadata=_adapt_labels(series.metadata, nulls),
    )
    return CloudkittyInput(adapted_rules, adapted_series, frozenset(reasons))


def _adapt_rule(rule: Rule) -> Rule:
    if rule.terms.group == "_DEFAULT_":
        rule = dataclasses.replace(
            rule, terms=dataclasses.replace(rule.terms, group=_DEFAULT_GROUP)
        )
    if isinstance(rule, MappingRule) and rule.value == "":
        rule = dataclasses.replace(rule, value=_EMPTY_TEXT)
    return rule


def _adapt_labels(labels: Mapping[str, str | None], nulls: Iterable[str]) -> dict[str, str | None]:
    return {name: text or _EMPTY_TEXT for name, text in labels.items() if name not in nulls}

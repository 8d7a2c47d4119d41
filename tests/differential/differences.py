"""Deliberate differences from CloudKitty, as changes of the input that CloudKitty prices.

CloudKitty raises an exception for some rules and usages, in every cycle, or prices them in a way
that no operator intends. The price by ratekit is then the one by CloudKitty for adapted input.
All other input is priced without changes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from ratekit.domain.rules.rule import MappingRule, Rule, ThresholdRule
from ratekit.domain.series import Series
from tests.differential.random_cases import CALENDAR

NULL = "a null label matches no threshold"
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
    reasons: set[str] = set()
    adapted_rules: list[Rule] = []
    for rule in rules:
        if rule.target.metric != series.metric:
            continue
        name = rule.target.label
        if isinstance(rule, ThresholdRule) and name in names and name in labels:
            text = labels[name]
            if text is None or not _PLAIN.fullmatch(text):
                reasons.add(NULL if text is None else NO_NUMBER)
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
        groupby=_adapt_labels(series.groupby),
        metadata=_adapt_labels(series.metadata),
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


def _adapt_labels(labels: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: _EMPTY_TEXT if text == "" else text for name, text in labels.items()}

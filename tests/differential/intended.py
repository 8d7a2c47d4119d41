"""Where ratekit means to differ from CloudKitty, said as another question to CloudKitty.

CloudKitty raises on some rules and usages, and every cycle anew, or prices them in a way that
nobody means. What ratekit answers instead is what CloudKitty answers when it is asked about
the same without the stumbling block. Whatever has none is asked about as it is.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from ratekit.domain.rules import rule as rules
from ratekit.domain.rules.rule import Rule, ThresholdRule
from ratekit.domain.series import Series
from tests.differential.drawing import CALENDAR

NULL = "a null label is an absent one"
NO_NUMBER = "a label that is no plain decimal number reaches no threshold"
EMPTY = "an empty label matches an empty value"
DEFAULT = "rules without a group are apart from a group called _DEFAULT_"

_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
#: Texts that nothing else is called.
_AS_EMPTY, _AS_DEFAULT = "(empty)", "(called _DEFAULT_)"


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What CloudKitty is asked.

    :ivar reasons: why not about the rules and the series as they are
    """

    rules: Sequence[Rule]
    series: Series
    reasons: frozenset[str]


def question(drawn: Sequence[Rule], series: Series) -> Question:
    """Return what to ask CloudKitty so that its answer is the right one for ``series``."""
    labels = {**series.metadata, **series.groupby}
    looked_at = {rule.target.label for rule in drawn if rule.target.metric == series.metric}
    looked_at -= CALENDAR.keys()
    nulls = {name for name, label in labels.items() if label is None}
    reasons = {NULL} if nulls & looked_at else set()
    kept: list[Rule] = []
    for rule in drawn:
        if rule.target.metric != series.metric:
            continue
        field = rule.target.label
        label = labels.get(field) if field is not None and field in looked_at else None
        if isinstance(rule, ThresholdRule) and label is not None and not _PLAIN.fullmatch(label):
            reasons.add(NO_NUMBER)
            continue
        if rule.terms.group == "_DEFAULT_":
            reasons.add(DEFAULT)
        if not isinstance(rule, ThresholdRule) and rule.value == "":
            reasons.add(EMPTY)
        kept.append(_renamed(rule))
    if not reasons:
        return Question(drawn, series, frozenset())
    stand_in = dataclasses.replace(
        series,
        groupby=_filled(series.groupby, nulls),
        metadata=_filled(series.metadata, nulls),
    )
    return Question(kept, stand_in, frozenset(reasons))


def _renamed(rule: Rule) -> Rule:
    if rule.terms.group == "_DEFAULT_":
        rule = dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, group=_AS_DEFAULT))
    if isinstance(rule, rules.MappingRule) and rule.value == "":
        rule = dataclasses.replace(rule, value=_AS_EMPTY)
    return rule


def _filled(labels: Mapping[str, str | None], nulls: Iterable[str]) -> dict[str, str | None]:
    return {name: label or _AS_EMPTY for name, label in labels.items() if name not in nulls}

"""Changes of price rules as lines, like a diff."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator

from ratekit.admin import hashmap
from ratekit.domain import period
from ratekit.domain.rules.rule import Rule
from ratekit.pricing import rule_change
from ratekit.text import utc_text


def difference(
    close: Iterable[tuple[Rule, datetime.datetime]], add: Iterable[Rule]
) -> Iterator[tuple[str, str]]:
    """Yield ``-`` or ``+`` and a text for each rule; a replacement follows the rule it replaces."""
    lines: dict[rule_change.Identity, list[tuple[str, str]]] = {}
    for rule, end in close:
        lines.setdefault(rule_change.identity(rule), []).append(("-", _closure_text(rule, end)))
    for rule in add:
        lines.setdefault(rule_change.identity(rule), []).append(("+", rule_text(rule)))
    for entries in lines.values():
        yield from entries


def rule_text(rule: Rule) -> str:
    """Return a stored rule in one line."""
    return rule_change.describe(hashmap.without_start(rule))


def start_text(instant: datetime.datetime | None) -> str:
    """Return the time from which prices change."""
    if instant is None or instant <= period.EPOCH:
        return "the beginning"
    return utc_text(instant)


def _closure_text(rule: Rule, end: datetime.datetime) -> str:
    if end <= (rule.terms.start or period.EPOCH):
        return f"{rule_text(rule)} (withdrawn before its start)"
    terms = dataclasses.replace(rule.terms, end=end)
    return rule_text(dataclasses.replace(rule, terms=terms))

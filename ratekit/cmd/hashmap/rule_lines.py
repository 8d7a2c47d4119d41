"""Changes of price rules as lines: what a diff shows."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Iterator

from ratekit.admin import hashmap
from ratekit.cmd.output import cells
from ratekit.domain import period
from ratekit.domain.rules.rule import Rule
from ratekit.pricing import rule_change


def difference(
    close: Iterable[tuple[Rule, datetime.datetime]], add: Iterable[Rule]
) -> Iterator[tuple[str, str]]:
    """Yield ``-`` or ``+`` and a text for each rule; what replaces one follows it."""
    lines: dict[rule_change.Identity, list[tuple[str, str]]] = {}
    for rule, end in close:
        lines.setdefault(rule_change.identity(rule), []).append(("-", _closed(rule, end)))
    for rule in add:
        lines.setdefault(rule_change.identity(rule), []).append(("+", described(rule)))
    for own in lines.values():
        yield from own


def described(rule: Rule) -> str:
    """Return a stored rule in one line."""
    return rule_change.describe(hashmap.open_left(rule))


def count(members: Collection[object]) -> str:
    """Return ``1 rule`` or ``2 rules``."""
    return f"{len(members):,} rule{'' if len(members) == 1 else 's'}"


def since(instant: datetime.datetime | None) -> str:
    """Return from when on prices change."""
    if instant is None or instant <= period.EPOCH:
        return "the beginning"
    return cells.instant_text(instant)


def _closed(rule: Rule, end: datetime.datetime) -> str:
    if end <= (rule.terms.start or period.EPOCH):
        return f"{described(rule)} (taken back)"
    terms = dataclasses.replace(rule.terms, end=end)
    return described(dataclasses.replace(rule, terms=terms))

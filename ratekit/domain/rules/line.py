"""Lines of rules: which new rule continues which stored one.

A line is what operators see as one rule with one id, although its price changes. At most one rule
of a line is in force at the start of the next period or later: a rule that is scheduled for later
is a line of its own.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable

from ratekit.domain.period import BEGINNING
from ratekit.domain.rules.rule import Rule


def continue_lines(
    close: Iterable[tuple[Rule, datetime.datetime]],
    add: Collection[Rule],
    limit: datetime.datetime,
) -> tuple[Rule, ...]:
    """Return the rules to add; those that follow a rule at once continue its line.

    So does a rule that replaces one that was never in force.

    :param close: stored rules of one identity, and the new end of each
    :param add: rules of the same identity, by start
    :param limit: start of the next period; what starts later is scheduled
    """
    predecessors = {end: rule for rule, end in close if end <= limit or _is_withdrawn(rule, end)}
    rules = []
    for rule in add:
        predecessor = predecessors.get(rule.terms.start or BEGINNING)
        successor = rule if predecessor is None else continue_line(predecessor, rule)
        end = successor.terms.end
        if successor.line is not None and end is not None and end <= limit:
            predecessors[end] = successor
        rules.append(successor)
    return tuple(rules)


def continue_line(predecessor: Rule, rule: Rule) -> Rule:
    """Return ``rule`` as the next of a line; it keeps the name and the description."""
    line = predecessor.id if predecessor.line is None else predecessor.line
    return dataclasses.replace(
        rule,
        line=line,
        name=rule.name or predecessor.name,
        description=rule.description or predecessor.description,
    )


def _is_withdrawn(rule: Rule, end: datetime.datetime) -> bool:
    return end == (rule.terms.start or BEGINNING)

"""Lines: which new rule continues a stored one."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

import pytest

from ratekit.domain.rules import line
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def rule(
    start: int | None = None, end: int | None = None, id: int | None = None, line: int | None = None
) -> Rule:
    """Return a rule with times in days from now."""
    times = [None if day is None else NOW + day * DAY for day in (start, end)]
    terms = Terms(Decimal(1), CostType.FLAT, None, None, *times)
    return MappingRule(RuleTarget("cpu"), None, terms, id, line)


def lines(close: list[tuple[Rule, int]], add: list[Rule]) -> list[int | None]:
    """Return the lines of rules that are added."""
    closings = [(stored, NOW + day * DAY) for stored, day in close]
    return [added.line for added in line.continue_lines(closings, add, NOW)]


@pytest.mark.parametrize("day", [-3, 0])
def test_a_rule_that_follows_at_once_continues_the_line(day: int) -> None:
    assert lines([(rule(id=5), day)], [rule(day)]) == [5]
    assert lines([(rule(id=5, line=2), day)], [rule(day)]) == [2]


def test_a_rule_that_is_scheduled_for_later_starts_a_line() -> None:
    assert lines([(rule(id=5), 1)], [rule(1)]) == [None]


def test_a_rule_after_a_gap_starts_a_line() -> None:
    assert lines([(rule(id=5), -3)], [rule(0)]) == [None]


def test_a_rule_without_a_predecessor_starts_a_line() -> None:
    assert lines([], [rule(), rule(0)]) == [None, None]


def test_a_scheduled_rule_that_replaces_another_continues_its_line() -> None:
    assert lines([(rule(7, id=5), 7)], [rule(7)]) == [5]


def test_a_line_goes_on_through_several_new_rules_of_the_past() -> None:
    assert lines([(rule(id=5), -9)], [rule(-9, -6), rule(-6, -4), rule(-3)]) == [5, 5, None]


def test_the_successor_keeps_name_and_description() -> None:
    stored = dataclasses.replace(rule(id=5), name="n", description="d")
    [successor] = line.continue_lines([(stored, NOW)], [rule(0)], NOW)
    assert (successor.name, successor.description) == ("n", "d")

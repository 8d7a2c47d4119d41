"""Rules as operators look at them: in force, scheduled, past, and each line through time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.admin import hashmap, rule_register
from ratekit.admin.rule_register import RegisteredRule, RuleStage
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms, ThresholdRule
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from tests.contract.given import HOUR, batch, build_series, hour, list_scopes

_CALENDAR = Calendar(HOUR, wait_periods=0)


def mapping(value: str, cost: str, start: int | None = None, end: int | None = None) -> Rule:
    """Return a price of a flavor from an hour until an hour."""
    begin, until = (None if number is None else hour(number) for number in (start, end))
    terms = Terms(Decimal(cost), CostType.FLAT, start=begin, end=until)
    return MappingRule(RuleTarget("instance", "flavor"), value, terms)


def change(storage: Storage, now: float, maker: str, *rules: Rule) -> None:
    """Make a list of rules the ones in force, by the clock of this hour."""
    plan = hashmap.plan(storage.rules, rules, _CALENDAR, hour(now))
    hashmap.make_change(storage.rules, plan, hour(now), maker)


def show(entries: list[RegisteredRule]) -> list[tuple[str, str, str | None]]:
    """Return cost, stage and maker of each rule."""
    return [
        (
            str(entry.rule.terms.cost.normalize()),
            entry.stage.value,
            None if entry.record.opening is None else entry.record.opening.made_by,
        )
        for entry in entries
    ]


@pytest.fixture(autouse=True)
def history(storage: Storage) -> None:
    """Prices of m1: 1, then 2, and 3 from hour 20 on; a price of m2, removed; a threshold."""
    change(storage, 0, "ann", mapping("m1", "1"), mapping("m2", "9"))
    states = list_scopes(storage, "a")
    storage.ledger.commit(batch(states, build_series("a", [("1", "1")]), rules=1))
    level = ThresholdRule(RuleTarget("instance"), Decimal(10), Terms(Decimal("0.9"), CostType.RATE))
    change(storage, 5.5, "bob", mapping("m1", "2"), level)
    change(storage, 6.5, "eve", mapping("m1", "2", end=20), mapping("m1", "3", 20), level)


def test_rules_in_force_come_first_and_past_ones_last(storage: Storage) -> None:
    entries = rule_register.list_rules(storage.rules.catalog(), hour(10))
    assert show(list(entries)) == [
        ("0.9", "in force", "bob"),
        ("2", "in force", "bob"),
        ("3", "scheduled", "eve"),
        ("1", "past", "ann"),
        ("9", "past", "ann"),
    ]


def test_time_makes_a_scheduled_rule_one_in_force(storage: Storage) -> None:
    entries = rule_register.list_rules(storage.rules.catalog(), hour(20))
    in_force = [entry for entry in entries if entry.stage is RuleStage.IN_FORCE]
    assert [str(entry.rule.terms.cost.normalize()) for entry in in_force] == ["0.9", "3"]


def test_a_line_has_the_prices_of_one_rule_through_time(storage: Storage) -> None:
    catalog = storage.rules.catalog()
    (current,) = [
        entry for entry in rule_register.list_rules(catalog, hour(10)) if entry.rule.terms.cost == 2
    ]
    entries = rule_register.list_line(catalog, current.line, hour(10))
    assert show(list(entries)) == [("2", "in force", "bob"), ("1", "past", "ann")]


def test_a_rule_that_was_withdrawn_before_its_start_is_past(storage: Storage) -> None:
    level = ThresholdRule(RuleTarget("instance"), Decimal(10), Terms(Decimal("0.9"), CostType.RATE))
    change(storage, 8.5, "eve", mapping("m1", "2"), level)
    entries = rule_register.list_rules(storage.rules.catalog(), hour(10))
    (withdrawn,) = [entry for entry in entries if entry.rule.terms.cost == 3]
    assert withdrawn.stage is RuleStage.PAST


def test_an_unknown_line_is_refused(storage: Storage) -> None:
    with pytest.raises(errors.NotFound, match="no rule 'x'"):
        rule_register.list_line(storage.rules.catalog(), "x", hour(10))

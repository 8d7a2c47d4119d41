"""Changes of the rules that an option must allow."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from ratekit.admin import rule_guards
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleBook, RuleTarget, Terms
from ratekit.domain.rules.succession import Horizon
from ratekit.pricing import rule_change
from tests.contract.given import hour

AT = hour(10)


def rule(
    service: str = "cpu",
    start: float | None = None,
    end: float | None = None,
    group: str | None = None,
) -> Rule:
    """Return a mapping of a service."""
    times = [None if number is None else hour(number) for number in (start, end)]
    terms = Terms(Decimal(1), CostType.FLAT, group, None, times[0], times[1])
    return MappingRule(RuleTarget(service), None, terms)


def unpriced_times(
    stored: list[Rule], desired: list[Rule], at: datetime.datetime = AT
) -> dict[str, str]:
    """Return when a retroactive change leaves services without a rule."""
    book = RuleBook(1, tuple(stored))
    change = rule_change.plan(book, desired, Horizon(at))
    return dict(rule_guards.find_unpriced_times(book, change))


def test_a_service_without_rules_is_reported_with_the_time() -> None:
    stored = [rule("cpu"), rule("volume")]
    assert unpriced_times(stored, [rule("volume")]) == {"cpu": "from 2026-03-01T10:00:00Z"}


def test_a_service_that_has_another_rule_is_not_free() -> None:
    stored = [rule(), rule(group="g")]
    assert unpriced_times(stored, [rule(group="g")]) == {}


def test_another_price_is_not_free() -> None:
    dearer = MappingRule(RuleTarget("cpu"), None, Terms(Decimal(2), CostType.FLAT))
    assert unpriced_times([rule()], [dearer]) == {}


@pytest.mark.parametrize("start", [10, None])
def test_a_replacement_without_a_gap_is_not_free(start: int | None) -> None:
    stored = [rule(end=20), rule(start=20, group="g")]
    assert unpriced_times(stored, [rule(group="h", start=start)]) == {}


def test_a_gap_until_the_next_rule_is_reported() -> None:
    assert unpriced_times([rule()], [rule(group="g", start=12)]) == {
        "cpu": "from 2026-03-01T10:00:00Z until 2026-03-01T12:00:00Z"
    }


def test_a_time_without_rules_before_the_change_is_not_reported() -> None:
    stored = [rule(end=5), rule(start=15, end=20)]
    assert unpriced_times(stored, [rule(start=15, end=20)]) == {}
    assert unpriced_times([rule(end=20)], [rule(end=20)]) == {}


def test_a_gap_in_the_past_is_reported() -> None:
    assert unpriced_times([rule()], [rule(end=3), rule(start=5)]) == {
        "cpu": "from 2026-03-01T03:00:00Z until 2026-03-01T05:00:00Z"
    }


def test_a_withdrawn_rule_does_not_count() -> None:
    stored = [rule(start=3, end=3), rule(start=12)]
    assert unpriced_times(stored, []) == {"cpu": "from 2026-03-01T12:00:00Z"}

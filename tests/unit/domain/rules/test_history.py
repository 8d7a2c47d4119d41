"""The first instant at which a recorded change affects the rules."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from ratekit.domain.rules.history import ChangeRecord, Closing
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms

BEGIN = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


def at(hours: int) -> datetime.datetime:
    return BEGIN + datetime.timedelta(hours=hours)


def rule(start: int | None = None, end: int | None = None) -> Rule:
    times = [None if hours is None else at(hours) for hours in (start, end)]
    terms = Terms(Decimal(1), CostType.FLAT, start=times[0], end=times[1])
    return MappingRule(RuleTarget("cpu"), None, terms)


def record(*opened: Rule, closed: tuple[Closing, ...] = ()) -> ChangeRecord:
    return ChangeRecord(1, BEGIN, "ann", None, False, opened, closed)


@pytest.mark.parametrize(
    ("change", "hours"),
    [
        (record(rule(5), rule(3)), 3),
        (record(rule(5), closed=(Closing(rule(), at(4)),)), 4),
        (record(closed=(Closing(rule(end=2), at(4)),)), 2),
        (record(rule(9), closed=(Closing(rule(7), at(7)),)), 7),
        # A rule that was never in force changes nothing.
        (record(rule(9), rule(3, 3), closed=(Closing(rule(2, 2), at(1)),)), 9),
    ],
    ids=["opened", "closed", "longer", "never in force", "empty"],
)
def test_a_change_starts_at_the_first_instant_with_different_rules(
    change: ChangeRecord, hours: int
) -> None:
    assert change.since == at(hours)


@pytest.mark.parametrize("change", [record(), record(rule(), rule(3))], ids=["nothing", "always"])
def test_a_change_may_have_no_first_instant(change: ChangeRecord) -> None:
    assert change.since is None

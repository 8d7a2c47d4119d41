"""From when on a recorded change of the rules holds."""

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
    times = [None if one is None else at(one) for one in (start, end)]
    terms = Terms(Decimal(1), CostType.FLAT, start=times[0], end=times[1])
    return MappingRule(RuleTarget("cpu"), None, terms)


def record(*opened: Rule, closed: tuple[Closing, ...] = ()) -> ChangeRecord:
    return ChangeRecord(1, BEGIN, "ann", None, False, opened, closed)


@pytest.mark.parametrize(
    ("one", "hours"),
    [
        (record(rule(5), rule(3)), 3),
        (record(rule(5), closed=(Closing(rule(), at(4)),)), 4),
        (record(closed=(Closing(rule(end=2), at(4)),)), 2),
        (record(rule(9), closed=(Closing(rule(7), at(7)),)), 7),
        # What was never in force changes nothing.
        (record(rule(9), rule(3, 3), closed=(Closing(rule(2, 2), at(1)),)), 9),
    ],
    ids=["opened", "closed", "longer", "taken back", "empty"],
)
def test_a_change_holds_from_the_first_instant_that_has_other_rules(
    one: ChangeRecord, hours: int
) -> None:
    assert one.since == at(hours)


@pytest.mark.parametrize("one", [record(), record(rule(), rule(3))], ids=["nothing", "always"])
def test_a_change_may_hold_from_the_beginning(one: ChangeRecord) -> None:
    assert one.since is None

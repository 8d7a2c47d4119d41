"""What lies between planning a change of prices and making it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import pathlib
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from ratekit import errors, hashmap_admin, rule_changes
from ratekit.domain.due import Calendar
from ratekit.domain.period import EPOCH
from ratekit.domain.rules import CostType, Mapping, Parent, Rule, RuleBook, Terms
from ratekit.interfaces import Storage
from ratekit.storage import migrate
from ratekit.storage.sql import open_storage
from tests.contract import given

CALENDAR = Calendar(given.HOUR, wait_periods=2)
NOW = given.hour(36.5)
RULE = Mapping(Parent("instance"), None, Terms(Decimal(1), CostType.FLAT))


@pytest.fixture
def storage(tmp_path: pathlib.Path) -> Storage:
    """An empty storage."""
    url = f"sqlite:///{tmp_path}/ratekit.sqlite"
    migrate.upgrade(url)
    return open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")


def rate(storage: Storage, begin: datetime.datetime = given.START) -> None:
    """Rate one hour."""
    states = given.listed(storage, "a1", start=begin)
    version = storage.rules.read().version
    window = given.window(begin=begin)
    storage.ledger.commit(given.batch(states, periods=window, rules=version))


def test_a_change_reaches_back_for_ever_while_nothing_is_rated(storage: Storage) -> None:
    for cost in (1, 2):
        rule = dataclasses.replace(RULE, terms=Terms(Decimal(cost), CostType.FLAT))
        plan = hashmap_admin.plan(storage.rules, [rule], CALENDAR, NOW)
        hashmap_admin.carry_out(storage.rules, plan, NOW + 24 * given.HOUR)
        found = hashmap_admin.export(storage.rules, NOW)
        assert [one.terms.cost for one in found] == [cost]
        assert found[0].terms.in_force(given.START)


def test_a_change_begins_with_the_next_period(storage: Storage) -> None:
    rate(storage)
    plan = hashmap_admin.plan(storage.rules, [RULE], CALENDAR, NOW)
    assert plan.change.add[0].terms.start == given.hour(37)


def test_a_change_begins_after_all_that_has_been_rated(storage: Storage) -> None:
    rate(storage, given.hour(40))
    plan = hashmap_admin.plan(storage.rules, [RULE], CALENDAR, NOW)
    assert (plan.at, plan.open_left) == (given.hour(41), False)
    assert plan.change.add[0].terms.start == given.hour(41)
    days = Calendar(24 * given.HOUR, wait_periods=2)
    assert hashmap_admin.plan(storage.rules, [RULE], days, NOW).at == given.hour(48)


def test_a_plan_is_not_carried_out_once_its_periods_may_have_been_rated(
    storage: Storage,
) -> None:
    early = hashmap_admin.plan(storage.rules, [RULE], CALENDAR, NOW)
    rate(storage)
    with pytest.raises(errors.OperatorError, match="nothing was written"):
        hashmap_admin.carry_out(storage.rules, early, NOW)
    late = hashmap_admin.plan(storage.rules, [RULE], CALENDAR, NOW)
    with pytest.raises(errors.OperatorError, match="nothing was written; plan it again"):
        hashmap_admin.carry_out(storage.rules, late, given.hour(37))
    assert storage.rules.read().rules == ()


def test_of_two_plans_for_one_rule_book_the_second_is_refused(storage: Storage) -> None:
    first, second = (hashmap_admin.plan(storage.rules, [RULE], CALENDAR, NOW) for _ in range(2))
    hashmap_admin.carry_out(storage.rules, first, NOW)
    with pytest.raises(errors.OperatorError, match="changed by somebody else"):
        hashmap_admin.carry_out(storage.rules, second, NOW)


def test_an_export_has_the_rules_that_can_still_price_something(storage: Storage) -> None:
    def rule(start: float | None, end: float | None, value: str) -> Mapping:
        times = [None if one is None else given.hour(one) for one in (start, end)]
        terms = Terms(Decimal(1), CostType.FLAT, start=times[0], end=times[1])
        return Mapping(Parent("instance", "flavor"), value, terms)

    def exported() -> list[str | None]:
        rules = hashmap_admin.export(storage.rules, NOW)
        return [rule.value for rule in rules if isinstance(rule, Mapping)]

    rules = [
        rule(None, None, "always"),
        rule(None, 36.5, "ended now"),
        rule(36, 37, "ends soon"),
        rule(40, None, "later"),
        rule(40, 40, "taken back"),
    ]
    storage.rules.change(0, (), rules, NOW)
    assert exported() == ["always", "ended now", "ends soon", "later"]
    rate(storage)
    assert exported() == ["always", "ends soon", "later"]


def hours(latest: int) -> st.SearchStrategy[datetime.datetime | None]:
    """Draw no instant, or a full hour."""
    return st.none() | st.integers(0, latest).map(given.hour)


RULES = st.builds(
    lambda value, cost, start, end: Mapping(
        Parent("instance", "flavor"),
        value,
        Terms(Decimal(cost), CostType.FLAT, None, None, start, end),
    ),
    st.sampled_from("ab"),
    st.integers(1, 2),
    hours(12),
    hours(12),
)


def carried_out(book: RuleBook, change: rule_changes.RuleChange) -> RuleBook:
    """Do to a rule book what a storage does."""
    ends = {id(rule): end for rule, end in change.close}
    kept: list[Rule] = [
        dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, end=ends[id(rule)]))
        if id(rule) in ends
        else rule
        for rule in book.rules
    ]
    return RuleBook(book.version + 1, (*kept, *change.add))


@given_that(
    wishes=st.lists(st.tuples(st.lists(RULES, max_size=4), st.integers(0, 6)), max_size=4),
    unrated=st.integers(0, 5),
    later=st.sampled_from([0.0, 0.5, 1.0, 5.0]),
)
def test_what_is_in_force_is_a_plan_that_changes_nothing(
    wishes: list[tuple[list[Mapping], int]], unrated: int, later: float
) -> None:
    def planned(number: int, desired: Sequence[Rule], hour: float) -> rule_changes.RuleChange:
        """Plan as for a storage in which the first of some changes met nothing rated."""
        at = EPOCH if number < unrated else CALENDAR.next_due(given.hour(hour))
        return rule_changes.plan(book, desired, at, open_left=number < unrated)

    book, hour = RuleBook(0, ()), 0.5
    for number, (desired, pause) in enumerate(wishes):
        with contextlib.suppress(errors.OperatorError):
            book = carried_out(book, planned(number, desired, hour))
        hour += pause
    since = EPOCH if len(wishes) < unrated else given.hour(hour + later)
    exported = hashmap_admin.in_force(book, since)
    change = planned(len(wishes), exported, hour + later)
    assert (change.close, change.add) == ((), ())

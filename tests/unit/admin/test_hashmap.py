"""Planning a change of the price rules, making it, and exporting the rules."""

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

from ratekit import errors
from ratekit.admin import hashmap
from ratekit.domain.period import EPOCH
from ratekit.domain.rules import history
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleBook, RuleTarget, Terms
from ratekit.domain.rules.succession import Horizon
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from ratekit.pricing import rule_change
from ratekit.storage import migrate
from ratekit.storage.sql import open_storage
from tests.contract import given

CALENDAR = Calendar(given.HOUR, wait_periods=2)
NOW = given.hour(36.5)
ANN = "ann@example"
RULE = MappingRule(RuleTarget("instance"), None, Terms(Decimal(1), CostType.FLAT))


@pytest.fixture
def storage(tmp_path: pathlib.Path) -> Storage:
    """An empty storage."""
    url = f"sqlite:///{tmp_path}/ratekit.sqlite"
    migrate.upgrade(url)
    return open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")


def rate(storage: Storage, begin: datetime.datetime = given.START) -> None:
    """Rate one hour."""
    states = given.list_scopes(storage, "a1", start=begin)
    version = storage.rules.read().version
    window = given.window(begin=begin)
    storage.ledger.commit(given.batch(states, periods=window, rules=version))


def test_a_change_applies_from_the_beginning_while_nothing_is_rated(storage: Storage) -> None:
    for cost in (1, 2):
        rule = dataclasses.replace(RULE, terms=Terms(Decimal(cost), CostType.FLAT))
        plan = hashmap.plan(storage.rules, [rule], CALENDAR, NOW)
        hashmap.make_change(storage.rules, plan, NOW + 24 * given.HOUR, ANN)
        exported = hashmap.export(storage.rules, NOW)
        assert [rule.terms.cost for rule in exported] == [cost]
        assert exported[0].terms.in_force(given.START)


def test_a_change_applies_from_the_next_period(storage: Storage) -> None:
    rate(storage)
    plan = hashmap.plan(storage.rules, [RULE], CALENDAR, NOW)
    assert plan.change.add[0].terms.start == given.hour(37)


def test_a_change_applies_after_all_rated_periods(storage: Storage) -> None:
    rate(storage, given.hour(40))
    plan = hashmap.plan(storage.rules, [RULE], CALENDAR, NOW)
    assert (plan.at, plan.protected_until) == (given.hour(41), given.hour(41))
    assert plan.change.add[0].terms.start == given.hour(41)
    days = Calendar(24 * given.HOUR, wait_periods=2)
    assert hashmap.plan(storage.rules, [RULE], days, NOW).at == given.hour(48)


def test_a_plan_is_refused_once_its_periods_may_have_been_rated(
    storage: Storage,
) -> None:
    early = hashmap.plan(storage.rules, [RULE], CALENDAR, NOW)
    rate(storage)
    with pytest.raises(errors.OperatorError):
        hashmap.make_change(storage.rules, early, NOW, ANN)
    late = hashmap.plan(storage.rules, [RULE], CALENDAR, NOW)
    with pytest.raises(errors.OperatorError, match="plan it again"):
        hashmap.make_change(storage.rules, late, given.hour(37), ANN)
    assert storage.rules.read().rules == ()


def test_the_second_of_two_plans_for_one_rule_book_is_refused(storage: Storage) -> None:
    first, second = (hashmap.plan(storage.rules, [RULE], CALENDAR, NOW) for _ in range(2))
    hashmap.make_change(storage.rules, first, NOW, ANN)
    with pytest.raises(errors.OperatorError, match="version 0"):
        hashmap.make_change(storage.rules, second, NOW, ANN)


def test_an_export_has_the_rules_that_can_still_price_something(storage: Storage) -> None:
    def rule(start: float | None, end: float | None, value: str) -> MappingRule:
        times = [None if number is None else given.hour(number) for number in (start, end)]
        terms = Terms(Decimal(1), CostType.FLAT, start=times[0], end=times[1])
        return MappingRule(RuleTarget("instance", "flavor"), value, terms)

    def export_values() -> list[str | None]:
        rules = hashmap.export(storage.rules, NOW)
        return [rule.value for rule in rules if isinstance(rule, MappingRule)]

    rules = [
        rule(None, None, "always"),
        rule(None, 36.5, "ended now"),
        rule(36, 37, "ends soon"),
        rule(40, None, "later"),
        rule(40, 40, "withdrawn"),
    ]
    storage.rules.change(0, (), rules, given.note(NOW))
    assert export_values() == ["always", "ended now", "ends soon", "later"]
    rate(storage)
    assert export_values() == ["always", "ends soon", "later"]


def hours(latest: int) -> st.SearchStrategy[datetime.datetime | None]:
    """Draw no instant, or a full hour."""
    return st.none() | st.integers(0, latest).map(given.hour)


RULES = st.builds(
    lambda value, cost, start, end: MappingRule(
        RuleTarget("instance", "flavor"),
        value,
        Terms(Decimal(cost), CostType.FLAT, None, None, start, end),
    ),
    st.sampled_from("ab"),
    st.integers(1, 2),
    hours(12),
    hours(12),
)


#: The rules of a file, hours until it is applied, hours until it takes effect (negative:
#: retroactively; None: by default).
CHANGES = st.lists(
    st.tuples(st.lists(RULES, max_size=4), st.integers(0, 6), st.none() | st.integers(-8, 4)),
    max_size=4,
)


@given_that(changes=CHANGES, unrated=st.integers(0, 5), later=st.sampled_from([0.0, 0.5, 1.0, 5.0]))
def test_what_is_in_force_is_a_plan_that_changes_nothing(
    changes: list[tuple[list[MappingRule], int, int | None]], unrated: int, later: float
) -> None:
    def plan_change(
        number: int, desired: Sequence[Rule], hour: float, wait: int | None
    ) -> rule_change.RuleChange:
        """Plan as if nothing had been rated before the first ``unrated`` changes."""
        protected_until = None if number < unrated else CALENDAR.next_due(given.hour(hour))
        if wait is None:
            horizon = Horizon(
                protected_until or EPOCH, protected_until, open_start=protected_until is None
            )
        else:
            at = CALENDAR.next_due(given.hour(hour + wait))
            horizon = Horizon(at, None if wait < 0 else protected_until)
        return rule_change.plan(book, desired, horizon)

    book, hour = RuleBook(0, ()), 8.5
    for number, (desired, pause, wait) in enumerate(changes):
        with contextlib.suppress(errors.OperatorError):
            book = rule_change.apply(book, plan_change(number, desired, hour, wait))
        hour += pause
    since = EPOCH if len(changes) < unrated else given.hour(hour + later)
    exported = hashmap.in_force(book, since)
    for wait in (None, 0, 3):
        change = plan_change(len(changes), exported, hour + later, wait)
        assert (change.close, change.add) == ((), ())


def number_rules(book: RuleBook, change: rule_change.RuleChange) -> RuleBook:
    """Return the book after a change, with IDs like those of a storage."""
    after = rule_change.apply(book, change)
    rules = [
        dataclasses.replace(rule, id=number) for number, rule in enumerate(after.rules, start=1)
    ]
    return dataclasses.replace(after, rules=tuple(rules))


def build_record(
    before: RuleBook, after: RuleBook, change: rule_change.RuleChange
) -> history.ChangeRecord:
    """Return the record that a storage keeps of a change."""
    closed = tuple(history.Closing(rule, end) for rule, end in change.close)
    opened = after.rules[len(before.rules) :]
    return history.ChangeRecord(after.version, NOW, ANN, None, False, opened, closed)


@given_that(changes=CHANGES, missing=st.integers(0, 2))
def test_changes_can_be_undone_one_by_one(
    changes: list[tuple[list[MappingRule], int, int | None]], missing: int
) -> None:
    books, records, hour = [RuleBook(3, ())], list[history.ChangeRecord](), 8
    for desired, pause, wait in changes:
        try:
            horizon = Horizon(given.hour(hour + (wait or 0)))
            change = rule_change.plan(books[-1], desired, horizon)
        except errors.OperatorError:
            continue
        after = number_rules(books[-1], change)
        records.insert(0, build_record(books[-1], after, change))
        books.append(after)
        hour += pause
    stored_records = records[: len(records) - missing] if missing else records
    earlier_books = list(history.earlier_books(books[-1], stored_records))
    assert earlier_books == books[::-1][1 : len(stored_records) + 1]
    for book, earlier in zip(earlier_books, books[::-1][1:], strict=False):
        assert [rule.id for rule in book.rules] == [rule.id for rule in earlier.rules]


class TestTimes:
    """A plan changes only periods that cannot have been rated, unless it is retroactive."""

    def new_rules(self, cost: int = 2) -> list[Rule]:
        return [dataclasses.replace(RULE, terms=Terms(Decimal(cost), CostType.FLAT))]

    def rate_with_rule(self, storage: Storage) -> None:
        """Put a rule in force, and rate an hour by it."""
        first = hashmap.plan(storage.rules, [RULE], CALENDAR, given.START)
        hashmap.make_change(storage.rules, first, given.START, ANN)
        rate(storage)

    def test_a_later_time_keeps_the_prices_until_then(self, storage: Storage) -> None:
        self.rate_with_rule(storage)
        at = given.hour(48)
        plan = hashmap.plan(storage.rules, self.new_rules(), CALENDAR, NOW, at)
        assert (plan.at, plan.protected_until, plan.retroactive) == (at, given.hour(37), False)
        # Confirming it hours later changes no existing charges.
        hashmap.make_change(storage.rules, plan, given.hour(47.9), ANN)
        assert [rule.terms.end for rule in storage.rules.read().rules] == [at, None]

    def test_at_its_own_time_a_plan_is_too_late(self, storage: Storage) -> None:
        self.rate_with_rule(storage)
        plan = hashmap.plan(storage.rules, self.new_rules(), CALENDAR, NOW, given.hour(48))
        with pytest.raises(errors.OperatorError, match="plan it again"):
            hashmap.make_change(storage.rules, plan, given.hour(48), ANN)

    def test_an_earlier_time_is_refused(self, storage: Storage) -> None:
        self.rate_with_rule(storage)
        with pytest.raises(errors.OperatorError, match="--retroactive"):
            hashmap.plan(storage.rules, self.new_rules(), CALENDAR, NOW, given.hour(36))

    def test_a_retroactive_change_is_recorded_as_one(self, storage: Storage) -> None:
        self.rate_with_rule(storage)
        plan = hashmap.plan(
            storage.rules, self.new_rules(), CALENDAR, NOW, given.START, retroactive=True
        )
        assert plan.retroactive
        # The rated hour had no usage.
        assert hashmap.find_replaced_charges(storage, plan, CALENDAR) is None
        hashmap.make_change(storage.rules, plan, given.hour(36.9), ANN, "was wrong")
        newest = hashmap.find_record(storage.rules, 2)
        assert (newest.retroactive, newest.comment, newest.since) == (
            True,
            "was wrong",
            given.START,
        )

    def test_periods_rated_by_a_processor_ahead_of_our_clock_are_counted(
        self, storage: Storage
    ) -> None:
        self.rate_with_rule(storage)
        plan = hashmap.plan(
            storage.rules, self.new_rules(), CALENDAR, NOW, given.hour(36), retroactive=True
        )
        begin = given.hour(40)
        states = given.list_scopes(storage, "b2", start=begin)
        usage = given.build_series("b2", [("1", "1")], begin=begin)
        periods = given.window(begin=begin)
        storage.ledger.commit(given.batch(states, usage, periods=periods, rules=1))
        hashmap.make_change(storage.rules, plan, NOW, ANN)
        charges = hashmap.find_replaced_charges(storage, plan, CALENDAR)
        assert charges is not None
        assert (charges.begin, charges.end, charges.frames) == (begin, given.hour(41), 1)

    def test_a_retroactive_plan_expires_too(self, storage: Storage) -> None:
        self.rate_with_rule(storage)
        plan = hashmap.plan(
            storage.rules, self.new_rules(), CALENDAR, NOW, given.START, retroactive=True
        )
        with pytest.raises(errors.OperatorError, match="plan it again"):
            hashmap.make_change(storage.rules, plan, given.hour(37), ANN)

    def test_a_change_of_no_rated_period_is_not_retroactive(self, storage: Storage) -> None:
        self.rate_with_rule(storage)
        plan = hashmap.plan(storage.rules, self.new_rules(), CALENDAR, NOW, retroactive=True)
        assert not plan.retroactive
        assert hashmap.find_replaced_charges(storage, plan, CALENDAR) is None

    def test_a_plan_for_an_unrated_storage_is_refused_once_a_period_is_rated(
        self, storage: Storage
    ) -> None:
        plans = [
            hashmap.plan(storage.rules, [RULE], CALENDAR, NOW, given.START, retroactive)
            for retroactive in (False, True)
        ]
        rate(storage)
        for plan in plans:
            with pytest.raises(errors.OperatorError, match="has been rated"):
                hashmap.make_change(storage.rules, plan, NOW, ANN)
        assert storage.rules.records() == []

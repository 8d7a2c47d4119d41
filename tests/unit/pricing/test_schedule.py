"""What is scheduled stays scheduled when its file is applied again."""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
)
from ratekit.domain.rules.succession import Horizon
from ratekit.pricing import rule_change
from ratekit.pricing.rule_change import RuleChange

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
PAST, DECEMBER, JANUARY = NOW - 30 * DAY, NOW + 30 * DAY, NOW + 61 * DAY


def rule(
    cost: str = "1",
    *,
    value: str = "m1",
    start: datetime.datetime | None = None,
    end: datetime.datetime | None = None,
) -> Rule:
    terms = Terms(Decimal(cost), CostType.FLAT, None, None, start, end)
    return MappingRule(RuleTarget("instance", "flavor"), value, terms)


def plan(
    stored: Iterable[Rule],
    desired: Iterable[Rule],
    at: datetime.datetime = NOW,
    bring_forward: bool = False,
    protected_until: datetime.datetime | None = NOW,
) -> RuleChange:
    horizon = Horizon(at, protected_until, scheduled_after=None if bring_forward else NOW)
    return rule_change.plan(RuleBook(7, tuple(stored)), list(desired), horizon)


SCHEDULED = (rule("1", end=DECEMBER), rule("2", start=DECEMBER))


def test_a_scheduled_price_is_not_brought_forward_by_its_file() -> None:
    assert plan(SCHEDULED, [rule("2")]) == RuleChange(
        (), (), SCHEDULED, ((SCHEDULED[1], DECEMBER),)
    )


def test_a_price_may_be_brought_forward() -> None:
    change = plan(SCHEDULED, [rule("2")], bring_forward=True)
    assert change.close == ((SCHEDULED[0], NOW),)
    assert change.add == (rule("2", start=NOW, end=DECEMBER),)
    assert not change.scheduled


def test_a_new_rule_that_is_scheduled_does_not_start_earlier() -> None:
    stored = (rule("2", start=DECEMBER),)
    assert plan(stored, [rule("2")]) == RuleChange((), (), stored, ((stored[0], DECEMBER),))


def test_a_scheduled_removal_is_not_brought_forward_by_its_file() -> None:
    stored = (rule("1", end=DECEMBER),)
    assert plan(stored, []) == RuleChange((), (), stored, ((stored[0], DECEMBER),))
    assert plan(stored, [], bring_forward=True).close == ((stored[0], NOW),)


def test_steps_of_a_schedule_all_stay() -> None:
    stored = (
        rule("1", end=DECEMBER),
        rule("2", start=DECEMBER, end=JANUARY),
        rule("3", start=JANUARY),
    )
    assert plan(stored, [rule("3")]) == RuleChange((), (), stored, ((stored[2], JANUARY),))


def test_an_earlier_time_of_a_change_does_not_bring_forward() -> None:
    assert plan(SCHEDULED, [rule("2")], at=NOW + DAY) == RuleChange(
        (), (), SCHEDULED, ((SCHEDULED[1], DECEMBER),)
    )


def test_a_later_time_of_a_change_does_not_postpone_and_says_so() -> None:
    """To postpone, the file says when."""
    assert plan(SCHEDULED, [rule("2")], at=JANUARY) == RuleChange(
        (), (), (SCHEDULED[1],), ((SCHEDULED[1], DECEMBER),)
    )
    explicit = [rule("1", end=JANUARY), rule("2", start=JANUARY)]
    change = plan(SCHEDULED, explicit)
    assert change.close == ((SCHEDULED[1], DECEMBER),)
    assert change.add == (rule("1", start=DECEMBER, end=JANUARY), rule("2", start=JANUARY))


def test_a_start_in_the_file_keeps_the_removal_scheduled_before_it() -> None:
    assert plan(SCHEDULED, [rule("2", start=DECEMBER)]).empty


def test_an_end_for_a_scheduled_price_does_not_bring_it_forward() -> None:
    change = plan(SCHEDULED, [rule("2", end=JANUARY)])
    assert change.close == ((SCHEDULED[1], JANUARY),)
    assert not change.add


def test_an_explicit_start_brings_forward_because_the_file_says_so() -> None:
    change = plan(SCHEDULED, [rule("1", end=NOW + DAY), rule("2", start=NOW + DAY)])
    assert change.close == ((SCHEDULED[0], NOW + DAY),)
    assert change.add == (rule("2", start=NOW + DAY, end=DECEMBER),)


def test_a_later_start_in_the_file_postpones_one_step_of_a_schedule() -> None:
    stored = (
        rule("1", end=DECEMBER),
        rule("2", start=DECEMBER, end=JANUARY),
        rule("3", start=JANUARY),
    )
    desired = [rule("2", start=JANUARY - DAY, end=JANUARY), rule("3", start=JANUARY)]
    after = rule_change.apply(RuleBook(7, stored), plan(stored, desired))
    assert prices(after.rules, DECEMBER) == {}


def test_another_price_replaces_the_scheduled_one() -> None:
    change = plan(SCHEDULED, [rule("3")])
    assert change.close == ((SCHEDULED[0], NOW), (SCHEDULED[1], DECEMBER))
    assert change.add == (rule("3", start=NOW),)
    assert not change.scheduled


def test_the_price_of_today_cancels_the_scheduled_one() -> None:
    change = plan(SCHEDULED, [rule("1")])
    assert change.close == ((SCHEDULED[1], DECEMBER),)
    assert change.add == (rule("1", start=DECEMBER),)


def test_a_rule_that_the_file_lacks_is_closed_with_its_scheduled_price() -> None:
    change = plan(SCHEDULED, [])
    assert change.close == ((SCHEDULED[0], NOW), (SCHEDULED[1], DECEMBER))


def test_a_new_rule_that_has_not_started_reaches_back_over_rated_periods() -> None:
    """A rule that starts when an unspecified change would start is not scheduled."""
    stored = (rule("1", start=NOW),)
    change = plan(stored, [rule("1")], at=PAST, protected_until=None)
    assert change.add == (rule("1", start=PAST, end=NOW),)


MOMENTS = [NOW + number * DAY for number in range(10)]
MOMENT = st.sampled_from(MOMENTS)


def prices(rules: Iterable[Rule], moment: datetime.datetime) -> dict[object, Decimal]:
    return {
        rule_change.identity(member): member.terms.cost
        for member in rules
        if member.terms.in_force(moment)
    }


@st.composite
def files(draw: st.DrawFn) -> list[Rule]:
    """Return rules without times of their own."""
    values = draw(st.sets(st.sampled_from(["m1", "m2", "m3"])))
    return [rule(draw(st.sampled_from(["1", "2"])), value=value) for value in sorted(values)]


def apply(stored: Sequence[Rule], desired: Sequence[Rule], at: int, now: int) -> Sequence[Rule]:
    horizon = Horizon(MOMENTS[at], MOMENTS[now], scheduled_after=MOMENTS[now])
    book = RuleBook(1, tuple(stored))
    return rule_change.apply(book, rule_change.plan(book, desired, horizon)).rules


@given(files(), files(), st.integers(1, 9), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_a_file_that_was_applied_for_later_may_be_applied_again_at_any_time(
    first: list[Rule], second: list[Rule], at: int, again: int
) -> None:
    stored = apply([], first, 0, 0)
    scheduled = apply(stored, second, at, 0)
    for now in sorted({min(again, at), again}):
        repeated = apply(scheduled, second, now, now)
        assert repeated == scheduled


@given(st.lists(st.tuples(files(), MOMENT), min_size=1, max_size=4), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_a_file_always_comes_into_force_in_the_end(
    changes: list[tuple[list[Rule], datetime.datetime]], now: int
) -> None:
    stored: Sequence[Rule] = ()
    for desired, at in changes:
        stored = apply(stored, desired, max(MOMENTS.index(at), now), now)
        assert prices(stored, MOMENTS[-1] + DAY) == prices(desired, MOMENTS[-1] + DAY)
        assert apply(stored, desired, now, now) == tuple(stored)


def test_rules_keep_their_ids_when_nothing_changes() -> None:
    stored = tuple(dataclasses.replace(member, id=9) for member in SCHEDULED)
    assert [member.id for member in plan(stored, [rule("2")]).keep] == [9, 9]

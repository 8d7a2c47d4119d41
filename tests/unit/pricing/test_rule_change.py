import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratekit import errors
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.rules.succession import Horizon
from ratekit.pricing import rule_change
from ratekit.pricing.rule_change import RuleChange

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
PAST, FUTURE = NOW - 30 * DAY, NOW + 30 * DAY


def rule(
    cost: str = "1",
    type: CostType = CostType.FLAT,
    *,
    value: str | None = "m1",
    group: str | None = None,
    scope: str | None = None,
    start: datetime.datetime | None = None,
    end: datetime.datetime | None = None,
) -> Rule:
    terms = Terms(Decimal(cost), type, group, scope, start, end)
    return MappingRule(RuleTarget("instance", "flavor"), value, terms)


def with_end(rule: Rule, end: datetime.datetime) -> Rule:
    return dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, end=end))


def plan(
    stored: Iterable[Rule],
    desired: Iterable[Rule],
    at: datetime.datetime = NOW,
    open_start: bool = False,
    retroactive: bool = False,
) -> RuleChange:
    horizon = Horizon(at, None if open_start or retroactive else at, open_start)
    return rule_change.plan(RuleBook(7, tuple(stored)), list(desired), horizon)


def test_a_new_rule_without_start_starts_at_the_next_period() -> None:
    assert plan([], [rule()]) == RuleChange((), (rule(start=NOW),), ())


def test_a_new_rule_reaches_back_for_ever_while_nothing_has_been_rated() -> None:
    assert plan([], [rule()], open_start=True) == RuleChange((), (rule(),), ())


def test_a_rule_that_comes_back_does_not_reach_back_over_its_absence() -> None:
    change = plan([rule(end=PAST)], [rule()], open_start=True)
    assert change == RuleChange((), (rule(start=NOW),), ())


@pytest.mark.parametrize("start", [None, PAST], ids=["always", "started"])
def test_an_unchanged_rule_is_kept(start: datetime.datetime | None) -> None:
    stored = rule("1.0", start=start)
    assert plan([stored], [rule("1.00")]) == RuleChange((), (), (stored,))


def test_a_rule_that_the_file_lacks_is_closed() -> None:
    stored = rule(start=PAST)
    assert plan([stored], []) == RuleChange(((stored, NOW),), (), ())


def test_a_rule_that_the_file_lacks_and_that_has_not_started_is_never_in_force() -> None:
    stored = rule(start=FUTURE)
    assert plan([stored], []) == RuleChange(((stored, FUTURE),), (), ())
    assert plan([with_end(stored, FUTURE)], []) == RuleChange((), (), ())


@pytest.mark.parametrize(
    "desired", [rule("2"), rule("1", CostType.RATE)], ids=["another cost", "another type"]
)
def test_a_changed_price_closes_the_old_rule_and_opens_a_new_one(desired: Rule) -> None:
    stored = rule(start=PAST)
    terms = dataclasses.replace(desired.terms, start=NOW)
    added = dataclasses.replace(desired, terms=terms)
    assert plan([stored], [desired]) == RuleChange(((stored, NOW),), (added,), ())


@pytest.mark.parametrize(
    "other", [rule(value="m2"), rule(group="g"), rule(scope="p1")], ids=["value", "group", "scope"]
)
def test_rules_for_something_else_do_not_touch_one_another(other: Rule) -> None:
    stored = rule(start=PAST)
    change = plan([stored], [rule(), other])
    assert change.keep == (stored,)
    assert not change.close
    assert len(change.add) == 1


def test_levels_are_the_same_however_they_are_written() -> None:
    terms = Terms(Decimal(1), CostType.FLAT)
    stored = ThresholdRule(RuleTarget("volume"), Decimal("10"), terms)
    desired = ThresholdRule(RuleTarget("volume"), Decimal("10.00"), terms)
    assert plan([stored], [desired]).keep == (stored,)


def test_an_earlier_end_closes_at_that_end() -> None:
    stored = rule(start=PAST)
    assert plan([stored], [rule(end=FUTURE)]) == RuleChange(((stored, FUTURE),), (), ())


@pytest.mark.parametrize("end", [None, FUTURE + DAY], ids=["no end", "later"])
def test_a_later_end_goes_on_with_a_new_rule(end: datetime.datetime | None) -> None:
    stored = rule(start=PAST, end=FUTURE)
    change = plan([stored], [rule(end=end)])
    assert change == RuleChange((), (rule(start=FUTURE, end=end),), (stored,))


def test_a_rule_with_a_start_is_the_stored_one_that_starts_then() -> None:
    first, second = rule("1", start=PAST, end=FUTURE), rule("2", start=FUTURE)
    assert plan([first, second], [first, second]).keep == (first, second)


def test_a_rule_that_starts_later_may_change_its_price() -> None:
    stored = rule("1", start=FUTURE)
    change = plan([stored], [rule("2", start=FUTURE)])
    assert change == RuleChange(((stored, FUTURE),), (rule("2", start=FUTURE),), ())


def test_a_price_list_may_announce_the_next_price() -> None:
    stored = rule("1", start=PAST)
    change = plan([stored], [rule("1", end=FUTURE), rule("2", start=FUTURE)])
    assert change == RuleChange(((stored, FUTURE),), (rule("2", start=FUTURE),), ())


def test_an_announced_price_may_come_at_once() -> None:
    stored = [rule("1", start=PAST, end=FUTURE), rule("2", start=FUTURE)]
    change = plan(stored, [rule("2")])
    added = rule("2", start=NOW, end=FUTURE)
    assert change == RuleChange(((stored[0], NOW),), (added,), (stored[1],))


def test_a_rule_that_has_ended_may_stay_in_the_file() -> None:
    stored = [rule("1", start=PAST, end=NOW - DAY), rule("2", start=NOW - DAY)]
    desired = [rule("1", end=NOW - DAY), rule("2", start=NOW - DAY)]
    assert plan(stored, desired) == RuleChange((), (), (stored[1],))


def test_history_is_left_alone_when_the_file_lacks_it() -> None:
    assert plan([rule(start=PAST, end=NOW)], []) == RuleChange((), (), ())


@pytest.mark.parametrize(
    ("stored", "desired"),
    [
        ([], rule(start=PAST)),
        ([rule("1", start=PAST)], rule("2", start=PAST)),
        ([rule("1", start=PAST)], rule("1", end=NOW - DAY)),
        ([rule("1", start=PAST, end=NOW - DAY)], rule("1", start=PAST)),
        ([rule("1", start=PAST, end=NOW - DAY)], rule("2", start=PAST, end=NOW - DAY)),
    ],
    ids=[
        "new",
        "price",
        "end",
        "reopened",
        "price of an ended one",
    ],
)
def test_prices_of_rated_periods_cannot_change(stored: list[Rule], desired: Rule) -> None:
    with pytest.raises(errors.OperatorError, match=r"instance\.flavor=m1 ") as caught:
        plan(stored, [desired])
    assert str(caught.value) == (
        f"{rule_change.describe(desired)}: would change prices before 2026-03-01T00:00:00Z, which "
        "are final; choose a start and an end at or after that time, remove the start, or use "
        "--retroactive"
    )


@pytest.mark.parametrize("retroactive", [False, True])
@pytest.mark.parametrize(
    ("stored", "desired"),
    [
        ([], rule(end=PAST)),
        ([rule("1", start=PAST, end=NOW - DAY)], rule("2", end=NOW - DAY)),
        ([rule("1", end=PAST)], rule("1", end=PAST + DAY)),
    ],
    ids=["nothing", "another price", "ended before"],
)
def test_a_rule_without_start_that_ends_before_it_could_start_is_rejected(
    stored: list[Rule], desired: Rule, retroactive: bool
) -> None:
    with pytest.raises(errors.OperatorError) as caught:
        plan(stored, [desired], retroactive=retroactive)
    assert str(caught.value) == (
        f"{rule_change.describe(desired)}: has no start, and no stored rule with this price is in "
        "force until then: it would start at 2026-03-01T00:00:00Z, not before its end; give it "
        "a start"
    )


class TestRetroactive:
    """Desired rules may change earlier prices; stored rules that they do not concern stay."""

    def test_another_price_from_a_start_in_the_past(self) -> None:
        stored = rule("1")
        change = plan([stored], [rule("2", start=PAST)], retroactive=True)
        assert change == RuleChange(((stored, PAST),), (rule("2", start=PAST),), ())

    def test_another_price_for_the_rule_that_started_then(self) -> None:
        stored = rule("1", start=PAST)
        change = plan([stored], [rule("2", start=PAST)], retroactive=True)
        assert change == RuleChange(((stored, PAST),), (rule("2", start=PAST),), ())

    def test_an_end_in_the_past(self) -> None:
        stored = rule("1", start=PAST)
        for desired in (rule("1", end=NOW - DAY), rule("1", start=PAST, end=NOW - DAY)):
            change = plan([stored], [desired], retroactive=True)
            assert change == RuleChange(((stored, NOW - DAY),), (), ())

    def test_an_end_in_the_past_ends_what_only_goes_on_with_the_price(self) -> None:
        stored = [rule("1", start=PAST, end=NOW - DAY), rule("1", start=NOW - DAY)]
        change = plan(stored, [rule("1", end=NOW - 2 * DAY)], retroactive=True)
        closed = ((stored[0], NOW - 2 * DAY), (stored[1], NOW - DAY))
        assert change == RuleChange(closed, (), ())

    def test_a_price_for_some_days_leaves_those_before_and_after(self) -> None:
        stored = [rule("1", end=PAST), rule("2", start=PAST, end=NOW)]
        desired = rule("3", start=PAST - DAY, end=PAST + DAY)
        change = plan(stored, [desired], retroactive=True)
        assert change == RuleChange(
            ((stored[0], PAST - DAY), (stored[1], PAST)),
            (desired, rule("2", start=PAST + DAY, end=NOW)),
            (),
        )

    def test_a_rule_that_the_file_lacks_ends_at_the_time_of_the_change(self) -> None:
        stored = [rule("1"), rule("2", value="m2", start=PAST + DAY), rule("3", value="m3")]
        change = plan(stored, [rule("3", value="m3")], at=PAST, retroactive=True)
        closed = ((stored[0], PAST), (stored[1], PAST + DAY))
        assert change == RuleChange(closed, (), (stored[2],))


def test_every_rejected_rule_is_named() -> None:
    desired = [rule(value="a", start=PAST), rule(value="b", start=PAST), rule(value="c")]
    with pytest.raises(errors.OperatorError) as caught:
        plan([], desired)
    lines = str(caught.value).splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        "instance.flavor=a",
        "instance.flavor=b",
    ]


def test_a_start_in_the_past_is_fine_while_nothing_has_been_rated() -> None:
    change = plan([rule("1")], [rule("2", start=PAST)], open_start=True)
    assert change == RuleChange(((rule("1"), PAST),), (rule("2", start=PAST),), ())


def test_desired_rules_must_not_overlap() -> None:
    with pytest.raises(errors.OperatorError, match=r"instance.*: overlaps instance.*"):
        plan([], [rule("1", end=FUTURE), rule("2", start=FUTURE - DAY)])


def test_a_desired_rule_must_not_end_before_it_starts() -> None:
    with pytest.raises(errors.OperatorError, match="ends before it starts"):
        plan([], [rule(start=FUTURE, end=FUTURE - DAY)])


@pytest.mark.parametrize(
    ("member", "text"),
    [
        (rule("0.020", group="uptime"), "instance.flavor=m1 flat 0.02 group uptime"),
        (rule("1E+2", CostType.RATE, value="a b"), "instance.flavor='a b' rate 100"),
        (rule(value=None), "instance.flavor=null flat 1"),
        (rule(value="null"), "instance.flavor='null' flat 1"),
        (rule(value=""), "instance.flavor='' flat 1"),
        (
            rule("-1", scope="p1", start=PAST, end=NOW),
            "instance.flavor=m1 flat -1 scope p1 "
            "from 2026-01-30T00:00:00Z until 2026-03-01T00:00:00Z",
        ),
        (MappingRule(RuleTarget("cpu"), None, Terms(Decimal(0), CostType.FLAT)), "cpu flat 0"),
        (
            ThresholdRule(
                RuleTarget("volume"), Decimal("1000"), Terms(Decimal("0.9"), CostType.RATE)
            ),
            "volume>=1000 rate 0.9",
        ),
        (
            ThresholdRule(
                RuleTarget("instance", "vcpus"), Decimal("4.50"), Terms(Decimal(1), CostType.FLAT)
            ),
            "instance.vcpus>=4.5 flat 1",
        ),
    ],
)
def test_a_rule_is_described_in_one_line(member: Rule, text: str) -> None:
    assert rule_change.describe(member) == text


# Properties -----------------------------------------------------------------------------

MOMENTS = [NOW + n * DAY for n in range(10)]


@st.composite
def rule_files(draw: st.DrawFn) -> list[Rule]:
    rules: list[Rule] = []
    for _ in range(draw(st.integers(0, 5))):
        candidate = rule(
            draw(st.sampled_from(["1", "2"])),
            value=draw(st.sampled_from(["m1", "m2"])),
            start=draw(st.one_of(st.none(), st.sampled_from(MOMENTS))),
            end=draw(st.one_of(st.none(), st.sampled_from(MOMENTS))),
        )
        together = [*rules, candidate]
        valid = any(candidate.terms.in_force(moment) for moment in [PAST, *MOMENTS])
        if valid and all(len(set(keys)) == len(keys) for keys in keys_in_force(together)):
            rules.append(candidate)
    return rules


def keys_in_force(rules: Sequence[Rule]) -> list[list[rule_change.Identity]]:
    return [
        [rule_change.identity(member) for member in rules if member.terms.in_force(moment)]
        for moment in [PAST, *MOMENTS]
    ]


def price_list(rules: Iterable[Rule], moment: datetime.datetime) -> set[object]:
    return {
        (rule_change.identity(member), member.terms.cost, member.terms.type)
        for member in rules
        if member.terms.in_force(moment)
    }


@given(st.lists(rule_files(), min_size=1, max_size=4), st.integers(0, 2), st.data())
@settings(max_examples=80, deadline=None)
def test_every_change_brings_the_file_into_force_and_leaves_history(
    files: list[list[Rule]], unrated: int, data: st.DataObject
) -> None:
    stored: list[Rule] = []
    first = 0
    for number, desired in enumerate(files):
        first = data.draw(st.integers(first, len(MOMENTS) - 1))
        at = data.draw(st.integers(first, len(MOMENTS) - 1))
        horizon = Horizon(
            MOMENTS[at], None if number < unrated else MOMENTS[first], number < unrated
        )
        book = RuleBook(number, tuple(stored))
        try:
            change = rule_change.plan(book, desired, horizon)
        except errors.OperatorError:
            continue
        after = rule_change.apply(book, change)
        assert set(change.keep) <= set(stored) - set(dict(change.close))
        assert all(len(set(keys)) == len(keys) for keys in keys_in_force(after.rules))
        for moment in MOMENTS[at:]:
            assert price_list(after.rules, moment) == price_list(desired, moment)
        for moment in [PAST, *MOMENTS]:
            if moment < change.since or (number >= unrated and moment < MOMENTS[first]):
                assert price_list(after.rules, moment) == price_list(stored, moment)
        again = rule_change.plan(after, desired, horizon)
        assert (again.close, again.add) == ((), ())
        stored = list(after.rules)


@given(rule_files(), rule_files(), st.sampled_from(MOMENTS))
@settings(max_examples=80, deadline=None)
def test_a_retroactive_change_is_whole_and_is_not_made_twice(
    before: list[Rule], desired: list[Rule], at: datetime.datetime
) -> None:
    try:
        stored = plan([], before, MOMENTS[0], open_start=True).add
        horizon = Horizon(at)
        change = rule_change.plan(RuleBook(1, stored), desired, horizon)
    except errors.OperatorError:
        return
    after = rule_change.apply(RuleBook(1, stored), change)
    assert all(len(set(keys)) == len(keys) for keys in keys_in_force(after.rules))
    for moment in [PAST, *MOMENTS]:
        now = dict(prices(after.rules, moment))
        expected = dict(prices(desired, moment, with_start=moment < at))
        assert {key: now.get(key) for key in expected} == expected
        if moment >= at:
            assert now == expected
        if moment < change.since:
            assert now == dict(prices(stored, moment))
    again = rule_change.plan(after, desired, horizon)
    assert (again.close, again.add) == ((), ())


def prices(
    rules: Iterable[Rule], moment: datetime.datetime, with_start: bool = False
) -> Iterable[tuple[rule_change.Identity, object]]:
    """Yield the prices in force at a moment; ``with_start``: only of rules with a start."""
    for member in rules:
        if member.terms.in_force(moment) and not (with_start and member.terms.start is None):
            yield rule_change.identity(member), (member.terms.cost, member.terms.type)


@given(rule_files(), rule_files())
@settings(max_examples=25, deadline=None)
def test_a_file_without_starts_and_ends_in_the_past_is_never_rejected(
    before: list[Rule], after: list[Rule]
) -> None:
    at = MOMENTS[0]
    files = [[member for member in file if member.terms.end != at] for file in (before, after)]
    stored = plan([], files[0], at).add
    book = rule_change.apply(RuleBook(1, stored), plan(stored, files[1], at))
    assert price_list(book.rules, at) == price_list(files[1], at)


@given(rule_files())
@settings(max_examples=20, deadline=None)
def test_the_order_of_rules_in_the_file_changes_nothing(desired: list[Rule]) -> None:
    forwards = plan([], desired, MOMENTS[0], open_start=True)
    backwards = plan([], desired[::-1], MOMENTS[0], open_start=True)
    assert set(forwards.add) == set(backwards.add)

"""What a counter grew by, across a resource's revisions: ``re_aggregation_method: rate:...``."""

import dataclasses
import datetime
import itertools
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ratekit.domain.usage.reducers import RATES
from tests.fakes import Resource
from tests.unit.domain.lives import (
    FLAVORS,
    HOUR,
    HOURS,
    How,
    Instant,
    Used,
    at,
    by_flavor,
    life,
    used,
)  # fmt: skip


def rate(reducer: str = "sum", granularity: int = 3600, wait: int = 2, count: int = 1) -> How:
    return How(granularity, reducer, wait, count=count, rate=True)


def hourly(resource: Resource, how: How) -> list[Decimal | None]:
    found = by_flavor(used(resource, how))
    assert {flavor for flavor, _ in found} <= {"small"}
    return [found.get(("small", hour)) for hour in range(how.first, how.first + how.count)]


# At the edges -------------------------------------------------------------------------------


def test_an_hour_costs_what_the_counter_grew_by() -> None:
    counting = life({-60: 100.0, 0: 130.5, 60: 130.5, 120: 200.0}, (-600, "small"))
    assert hourly(counting, rate(count=3)) == [Decimal("30.5"), 0, Decimal("69.5")]


@pytest.mark.parametrize("reducer", RATES)
def test_all_methods_agree_where_a_bucket_is_a_period(reducer: str) -> None:
    counting = life({-60: 100.0, 0: 130.5}, (-600, "small"))
    assert hourly(counting, rate(reducer)) == [Decimal("30.5")]


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [("sum", 120), ("mean", 10), ("max", 30), ("min", 5), ("first", 5), ("last", 30)],
)
def test_with_small_buckets_the_method_reduces_the_differences(reducer: str, expected: int) -> None:
    grown = [5, 30, 5, 5, 5, 5, 5, 5, 5, 5, 15, 30]
    values = {-5: 1000.0}
    for index, growth in enumerate(grown):
        values[5 * index] = values[5 * index - 5] + growth
    assert hourly(life(values, (-600, "small")), rate(reducer, 300)) == [expected]


def test_a_counter_that_starts_again_counts_what_it_stands_at() -> None:
    counting = life({-60: 100.0, 0: 7.0, 60: 9.0}, (-600, "small"))
    assert hourly(counting, rate(count=2)) == [7, 2]


@given(st.floats(1e3, 1e18), st.integers(1, 59))
def test_a_counter_that_stands_still_costs_nothing_when_its_bucket_is_cut(
    value: float, minute: int
) -> None:
    """A cut bucket is known to 15 digits, a whole one to 17."""
    idle = life({-60: value, 0: value, 60: value}, (-600, "small"), (minute, "small"))
    for quantity in hourly(idle, rate(count=2)):
        assert quantity is not None
        assert 0 <= quantity <= Decimal(value) * Decimal("1e-14")


def test_the_first_bucket_of_a_new_counter_counts_in_full() -> None:
    counting = life({0: 7.0, 60: 9.0}, (20, "small"))
    assert hourly(counting, rate(count=2)) == [7, 2]


@pytest.mark.parametrize(
    ("started", "expected"), [(30, 7), (-60, 7), (-61, None), (-600, None), (70, 7)]
)
def test_the_first_bucket_of_a_counter_older_than_a_period_counts_nothing(
    started: int, expected: int | None
) -> None:
    counting = life({0: 7.0, 60: 9.0}, (-600, "small"), started=started)
    assert hourly(counting, rate(count=2)) == [expected, 2]


def test_what_a_counter_grew_by_over_a_long_gap_is_not_known() -> None:
    """A bucket is compared with one at most a period before."""
    counting = life({-60: 100.0, 60: 130.0, 120: 131.0}, (-600, "small"))
    assert hourly(counting, rate(count=3)) == [None, None, 1]
    fine = life({-65: 100.0, 0: 130.0, 55: 131.0, 115: 133.0}, (-600, "small"))
    assert hourly(fine, rate("sum", 300, count=2)) == [1, 2]


def test_a_bucket_from_a_short_gap_has_all_that_was_used_in_it() -> None:
    counting = life({-30: 100.0, 25: 130.0, 55: 131.0}, (-600, "small"))
    assert hourly(counting, rate("sum", 300)) == [31]


def test_a_resize_at_20_past_shares_the_growth_by_time() -> None:
    resized = life({-60: 100.0, 0: 130.0}, (-600, "small"), (20, "large"))
    for reducer in RATES:
        assert by_flavor(used(resized, rate(reducer))) == {("small", 0): 10, ("large", 0): 20}


def test_a_resize_on_the_hour_loses_nothing() -> None:
    """Gnocchi takes differences inside each revision, so its own ``rate:`` loses the hour's."""
    for granularity in (300, 3600):
        step = granularity // 60
        values = {minute: 2.0 * minute + 500 for minute in range(-60, 120, step)}
        resized = life(values, (-600, "small"), (60, "large"))
        found = by_flavor(used(resized, rate("sum", granularity, count=2)))
        assert found == {("small", 0): 120, ("large", 1): 120}


def test_a_rename_changes_nothing_at_all() -> None:
    values = {minute: 0.1 * minute + 500 for minute in range(-60, 120, 5)}
    for reducer in RATES:
        how = rate(reducer, 300, count=2)
        plain = used(life(values, (-600, "small")), how)
        for cut in (1, 5, 57, 60, 61):
            assert used(life(values, (-600, "small"), (cut, "small")), how) == plain


def test_the_last_revision_has_it_all_where_revisions_are_not_told_apart() -> None:
    resized = life({-60: 100.0, 0: 130.0}, (-600, "small"), (20, "large"))
    how = dataclasses.replace(rate("sum"), split=False)
    assert by_flavor(used(resized, how)) == {("large", 0): 30}


# Against the true life, in fractions --------------------------------------------------------


@st.composite
def counters(draw: st.DrawFn) -> tuple[Resource, int]:
    """A counter over five hours after six, and the granularity of its buckets.

    It grows in eighths, starts again now and then, and is silent for a while now and then.
    """
    granularity = draw(st.sampled_from([600, 1200, 3600]))
    born = draw(st.sampled_from([-600, -70, -60, 0, 30, 65, 120, 200]))
    cuts = draw(st.lists(st.integers(born + 1, HOURS * 60 + 70), max_size=4, unique=True))
    turns = [(born, draw(FLAVORS)), *((cut, draw(FLAVORS)) for cut in sorted(cuts))]
    buckets: dict[int, float] = {}
    value = draw(st.integers(0, 10**6))
    for minute in range(-120, HOURS * 60 + 120, granularity // 60):
        value = draw(st.integers(0, 50)) if draw(st.integers(0, 9)) == 0 else value
        value += draw(st.integers(0, 10**4))
        if draw(st.integers(0, 4)):
            buckets[minute] = value / 8
    return life(buckets, *turns), granularity


def growths(resource: Resource, how: How, hour: int) -> Mapping[Instant, Fraction]:
    """What the counter grew by in each bucket of an hour: the design's words."""
    begin, end = at(60 * hour), at(60 * hour + 60)
    first = resource.phases[0]
    if first.start >= end + how.wait * HOUR:
        return {}
    values = {bucket: Fraction(value) for bucket, value in sorted(resource.buckets.items())}
    grown = {}
    for bucket, value in values.items():
        earlier = [one for one in values if bucket - HOUR <= one < bucket]
        if not begin <= bucket < end:
            continue
        if earlier:
            before = values[earlier[-1]]
            grown[bucket] = value - before if value >= before else value
        elif first.start >= bucket - HOUR:
            grown[bucket] = value
    return grown


@given(counters(), st.integers(0, 3), st.booleans())
def test_what_is_used_is_what_the_counter_grew_by(
    drawn: tuple[Resource, int], wait: int, split: bool
) -> None:
    """Whatever labels it had meanwhile."""
    resource, granularity = drawn
    how = dataclasses.replace(rate("sum", granularity, wait=wait, count=HOURS), split=split)
    sums: dict[Instant, Fraction] = {}
    for (_, begin), quantity in used(resource, how).items():
        sums[begin] = sums.get(begin, Fraction(0)) + Fraction(quantity)
    for hour in range(HOURS):
        grown = growths(resource, how, hour)
        assert (at(60 * hour) in sums) == bool(grown)
        # Labels' shares are rounded to 18 places each.
        difference = abs(sums.get(at(60 * hour), Fraction(0)) - sum(grown.values(), Fraction(0)))
        assert difference <= Fraction(4, 10**18)


@given(counters(), st.sampled_from(["mean", "max", "last", "median", "min", "first"]))
def test_a_counter_that_is_never_relabelled_is_reduced_as_the_method_says(
    drawn: tuple[Resource, int], reducer: str
) -> None:
    resource, granularity = drawn
    steady = dataclasses.replace(
        resource, phases=[dataclasses.replace(resource.phases[0], end=None)]
    )
    how = rate(reducer, granularity, count=HOURS)
    found = {begin: Fraction(quantity) for (_, begin), quantity in used(steady, how).items()}
    for hour in range(HOURS):
        grown = list(growths(steady, how, hour).values())
        expected = {
            "mean": lambda g: sum(g, Fraction(0)) / len(g),
            "max": max,
            "min": min,
            "first": lambda g: g[0],
            "last": lambda g: g[-1],
            "median": lambda g: (sorted(g)[(len(g) - 1) // 2] + sorted(g)[len(g) // 2]) / 2,
        }
        if grown:
            exact = Fraction(expected[reducer](grown))  # type: ignore[operator]
            assert abs(found[at(60 * hour)] - exact) <= Fraction(1, 2 * 10**18)
        else:
            assert at(60 * hour) not in found


@given(
    counters(),
    st.sampled_from(sorted(RATES)),
    st.integers(0, 3),
    st.booleans(),
    st.lists(st.integers(1, HOURS - 1), unique=True, max_size=HOURS - 1),
)
def test_windows_change_nothing(
    drawn: tuple[Resource, int], reducer: str, wait: int, split: bool, cuts: list[int]
) -> None:
    """Promise 13: hour by hour is a month at once."""
    resource, granularity = drawn
    how = dataclasses.replace(rate(reducer, granularity, wait=wait), split=split)
    whole = used(resource, dataclasses.replace(how, count=HOURS))
    parts: Used = {}
    for first, end in itertools.pairwise([0, *sorted(cuts), HOURS]):
        parts |= used(resource, dataclasses.replace(how, first=first, count=end - first))
    assert parts == whole


@given(counters(), st.sampled_from(sorted(RATES)), st.integers(-100, 400))
def test_a_revision_that_changes_no_label_changes_no_usage(
    drawn: tuple[Resource, int], reducer: str, minute: int
) -> None:
    resource, granularity = drawn
    first = resource.phases[0]
    turns = [(phase.start, phase.attributes) for phase in resource.phases]
    cut = at(minute)
    if cut <= first.start or any(start == cut for start, _ in turns):
        return
    attributes = next(known for start, known in reversed(turns) if start < cut)
    assume(not hides_a_part(resource, cut, granularity))
    turns = sorted([*turns, (cut, attributes)], key=lambda turn: turn[0])
    ends = [*(start for start, _ in turns[1:]), None]
    phases = [
        dataclasses.replace(first, start=start, end=end, attributes=known)
        for (start, known), end in zip(turns, ends, strict=True)
    ]
    how = rate(reducer, granularity, count=HOURS)
    renamed = dataclasses.replace(resource, phases=phases)
    assert_same(used(renamed, how), used(resource, how))


def hides_a_part(resource: Resource, cut: Instant, granularity: int) -> bool:
    """Whether nothing was measured from ``cut`` to one end of the phase that it is in."""
    phase = next(one for one in reversed(resource.phases) if one.start < cut)
    step = datetime.timedelta(seconds=granularity)

    def is_seen(start: Instant, end: Instant | None) -> bool:
        return any(
            bucket + step > start and (end is None or bucket < end) for bucket in resource.buckets
        )

    return not (is_seen(phase.start, cut) and is_seen(cut, phase.end))


def test_a_resize_is_known_from_the_first_revision_with_a_measure() -> None:
    """Gnocchi returns no revision without one, so nobody can say what it was."""
    values = {minute: 2.0 * minute + 500 for minute in (-5, 0, 5, 45)}
    plain = life(values, (-600, "small"), (30, "large"))
    renamed = life(values, (-600, "small"), (30, "large"), (36, "large"))
    how = rate("max", 300)
    assert by_flavor(used(plain, how)) == {("small", 0): 5, ("large", 0): 40}
    assert by_flavor(used(renamed, how)) == {("small", 0): 6, ("large", 0): 32}


def assert_same(one: Used, other: Used) -> None:
    assert one.keys() == other.keys()
    # Undoing a cover rounds to 15 significant digits of up to seven before the point.
    assert all(abs(one[key] - other[key]) <= Decimal("1e-7") for key in one)


def test_the_hours_of_a_day_make_the_growth_of_the_day() -> None:
    values = {minute: 3.0 * minute + 7 for minute in range(-60, 24 * 60, 5)}
    turns = [(-600, "small"), *((97 * n, "large" if n % 2 else "small") for n in range(1, 14))]
    how = rate("sum", 300, count=24)
    total = sum(used(life(values, *turns), how).values(), Decimal(0))
    assert abs(total - 3 * 24 * 60) < Decimal("1e-15")

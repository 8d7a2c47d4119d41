"""The growth of a counter across a resource's revisions: ``re_aggregation_method: rate:...``."""

import dataclasses
import datetime
import itertools
import sys
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ratekit.domain.usage.counter import Counter
from ratekit.domain.usage.reducers import RATES
from ratekit.domain.usage.remarks import Remark
from tests.fakes import Resource
from tests.unit.domain.resource_histories import (
    FLAVORS,
    HOUR,
    HOURS,
    Instant,
    Quantities,
    Settings,
    all_usages,
    at,
    build_resource,
    by_flavor,
    quantities,
)  # fmt: skip

#: Growth over more than an hour does not count.
STRICT = Counter(HOUR)
#: The counters start with their resources.
FIRST = Counter(HOUR, counts_first=True)


def rate(
    reducer: str = "sum",
    granularity: int = 3600,
    wait: int = 2,
    count: int = 1,
    counter: Counter = STRICT,
) -> Settings:
    return Settings(granularity, reducer, wait, count=count, counter=counter)


def hourly(resource: Resource, settings: Settings) -> list[Decimal | None]:
    result = by_flavor(quantities(resource, settings))
    assert {flavor for flavor, _ in result} <= {"small"}
    return [
        result.get(("small", hour))
        for hour in range(settings.first, settings.first + settings.count)
    ]


# At the edges -------------------------------------------------------------------------------


def test_an_hour_costs_the_growth_of_the_counter() -> None:
    counting = build_resource({-60: 100.0, 0: 130.5, 60: 130.5, 120: 200.0}, (-600, "small"))
    assert hourly(counting, rate(count=3)) == [Decimal("30.5"), 0, Decimal("69.5")]


@pytest.mark.parametrize("reducer", RATES)
def test_all_methods_agree_where_a_bucket_is_a_period(reducer: str) -> None:
    counting = build_resource({-60: 100.0, 0: 130.5}, (-600, "small"))
    assert hourly(counting, rate(reducer)) == [Decimal("30.5")]


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [("sum", 120), ("mean", 10), ("max", 30), ("min", 5), ("first", 5), ("last", 30)],
)
def test_with_small_buckets_the_method_reduces_the_differences(reducer: str, expected: int) -> None:
    increments = [5, 30, 5, 5, 5, 5, 5, 5, 5, 5, 15, 30]
    values = {-5: 1000.0}
    for index, increment in enumerate(increments):
        values[5 * index] = values[5 * index - 5] + increment
    assert hourly(build_resource(values, (-600, "small")), rate(reducer, 300)) == [expected]


def test_a_counter_that_restarts_counts_with_its_value() -> None:
    counting = build_resource({-60: 100.0, 0: 7.0, 60: 9.0}, (-600, "small"))
    assert hourly(counting, rate(count=2)) == [7, 2]


@given(st.floats(1e3, 1e18), st.integers(1, 59))
def test_a_counter_that_stands_still_costs_nothing_when_its_bucket_is_cut(
    value: float, minute: int
) -> None:
    """A cut bucket is exact to 15 digits, a whole one to 17."""
    idle = build_resource({-60: value, 0: value, 60: value}, (-600, "small"), (minute, "small"))
    for quantity in hourly(idle, rate(count=2)):
        assert quantity is not None
        assert 0 <= quantity <= Decimal(value) * Decimal("1e-14")


def test_the_first_bucket_of_a_new_counter_counts_in_full() -> None:
    counting = build_resource({0: 7.0, 60: 9.0}, (20, "small"))
    assert hourly(counting, rate(count=2, counter=FIRST)) == [7, 2]


def test_the_first_value_of_a_counter_is_no_usage() -> None:
    """Its record may be newer than the counter: 3 TB must not be the first hour's usage."""
    counting = build_resource({0: 3e12, 60: 3e12 + 5}, (20, "small"))
    assert hourly(counting, rate(count=2)) == [None, 5]


@pytest.mark.parametrize(
    ("started", "expected"), [(30, 7), (-60, 7), (-61, None), (-600, None), (70, 7)]
)
def test_the_first_bucket_of_a_counter_older_than_a_period_counts_nothing(
    started: int, expected: int | None
) -> None:
    counting = build_resource({0: 7.0, 60: 9.0}, (-600, "small"), started=started)
    assert hourly(counting, rate(count=2, counter=FIRST)) == [expected, 2]


def test_the_growth_over_a_long_gap_is_not_counted() -> None:
    """A bucket is compared with one at most the gap before."""
    counting = build_resource({-60: 100.0, 60: 130.0, 120: 131.0}, (-600, "small"))
    assert hourly(counting, rate(count=3)) == [None, None, 1]
    fine = build_resource({-65: 100.0, 0: 130.0, 55: 131.0, 115: 133.0}, (-600, "small"))
    assert hourly(fine, rate("sum", 300, count=2)) == [1, 2]


def test_a_bucket_after_a_short_gap_has_the_growth_of_the_gap() -> None:
    counting = build_resource({-30: 100.0, 25: 130.0, 55: 131.0}, (-600, "small"))
    assert hourly(counting, rate("sum", 300)) == [31]


def test_a_resize_at_20_past_shares_the_growth_by_time() -> None:
    resized = build_resource({-60: 100.0, 0: 130.0}, (-600, "small"), (20, "large"))
    for reducer in RATES:
        assert by_flavor(quantities(resized, rate(reducer))) == {("small", 0): 10, ("large", 0): 20}


def test_a_resize_on_the_hour_loses_nothing() -> None:
    """Gnocchi takes differences inside each revision, so its own ``rate:`` loses the hour's."""
    for granularity in (300, 3600):
        step = granularity // 60
        values = {minute: 2.0 * minute + 500 for minute in range(-60, 120, step)}
        resized = build_resource(values, (-600, "small"), (60, "large"))
        result = by_flavor(quantities(resized, rate("sum", granularity, count=2)))
        assert result == {("small", 0): 120, ("large", 1): 120}


def test_a_rename_changes_nothing_at_all() -> None:
    values = {minute: 0.1 * minute + 500 for minute in range(-60, 120, 5)}
    for reducer in RATES:
        settings = rate(reducer, 300, count=2)
        plain = quantities(build_resource(values, (-600, "small")), settings)
        for cut in (1, 5, 57, 60, 61):
            assert (
                quantities(build_resource(values, (-600, "small"), (cut, "small")), settings)
                == plain
            )


def test_without_split_the_last_revision_has_all_of_it() -> None:
    resized = build_resource({-60: 100.0, 0: 130.0}, (-600, "small"), (20, "large"))
    settings = dataclasses.replace(rate("sum"), split=False)
    assert by_flavor(quantities(resized, settings)) == {("large", 0): 30}


# Against the true history, in fractions --------------------------------------------------------


@st.composite
def counters(draw: st.DrawFn) -> tuple[Resource, int]:
    """A counter over five hours after six, and the granularity of its buckets.

    It grows in eighths; sometimes it restarts, sometimes a bucket is missing.
    """
    granularity = draw(st.sampled_from([600, 1200, 3600]))
    birth = draw(st.sampled_from([-600, -70, -60, 0, 30, 65, 120, 200]))
    cuts = draw(st.lists(st.integers(birth + 1, HOURS * 60 + 70), max_size=4, unique=True))
    turns = [(birth, draw(FLAVORS)), *((cut, draw(FLAVORS)) for cut in sorted(cuts))]
    buckets: dict[int, float] = {}
    value = draw(st.integers(0, 10**6))
    for minute in range(-120, HOURS * 60 + 120, granularity // 60):
        value = draw(st.integers(0, 50)) if draw(st.integers(0, 9)) == 0 else value
        value += draw(st.integers(0, 10**4))
        if draw(st.integers(0, 4)):
            buckets[minute] = value / 8
    return build_resource(buckets, *turns), granularity


def growths(resource: Resource, settings: Settings, hour: int) -> Mapping[Instant, Fraction]:
    """The growth of the counter in each bucket of an hour, as doc/arithmetic.rst defines it."""
    begin, end = at(60 * hour), at(60 * hour + 60)
    first = resource.phases[0]
    if first.start >= end + settings.patience or settings.counter is None:
        return {}
    gap = settings.counter.gap
    values = {bucket: Fraction(value) for bucket, value in sorted(resource.buckets.items())}
    growth = {}
    for bucket, value in values.items():
        if not begin <= bucket < end:
            continue
        earlier = [previous for previous in values if bucket - gap <= previous < bucket]
        if earlier:
            before = values[earlier[-1]]
            growth[bucket] = value - before if value >= before else value
        elif settings.counter.counts_first and first.start >= bucket - gap:
            growth[bucket] = value
    return growth


COUNTERS = st.builds(
    Counter,
    st.sampled_from([HOUR, 3 * HOUR, datetime.timedelta(minutes=30)]),
    st.booleans(),
)


@given(counters(), COUNTERS, st.integers(0, 3), st.booleans())
def test_usage_is_the_growth_of_the_counter(
    history: tuple[Resource, int], counter: Counter, wait: int, split: bool
) -> None:
    """Independently of its labels."""
    resource, granularity = history
    settings = rate("sum", granularity, wait=wait, count=HOURS, counter=counter)
    settings = dataclasses.replace(settings, split=split)
    sums: dict[Instant, Fraction] = {}
    for (_, begin), quantity in quantities(resource, settings).items():
        sums[begin] = sums.get(begin, Fraction(0)) + Fraction(quantity)
    for hour in range(HOURS):
        growth = growths(resource, settings, hour)
        assert (at(60 * hour) in sums) == bool(growth)
        # The labels' shares add up to the last digit.
        assert sums.get(at(60 * hour), 0) == sum(growth.values(), Fraction(0))


@given(counters(), st.sampled_from(["mean", "max", "last", "median", "min", "first"]))
def test_a_counter_without_changes_of_labels_is_reduced_by_its_method(
    history: tuple[Resource, int], reducer: str
) -> None:
    resource, granularity = history
    steady = dataclasses.replace(
        resource, phases=[dataclasses.replace(resource.phases[0], end=None)]
    )
    settings = rate(reducer, granularity, count=HOURS)
    result = {
        begin: Fraction(quantity) for (_, begin), quantity in quantities(steady, settings).items()
    }
    for hour in range(HOURS):
        growth = list(growths(steady, settings, hour).values())
        expected = {
            "mean": lambda g: sum(g, Fraction(0)) / len(g),
            "max": max,
            "min": min,
            "first": lambda g: g[0],
            "last": lambda g: g[-1],
            "median": lambda g: (sorted(g)[(len(g) - 1) // 2] + sorted(g)[len(g) // 2]) / 2,
        }
        if growth:
            exact = Fraction(expected[reducer](growth))  # type: ignore[operator]
            assert abs(result[at(60 * hour)] - exact) <= Fraction(1, 2 * 10**18)
        else:
            assert at(60 * hour) not in result


@given(
    counters(),
    COUNTERS,
    st.sampled_from(sorted(RATES)),
    st.integers(0, 3),
    st.booleans(),
    st.lists(st.integers(1, HOURS - 1), unique=True, max_size=HOURS - 1),
)
def test_windows_change_nothing(
    history: tuple[Resource, int],
    counter: Counter,
    reducer: str,
    wait: int,
    split: bool,
    cuts: list[int],
) -> None:
    """A window gives the same as its hours one by one (doc/architecture.rst)."""
    resource, granularity = history
    settings = rate(reducer, granularity, wait=wait, counter=counter)
    settings = dataclasses.replace(settings, split=split)
    whole = quantities(resource, dataclasses.replace(settings, count=HOURS))
    parts: Quantities = {}
    for first, end in itertools.pairwise([0, *sorted(cuts), HOURS]):
        parts |= quantities(resource, dataclasses.replace(settings, first=first, count=end - first))
    assert parts == whole


@given(counters(), st.sampled_from(sorted(RATES)), st.integers(-100, 400))
def test_a_revision_that_changes_no_label_changes_no_usage(
    history: tuple[Resource, int], reducer: str, minute: int
) -> None:
    resource, granularity = history
    first = resource.phases[0]
    turns = [(phase.start, phase.attributes) for phase in resource.phases]
    cut = at(minute)
    if cut <= first.start or any(start == cut for start, _ in turns):
        return
    attributes = next(values for start, values in reversed(turns) if start < cut)
    assume(not hides_a_part(resource, cut, granularity))
    turns = sorted([*turns, (cut, attributes)], key=lambda turn: turn[0])
    ends = [*(start for start, _ in turns[1:]), None]
    phases = [
        dataclasses.replace(first, start=start, end=end, attributes=values)
        for (start, values), end in zip(turns, ends, strict=True)
    ]
    settings = rate(reducer, granularity, count=HOURS)
    renamed = dataclasses.replace(resource, phases=phases)
    assert_same(quantities(renamed, settings), quantities(resource, settings))


def hides_a_part(resource: Resource, cut: Instant, granularity: int) -> bool:
    """Return whether there are no buckets between ``cut`` and one end of its phase."""
    phase = next(phase for phase in reversed(resource.phases) if phase.start < cut)
    step = datetime.timedelta(seconds=granularity)

    def has_bucket(start: Instant, end: Instant | None) -> bool:
        return any(
            bucket + step > start and (end is None or bucket < end) for bucket in resource.buckets
        )

    return not (has_bucket(phase.start, cut) and has_bucket(cut, phase.end))


def test_a_resize_counts_from_the_first_revision_with_a_measure() -> None:
    """Gnocchi does not return a revision without one. The gap's growth was seen by both."""
    values = {minute: 2.0 * minute + 500 for minute in (-5, 0, 5, 45)}
    plain = build_resource(values, (-600, "small"), (30, "large"))
    renamed = build_resource(values, (-600, "small"), (30, "large"), (36, "large"))
    settings = rate("max", 300)
    assert by_flavor(quantities(plain, settings)) == {("small", 0): 40, ("large", 0): 40}
    assert by_flavor(quantities(renamed, settings)) == {("small", 0): 48, ("large", 0): 32}


def assert_same(left: Quantities, right: Quantities) -> None:
    assert left.keys() == right.keys()
    # Undoing a cover rounds to 15 significant digits of up to seven before the point.
    assert all(abs(left[key] - right[key]) <= Decimal("1e-7") for key in left)


def test_the_hours_of_a_day_make_the_growth_of_the_day() -> None:
    values = {minute: 3.0 * minute + 7 for minute in range(-60, 24 * 60, 5)}
    turns = [(-600, "small"), *((97 * n, "large" if n % 2 else "small") for n in range(1, 14))]
    settings = rate("sum", 300, count=24)
    total = sum(quantities(build_resource(values, *turns), settings).values(), Decimal(0))
    assert abs(total - 3 * 24 * 60) < Decimal("1e-15")


# Gaps, first values, ends and moves -----------------------------------------------------------


DAY = Counter(24 * HOUR)


@pytest.mark.parametrize("count", [1, 3])
def test_growth_over_an_outage_counts_where_it_is_seen(count: int) -> None:
    """Silent from half past two until half past seven."""
    silent = build_resource({-210: 100.0, 90: 1300.0, 150: 1310.0}, (-6000, "small"))
    for first in (0, 1):
        settings = dataclasses.replace(rate("sum", 300, count=count, counter=DAY), first=first)
        result = by_flavor(quantities(silent, settings))
        assert result == {
            key: growth
            for key, growth in {("small", 1): 1200, ("small", 2): 10}.items()
            if first <= key[1] < first + count
        }


@pytest.mark.parametrize(("gap", "expected"), [(300, 1200), (299, None)])
def test_a_gap_is_measured_from_bucket_to_bucket(gap: int, expected: int | None) -> None:
    silent = build_resource({-210: 100.0, 90: 1300.0}, (-6000, "small"))
    counter = Counter(datetime.timedelta(minutes=gap))
    for first, count in ((1, 1), (0, 4), (-4, 8)):
        settings = dataclasses.replace(rate("sum", 300, counter=counter), first=first, count=count)
        result = by_flavor(quantities(silent, settings))
        assert result.get(("small", 1)) == expected


def test_growth_that_does_not_count_is_remarked_with_its_amount() -> None:
    silent = build_resource({0: 100.0, 120: 1300.0}, (-6000, "small"))
    remarks: list[Remark] = []
    settings = rate("sum", count=3, counter=Counter(HOUR))
    all_usages(silent, settings, remarks=remarks)
    assert [remark[1:] for remark in remarks] == [(at(0), None), (at(120), 1200)]


@pytest.mark.parametrize("recorded", [60, 85, 119])
def test_growth_after_the_end_counts_to_the_period_of_the_end(recorded: int) -> None:
    """Deleted at two to seven; the last poll is stored after seven."""
    buckets = {minute: 10.0 * minute + 900 for minute in (*range(-60, 60, 5), 60)}
    for ended in ((58, 58), (58, recorded)):
        deleted = build_resource(buckets, (-600, "small"), ended=ended)
        for count in (1, 3):
            assert hourly(deleted, rate("sum", 300, count=count))[0] == 600 + 50
        alone = dataclasses.replace(rate("sum", 300), first=1)
        assert quantities(deleted, alone) == {}


def test_growth_after_an_end_that_was_recorded_too_late_counts_where_it_is_seen() -> None:
    buckets = {minute: 10.0 * minute + 900 for minute in (*range(-60, 60, 5), 60)}
    deleted = build_resource(buckets, (-600, "small"), ended=(58, 130))
    for until in (None, at(600)):
        for count in (2, 4):
            settings = rate("sum", 300, count=count)
            again = dataclasses.replace(settings, records_until=until)
            assert hourly(deleted, again)[:2] == [600, 50]


def test_a_query_that_decides_sees_the_negative_step() -> None:
    counting = build_resource({-60: 100.0, 0: 60.0}, (-600, "small"))
    assert hourly(counting, rate(counter=Counter(HOUR, keeps_steps=True))) == [-40]
    assert hourly(counting, rate()) == [60]


def test_growth_between_two_polls_is_shared_by_time() -> None:
    """Polls at 6:00 and 6:30, a resize at 6:20: 25 minutes of growth from 6:05 to 6:35."""
    resized = build_resource({-30: 0.0, 0: 300.0, 30: 600.0}, (-600, "small"), (20, "large"))
    assert by_flavor(quantities(resized, rate("sum", 300))) == {
        ("small", 0): 300 + 150, ("large", 0): 150,
    }  # fmt: skip


@pytest.mark.parametrize("counter", [DAY, Counter(24 * HOUR, counts_first=True)])
def test_a_gap_counts_although_the_record_was_made_after_it(counter: Counter) -> None:
    """Measured at three and at five past six; the record was made at ten past six."""
    late = build_resource({-180: 100.0, 5: 140.0}, (10, "small"))
    for first, count in ((0, 1), (-4, 5), (0, 3)):
        settings = dataclasses.replace(rate("sum", 300, counter=counter), first=first, count=count)
        assert by_flavor(quantities(late, settings))["small", 0] == 40


def calls(hours: int) -> int:
    """Count the functions called for a counter that has a new revision every ten minutes."""
    minutes = range(0, 60 * hours, 10)
    turns = [(-600, "small"), *((minute, "large") for minute in minutes)]
    resource = build_resource({minute: 8.0 * minute for minute in minutes}, *turns)
    settings = rate("sum", 600, count=hours)
    count = 0

    def count_call(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(count_call)
    try:
        quantities(resource, settings)
    finally:
        sys.setprofile(None)
    return count


def test_the_work_grows_with_the_revisions_and_not_with_their_square() -> None:
    assert calls(96) < 6 * calls(24)

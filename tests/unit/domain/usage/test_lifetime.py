"""Prorated metrics: a period costs the share for which the resource existed."""

import dataclasses
import itertools
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.usage.lifetime import Life, find_end, find_life
from ratekit.domain.usage.metric import Mutate
from ratekit.domain.usage.revision import Revision
from tests.fakes import Phase, Resource
from tests.unit.domain.resource_histories import (
    FLAVORS,
    HOUR,
    HOURS,
    SIX,
    Quantities,
    Settings,
    at,
    build_resource,
    by_flavor,
    quantities,
)  # fmt: skip

LEVEL = dict.fromkeys(range(-60, 300, 5), 6.0)
HOURLY = dict.fromkeys(range(-60, 300, 60), 6.0)
UPTIME = Settings(3600, "mean", mutate=Mutate.NUMBOOL, prorate=True)


def prorated_settings(granularity: int = 3600, reducer: str = "mean", count: int = 1) -> Settings:
    return Settings(granularity, reducer, count=count, prorate=True)


def of_hour(minutes: int) -> Decimal:
    return Decimal(round(Fraction(minutes, 60) * 10**18)).scaleb(-18)


# At the edges -------------------------------------------------------------------------------


def test_a_resize_within_a_short_life_costs_each_label_its_minutes() -> None:
    """Born at 10, resized at 20, deleted at 50."""
    for granularity in (300, 3600):
        buckets = {m: 1.0 for m in range(0, 60, granularity // 60) if 10 <= m < 50 or m == 0}
        short = build_resource(buckets, (10, "small"), (20, "large"), ended=(50, 50))
        settings = dataclasses.replace(UPTIME, granularity=granularity)
        assert by_flavor(quantities(short, settings)) == {
            ("small", 0): of_hour(10), ("large", 0): of_hour(30),
        }  # fmt: skip


def test_a_life_is_prorated_after_the_mutation_and_before_the_rounding() -> None:
    birth = build_resource(HOURLY, (-600, "small"), started=40)
    settings = dataclasses.replace(prorated_settings(), factor=Fraction(1, 3), mutate=Mutate.CEIL)
    assert by_flavor(quantities(birth, settings)) == {("small", 0): Decimal("0.666666666666666667")}


@pytest.mark.parametrize("granularity", [300, 3600])
def test_the_hours_between_begin_and_end_cost_in_full(granularity: int) -> None:
    buckets = {m: v for m, v in LEVEL.items() if m * 60 % granularity == 0}
    alive = {m: v for m, v in buckets.items() if 0 <= m < 200}
    resource = build_resource(alive, (30, "small"), ended=(200, 201))
    assert by_flavor(quantities(resource, prorated_settings(granularity, count=5))) == {
        ("small", 0): 3, ("small", 1): 6, ("small", 2): 6, ("small", 3): 2,
    }  # fmt: skip


def test_a_record_made_after_the_birth_takes_nothing_from_the_first_label() -> None:
    late = build_resource(HOURLY, (12, "small"), (20, "large"), started=0)
    assert by_flavor(quantities(late, prorated_settings())) == {("small", 0): 2, ("large", 0): 4}


def test_a_deletion_whose_record_is_late_counts_from_when_it_was() -> None:
    deleted = build_resource({0: 6.0}, (-600, "small"), ended=(20, 45))
    assert by_flavor(quantities(deleted, prorated_settings())) == {("small", 0): 2}


def test_a_resize_after_the_end_costs_nothing() -> None:
    """It has a bucket, but no time in the life."""
    resized = build_resource({0: 6.0}, (-600, "small"), (40, "large"), ended=(20, 30))
    assert by_flavor(quantities(resized, prorated_settings())) == {("small", 0): 2}


@pytest.mark.parametrize("granularity", [300, 3600])
def test_a_measure_that_comes_after_the_hour_of_the_end_costs_nothing(granularity: int) -> None:
    stray = build_resource({0: 6.0, 60: 6.0}, (-600, "small"), ended=(30, 31))
    assert by_flavor(quantities(stray, prorated_settings(granularity, count=2))) == {
        ("small", 0): 3
    }


def test_a_measure_before_the_begin_costs_nothing() -> None:
    early = build_resource({0: 6.0, 60: 6.0}, (-600, "small"), started=90)
    assert by_flavor(quantities(early, prorated_settings(count=2))) == {("small", 1): 3}


def test_a_resource_that_came_back_has_not_ended() -> None:
    back = build_resource(HOURLY, (-600, "small"), (30, "small"), ended=(20, 20))
    phases = [*back.phases[:-1], dataclasses.replace(back.phases[-1], ended_at=None)]
    assert by_flavor(quantities(dataclasses.replace(back, phases=phases), prorated_settings())) == {
        ("small", 0): 6
    }


def test_a_resource_without_times_costs_its_hour() -> None:
    assert find_life(SIX, HOUR, None, None) == Life(SIX, at(60))


@pytest.mark.parametrize(
    ("recorded_at", "counts"), [(50, True), (60, True), (119, True), (120, False), (500, False)]
)
def test_only_what_was_recorded_in_time_counts(recorded_at: int, counts: bool) -> None:
    """By an hour after the period it was due, so that catching up later gives the same."""
    deleted = build_resource({0: 6.0}, (-600, "small"), ended=(20, recorded_at))
    for count in (1, 5):
        assert by_flavor(quantities(deleted, prorated_settings(count=count)))["small", 0] == (
            2 if counts else 6
        )


def records(*ends: tuple[float, float | None]) -> list[Revision]:
    """Revisions of a resource by (minute of the record, minute of its end)."""
    return [
        Revision((), at(minute), None, False, (), None, None if end is None else at(end))
        for minute, end in ends
    ]


def test_the_newest_record_of_the_end_counts() -> None:
    revisions = records((-600, None), (30, 20), (45, 10), (50, 40))
    assert find_end(revisions, at(120)) == at(40)
    assert find_end(revisions, at(50)) == at(10)
    assert find_end(revisions, at(30)) is None


def test_an_end_that_was_taken_back_does_not_count() -> None:
    revisions = records((-600, None), (30, 20), (65, None))
    assert find_end(revisions, at(120)) is None
    assert find_end(revisions, at(65)) == at(20)


@pytest.mark.parametrize("count", [1, 3])
def test_a_resource_that_a_late_measure_revives_costs_its_hour(count: int) -> None:
    """Ended at ten to seven; a measure of five past seven says that it still exists."""
    phases = [
        Phase(
            at(start),
            None if end is None else at(end),
            {"project_id": "p1", "flavor": "small"},
            ended_at,
        )
        for start, end, ended_at in ((-600, 50, None), (50, 65, at(50)), (65, None, None))
    ]
    revived = Resource("r1", phases, {at(minute): 6.0 for minute in (*range(0, 50, 5), 65, 70)})
    result = by_flavor(quantities(revived, prorated_settings(300, count=count)))
    assert result["small", 0] == 6


def test_without_split_the_last_revision_has_all_of_a_life() -> None:
    short = build_resource({0: 6.0}, (10, "small"), (20, "large"), ended=(50, 50))
    settings = dataclasses.replace(prorated_settings(), split=False)
    assert by_flavor(quantities(short, settings)) == {("large", 0): 4}


# Against the true history ----------------------------------------------------------------------


@st.composite
def ended_resources(draw: st.DrawFn) -> tuple[Resource, int, int, int]:
    """A resource that starts and ends; also: granularity, minute of the start, of the end."""
    granularity = draw(st.sampled_from([600, 1200, 3600]))
    birth = draw(st.integers(-100, 250))
    end = draw(st.integers(birth + 1, 320))
    cuts = draw(st.lists(st.integers(birth + 1, 330), max_size=3, unique=True))
    turns = [(birth, draw(FLAVORS)), *((cut, draw(FLAVORS)) for cut in sorted(cuts))]
    recorded_at = end + draw(st.integers(0, 30))
    step = granularity // 60
    first, last = birth // step * step, end
    buckets = {minute: 6.0 for minute in range(first, last, step)}
    return build_resource(buckets, *turns, ended=(end, recorded_at)), granularity, birth, end


def sums(quantities: Quantities) -> dict[int, Fraction]:
    result: dict[int, Fraction] = {}
    for (_, begin), quantity in quantities.items():
        hour = (begin - SIX) // HOUR
        result[hour] = result.get(hour, Fraction(0)) + Fraction(quantity)
    return result


@given(ended_resources(), st.sampled_from(["mean", "max", "last"]), st.booleans())
def test_with_equal_values_the_labels_pay_the_minutes_of_the_life(
    history: tuple[Resource, int, int, int], reducer: str, split: bool
) -> None:
    resource, granularity, birth, end = history
    settings = dataclasses.replace(prorated_settings(granularity, reducer, HOURS), split=split)
    result = sums(quantities(resource, settings))
    for hour in range(HOURS):
        minutes = max(0, min(end, 60 * hour + 60) - max(birth, 60 * hour))
        exact = Fraction(6 * minutes, 60)
        assert abs(result.get(hour, Fraction(0)) - exact) <= Fraction(4, 10**18)


@given(
    ended_resources(),
    st.sampled_from(["mean", "max", "last"]),
    st.integers(0, 3),
    st.booleans(),
    st.lists(st.integers(1, HOURS - 1), unique=True, max_size=HOURS - 1),
)
def test_windows_change_nothing(
    history: tuple[Resource, int, int, int],
    reducer: str,
    wait: int,
    split: bool,
    cuts: list[int],
) -> None:
    resource, granularity, _, _ = history
    settings = dataclasses.replace(prorated_settings(granularity, reducer), wait=wait, split=split)
    whole = quantities(resource, dataclasses.replace(settings, count=HOURS))
    parts: Quantities = {}
    for first, end in itertools.pairwise([0, *sorted(cuts), HOURS]):
        parts |= quantities(resource, dataclasses.replace(settings, first=first, count=end - first))
    assert parts == whole


@given(ended_resources(), st.integers(1, 400))
def test_a_revision_that_changes_no_label_changes_no_usage(
    history: tuple[Resource, int, int, int], minute: int
) -> None:
    resource, granularity, _, _ = history
    settings = prorated_settings(granularity, count=HOURS)
    phases = list(resource.phases)
    for index, phase in enumerate(phases):
        cut = at(minute)
        if phase.start < cut and (phase.end is None or cut < phase.end):
            phases[index : index + 1] = [
                dataclasses.replace(phase, end=cut), dataclasses.replace(phase, start=cut),
            ]  # fmt: skip
            break
    renamed = dataclasses.replace(resource, phases=phases)
    assert quantities(renamed, settings) == quantities(resource, settings)


@given(ended_resources())
def test_without_prorate_a_life_costs_whole_hours(
    history: tuple[Resource, int, int, int],
) -> None:
    resource, granularity, _, _ = history
    hourly = set(sums(quantities(resource, Settings(granularity, count=HOURS))).values())
    assert all(abs(quantity - 6) <= Fraction(4, 10**18) for quantity in hourly)

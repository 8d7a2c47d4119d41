"""Metrics that are prorated: a period costs as much as the resource existed of it."""

import dataclasses
import itertools
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.usage.lifetime import End, Life, find_life
from ratekit.domain.usage.metric import Mutate
from ratekit.domain.usage.revision import Revision
from tests.fakes import Resource
from tests.unit.domain.lives import (
    FLAVORS,
    HOUR,
    HOURS,
    SIX,
    How,
    Used,
    at,
    by_flavor,
    life,
    used,
)  # fmt: skip

LEVEL = dict.fromkeys(range(-60, 300, 5), 6.0)
HOURLY = dict.fromkeys(range(-60, 300, 60), 6.0)
UPTIME = How(3600, "mean", mutate=Mutate.NUMBOOL, prorate=True)


def prorated(granularity: int = 3600, reducer: str = "mean", count: int = 1) -> How:
    return How(granularity, reducer, count=count, prorate=True)


def of_hour(minutes: int) -> Decimal:
    return Decimal(round(Fraction(minutes, 60) * 10**18)).scaleb(-18)


# At the edges -------------------------------------------------------------------------------


def test_a_resize_within_a_short_life_costs_each_label_its_minutes() -> None:
    """Born at 10, resized at 20, deleted at 50."""
    for granularity in (300, 3600):
        buckets = {m: 1.0 for m in range(0, 60, granularity // 60) if 10 <= m < 50 or m == 0}
        short = life(buckets, (10, "small"), (20, "large"), ended=(50, 50))
        how = dataclasses.replace(UPTIME, granularity=granularity)
        assert by_flavor(used(short, how)) == {
            ("small", 0): of_hour(10), ("large", 0): of_hour(30),
        }  # fmt: skip


def test_a_life_is_prorated_after_the_mutation_and_before_the_rounding() -> None:
    born = life(HOURLY, (-600, "small"), started=40)
    how = dataclasses.replace(prorated(), factor=Fraction(1, 3), mutate=Mutate.CEIL)
    assert by_flavor(used(born, how)) == {("small", 0): Decimal("0.666666666666666667")}


@pytest.mark.parametrize("granularity", [300, 3600])
def test_the_hours_between_begin_and_end_cost_in_full(granularity: int) -> None:
    buckets = {m: v for m, v in LEVEL.items() if m * 60 % granularity == 0}
    alive = {m: v for m, v in buckets.items() if 0 <= m < 200}
    resource = life(alive, (30, "small"), ended=(200, 201))
    assert by_flavor(used(resource, prorated(granularity, count=5))) == {
        ("small", 0): 3, ("small", 1): 6, ("small", 2): 6, ("small", 3): 2,
    }  # fmt: skip


def test_a_record_made_after_the_birth_takes_nothing_from_the_first_label() -> None:
    late = life(HOURLY, (12, "small"), (20, "large"), started=0)
    assert by_flavor(used(late, prorated())) == {("small", 0): 2, ("large", 0): 4}


def test_a_deletion_whose_record_is_late_counts_from_when_it_was() -> None:
    deleted = life({0: 6.0}, (-600, "small"), ended=(20, 45))
    assert by_flavor(used(deleted, prorated())) == {("small", 0): 2}


def test_a_resize_after_the_end_costs_nothing() -> None:
    """Its bucket is there, its time is not."""
    odd = life({0: 6.0}, (-600, "small"), (40, "large"), ended=(20, 30))
    assert by_flavor(used(odd, prorated())) == {("small", 0): 2}


@pytest.mark.parametrize("granularity", [300, 3600])
def test_a_measure_that_comes_after_the_hour_of_the_end_costs_nothing(granularity: int) -> None:
    stray = life({0: 6.0, 60: 6.0}, (-600, "small"), ended=(30, 31))
    assert by_flavor(used(stray, prorated(granularity, count=2))) == {("small", 0): 3}


def test_a_measure_before_the_begin_costs_nothing() -> None:
    early = life({0: 6.0, 60: 6.0}, (-600, "small"), started=90)
    assert by_flavor(used(early, prorated(count=2))) == {("small", 1): 3}


def test_a_resource_that_came_back_has_not_ended() -> None:
    back = life(HOURLY, (-600, "small"), (30, "small"), ended=(20, 20))
    phases = [*back.phases[:-1], dataclasses.replace(back.phases[-1], ended_at=None)]
    assert by_flavor(used(dataclasses.replace(back, phases=phases), prorated())) == {
        ("small", 0): 6
    }


def test_a_resource_without_times_costs_its_hour() -> None:
    revision = Revision(("small",), at(-600), None, True, [(SIX, Decimal(1))])
    assert find_life(SIX, HOUR, HOUR, revision, ()) == Life(SIX, at(60))


@pytest.mark.parametrize(
    ("recorded", "counts"), [(50, True), (60, True), (179, True), (180, False), (500, False)]
)
def test_only_what_was_recorded_in_time_counts(recorded: int, counts: bool) -> None:
    """Two hours of patience, so that catching up later gives the same."""
    deleted = life({0: 6.0}, (-600, "small"), ended=(20, recorded))
    for count in (1, 5):
        assert by_flavor(used(deleted, prorated(count=count)))["small", 0] == (2 if counts else 6)


def test_the_newest_record_of_the_end_counts() -> None:
    revision = Revision(("small",), at(-600), None, True, [(SIX, Decimal(1))])
    ends = [End(at(30), at(20)), End(at(50), at(40)), End(at(45), at(10))]
    for order in itertools.permutations(ends):
        assert find_life(SIX, HOUR, HOUR, revision, order) == Life(SIX, at(40))


def test_an_end_before_the_period_is_not_known_from_a_longer_window_either() -> None:
    """Asked for from seven on, Gnocchi does not tell that it was corrected to half past six."""
    revision = Revision(("small",), at(-600), None, True, [(at(60), Decimal(1))])
    ends = [End(at(90), at(80)), End(at(95), at(30))]
    for known in (ends, ends[:1]):
        assert find_life(at(60), HOUR, HOUR, revision, known) == Life(at(60), at(80))


def test_the_last_revision_has_all_of_a_life_where_revisions_are_not_told_apart() -> None:
    short = life({0: 6.0}, (10, "small"), (20, "large"), ended=(50, 50))
    how = dataclasses.replace(prorated(), split=False)
    assert by_flavor(used(short, how)) == {("large", 0): 4}


# Against the true life ----------------------------------------------------------------------


@st.composite
def mortals(draw: st.DrawFn) -> tuple[Resource, int, int, int]:
    """A resource that is born and ends; also: granularity, minute of birth, of end."""
    granularity = draw(st.sampled_from([600, 1200, 3600]))
    born = draw(st.integers(-100, 250))
    died = draw(st.integers(born + 1, 320))
    cuts = draw(st.lists(st.integers(born + 1, 330), max_size=3, unique=True))
    turns = [(born, draw(FLAVORS)), *((cut, draw(FLAVORS)) for cut in sorted(cuts))]
    known = died + draw(st.integers(0, 30))
    step = granularity // 60
    first, last = born // step * step, died
    buckets = {minute: 6.0 for minute in range(first, last, step)}
    return life(buckets, *turns, ended=(died, known)), granularity, born, died


def sums(used: Used) -> dict[int, Fraction]:
    found: dict[int, Fraction] = {}
    for (_, begin), quantity in used.items():
        hour = (begin - SIX) // HOUR
        found[hour] = found.get(hour, Fraction(0)) + Fraction(quantity)
    return found


@given(mortals(), st.sampled_from(["mean", "max", "last"]), st.booleans())
def test_with_equal_values_the_labels_pay_the_minutes_of_the_life(
    drawn: tuple[Resource, int, int, int], reducer: str, split: bool
) -> None:
    resource, granularity, born, died = drawn
    how = dataclasses.replace(prorated(granularity, reducer, HOURS), split=split)
    found = sums(used(resource, how))
    for hour in range(HOURS):
        minutes = max(0, min(died, 60 * hour + 60) - max(born, 60 * hour))
        exact = Fraction(6 * minutes, 60)
        assert abs(found.get(hour, Fraction(0)) - exact) <= Fraction(4, 10**18)


@given(
    mortals(),
    st.sampled_from(["mean", "max", "last"]),
    st.integers(0, 3),
    st.booleans(),
    st.lists(st.integers(1, HOURS - 1), unique=True, max_size=HOURS - 1),
)
def test_windows_change_nothing(
    drawn: tuple[Resource, int, int, int],
    reducer: str,
    wait: int,
    split: bool,
    cuts: list[int],
) -> None:
    resource, granularity, _, _ = drawn
    how = dataclasses.replace(prorated(granularity, reducer), wait=wait, split=split)
    whole = used(resource, dataclasses.replace(how, count=HOURS))
    parts: Used = {}
    for first, end in itertools.pairwise([0, *sorted(cuts), HOURS]):
        parts |= used(resource, dataclasses.replace(how, first=first, count=end - first))
    assert parts == whole


@given(mortals(), st.integers(1, 400))
def test_a_revision_that_changes_no_label_changes_no_usage(
    drawn: tuple[Resource, int, int, int], minute: int
) -> None:
    resource, granularity, _, _ = drawn
    how = prorated(granularity, count=HOURS)
    phases = list(resource.phases)
    for index, phase in enumerate(phases):
        cut = at(minute)
        if phase.start < cut and (phase.end is None or cut < phase.end):
            phases[index : index + 1] = [
                dataclasses.replace(phase, end=cut), dataclasses.replace(phase, start=cut),
            ]  # fmt: skip
            break
    renamed = dataclasses.replace(resource, phases=phases)
    assert used(renamed, how) == used(resource, how)


@given(mortals())
def test_what_is_not_prorated_does_not_ask_for_a_life(
    drawn: tuple[Resource, int, int, int],
) -> None:
    resource, granularity, _, _ = drawn
    hour = set(sums(used(resource, How(granularity, count=HOURS))).values())
    assert all(abs(one - 6) <= Fraction(4, 10**18) for one in hour)

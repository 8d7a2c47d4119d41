"""From Gnocchi's scaled buckets back to the usage (doc/arithmetic.rst).

A fake of Gnocchi's history (``tests.fakes.History``) makes the rows; the expected quantities
are computed from the true history of the resource, in fractions.
"""

import dataclasses
import datetime
import itertools
import statistics
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.domain.usage.quantities import Resource as Known
from ratekit.domain.usage.quantities import usages
from ratekit.domain.usage.reducers import REDUCERS
from ratekit.domain.usage.reduction import Reduction
from ratekit.domain.usage.revision import Labels, Revision
from tests.fakes import Phase, Resource
from tests.unit.domain.resource_histories import (
    HOUR,
    HOURS,
    MINUTE,
    SIX,
    Instant,
    Quantities,
    Settings,
    at,
    build_resource,
    by_flavor,
    histories,
    known_resource,
    quantities,
)  # fmt: skip

# Undoing the cover ----------------------------------------------------------------------


def test_a_resize_at_20_past_costs_a_third_of_the_old_and_two_thirds_of_the_new() -> None:
    resized = build_resource({0: 1706.67}, (-600, "small"), (20, "large"))
    known = known_resource(resized, Settings())
    assert known is not None
    values = [round(float(revision.buckets[0][1]), 2) for revision in known.revisions]
    assert values == [568.89, 1137.78]
    third = Fraction("1706.67") / 3
    assert by_flavor(quantities(resized, Settings())) == {
        ("small", 0): Decimal(round(third * 10**18)).scaleb(-18),
        ("large", 0): Decimal(round(2 * third * 10**18)).scaleb(-18),
    }


def test_with_small_buckets_each_flavor_has_its_own_mean() -> None:
    values = {minute: 2048.0 if minute < 20 else 8192.0 for minute in range(0, 60, 5)}
    resized = build_resource(values, (-600, "small"), (20, "large"))
    assert by_flavor(quantities(resized, Settings(granularity=300))) == {
        ("small", 0): Decimal(round(Fraction(2048, 3) * 10**18)).scaleb(-18),
        ("large", 0): Decimal(round(Fraction(8192 * 2, 3) * 10**18)).scaleb(-18),
    }


def test_a_bucket_that_a_revision_covers_whole_is_not_touched() -> None:
    # 17 digits, which undoing would round to 15.
    long = 1706.6666666666667
    assert by_flavor(quantities(build_resource({0: long}, (-600, "small")), Settings())) == {
        ("small", 0): Decimal(repr(long))
    }


def test_undoing_removes_the_error_of_the_binary_multiplication() -> None:
    for minute in range(1, 60):
        resized = build_resource({0: 0.1}, (-600, "small"), (minute, "small"))
        assert quantities(resized, Settings()) == {(("small",), SIX): Decimal("0.1")}, minute


def test_a_cover_of_a_microsecond_is_undone_too() -> None:
    soon = SIX.replace(microsecond=1)
    phases = [
        Phase(at(-60), soon, {"project_id": "p1", "flavor": "small"}),
        Phase(soon, None, {"project_id": "p1", "flavor": "large"}),
    ]
    settings = Settings()
    result = by_flavor(quantities(Resource("r1", phases, {SIX: 3600.0}), settings))
    assert result["small", 0] == Decimal("0.000001")
    assert sum(result.values()) == 3600


def test_the_first_revision_reaches_back_to_the_start_of_the_window() -> None:
    late = build_resource({0: 5.0, 60: 7.0}, (65, "small"))
    assert by_flavor(quantities(late, Settings(count=2))) == {("small", 0): 5, ("small", 1): 7}


def test_a_later_revision_does_not_reach_back() -> None:
    """The first one has no measures in the window."""
    earlier = Revision((), at(-60), at(20), True, ())
    later = Revision(("large",), at(20), None, False, [(SIX, Decimal(20))])
    assert usages_of([earlier, later]) == [(("large",), SIX, Decimal(30))]


def test_a_bucket_without_cover_is_dropped() -> None:
    gone = Revision(("small",), at(-60), at(0), True, [(SIX, Decimal(0))])
    present = Revision(("large",), at(0), None, False, [(SIX, Decimal(9))])
    assert usages_of([gone, present]) == [(("large",), SIX, Decimal(9))]


def usages_of(
    revisions: Sequence[Revision], reduction: Reduction | None = None
) -> list[tuple[Labels, Instant, Decimal]]:
    known = Known(revisions)
    return [usage[:3] for usage in usages(known, reduction or Settings().reduction(), [])]


def test_buckets_outside_the_window_are_dropped() -> None:
    steady = build_resource(
        {minute: float(minute) for minute in range(-120, 300, 60)}, (-600, "small")
    )
    assert by_flavor(quantities(steady, Settings(first=1, count=2))) == {
        ("small", 1): 60,
        ("small", 2): 120,
    }


# Patience -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes_after_the_end", "counts"), [(0, True), (59.99, True), (60, False), (61, False)]
)
def test_a_record_may_start_up_to_the_patience_after_the_period(
    minutes_after_the_end: float, counts: bool
) -> None:
    recorded_late = build_resource({0: 5.0}, (60 + minutes_after_the_end, "small"))
    for settings in (Settings(), Settings(count=5), Settings(first=-3, count=8)):
        assert bool(quantities(recorded_late, settings)) == counts, settings


@pytest.mark.parametrize("wait", [0, 1])
def test_without_patience_a_record_must_start_within_the_period(wait: int) -> None:
    """With one period to wait, too, a period is due when it ends."""
    assert quantities(build_resource({0: 5.0}, (59, "small")), Settings(wait=wait)) != {}
    for settings in (Settings(wait=wait), Settings(wait=wait, count=5)):
        assert quantities(build_resource({0: 5.0}, (60, "small")), settings) == {}


# Pooling and sharing ----------------------------------------------------------------------


DENSE = {minute: 1.0 + minute / 4 for minute in range(0, 60, 5)}


@given(st.integers(1, 59), st.sampled_from([300, 900, 3600]))
def test_a_rename_changes_nothing(minute: int, granularity: int) -> None:
    buckets = {m: v for m, v in DENSE.items() if m * 60 % granularity == 0}
    plain = build_resource(buckets, (-600, "small"))
    renamed = build_resource(buckets, (-600, "small"), (minute, "small"))
    for reducer in ("mean", "max", "min", "last", "first", "median"):
        settings = Settings(granularity, reducer)
        assert quantities(plain, settings) == quantities(renamed, settings)


@given(st.integers(1, 59), st.integers(1, 59), st.sampled_from([300, 3600]))
def test_a_rename_in_the_hour_of_a_resize_changes_nothing(
    resize: int, rename: int, granularity: int
) -> None:
    buckets = {m: v for m, v in DENSE.items() if m * 60 % granularity == 0}
    turns = [(-600, "small"), (resize, "large")]
    if rename != resize:
        turns.append((rename, "small" if rename < resize else "large"))
    plain = build_resource(buckets, (-600, "small"), (resize, "large"))
    settings = Settings(granularity)
    assert quantities(plain, settings) == quantities(
        build_resource(buckets, *sorted(turns)), settings
    )


def test_a_rename_while_nothing_is_measured_changes_nothing() -> None:
    buckets = {0: 4.0, 5: 4.0, 20: 8.0, 25: 8.0}
    settings = Settings(300)
    plain = build_resource(buckets, (-600, "small"), (20, "large"))
    renamed = build_resource(buckets, (-600, "small"), (20, "large"), (40, "large"))
    assert quantities(plain, settings) == quantities(renamed, settings)


def test_more_labels_distinguish_more_revisions() -> None:
    renamed = build_resource({0: 6.0}, (-600, "small"), (20, "small"))
    labels = ("flavor", "revision_start")
    assert sorted(quantities(renamed, Settings(), labels).values()) == [2, 4]


def test_a_flavor_that_comes_back_is_one_pool() -> None:
    there_and_back = build_resource({0: 6.0}, (-600, "small"), (10, "large"), (30, "small"))
    assert by_flavor(quantities(there_and_back, Settings())) == {("small", 0): 4, ("large", 0): 2}


def test_a_deleted_resource_costs_its_hour() -> None:
    """Its last revision carries ended_at, which is no label, and no new bucket."""
    for granularity in (300, 3600):
        buckets = {m: 3.0 for m in DENSE if m < 20 and m * 60 % granularity == 0}
        deleted = build_resource(buckets, (-600, "small"), (20, "small"))
        settings = Settings(granularity, count=3)
        assert by_flavor(quantities(deleted, settings)) == {("small", 0): 3}


def test_a_resize_and_a_deletion_in_one_hour_share_alike_at_each_granularity() -> None:
    for granularity in (300, 3600):
        buckets = {m: 6.0 for m in DENSE if m < 40 and m * 60 % granularity == 0}
        deleted = build_resource(buckets, (-600, "small"), (20, "large"), (40, "large"))
        assert by_flavor(quantities(deleted, Settings(granularity))) == {
            ("small", 0): 2,
            ("large", 0): 4,
        }


def test_a_gap_in_the_measures_shares_alike_in_each_window() -> None:
    """Gnocchi returns a revision only if the query reaches one of its buckets."""
    before = dict.fromkeys(range(-180, 0, 5), 6.0)
    hour = {0: 6.0, 10: 6.0, 20: 6.0}
    after = dict.fromkeys(range(300, 360, 5), 6.0)
    gappy = build_resource(
        {**before, **hour, **after}, (-180, "small"), (8, "large"), (18, "small"), (45, "large")
    )
    alone = by_flavor(quantities(gappy, Settings(300)))
    whole = by_flavor(quantities(gappy, Settings(300, first=-3, count=10)))
    assert alone == {key: quantity for key, quantity in whole.items() if key[1] == 0}


def test_a_mutated_quantity_is_shared_by_time() -> None:
    resized = build_resource({0: 1706.67}, (-600, "small"), (20, "large"))
    third = Decimal("0.333333333333333333")
    assert by_flavor(quantities(resized, Settings(mutate=Mutate.NUMBOOL))) == {
        ("small", 0): third, ("large", 0): Decimal("0.666666666666666667"),
    }  # fmt: skip


def test_without_split_the_last_revision_has_the_whole_period() -> None:
    resized = build_resource({0: 6.0, 60: 9.0}, (-600, "small"), (20, "large"), (70, "huge"))
    assert by_flavor(quantities(resized, Settings(split=False, count=2))) == {
        ("large", 0): 6, ("huge", 1): 9,
    }  # fmt: skip


def test_the_last_revision_is_the_last_one_with_a_bucket() -> None:
    buckets = {m: 6.0 for m in DENSE if m < 20}
    gone = build_resource(buckets, (-600, "small"), (10, "large"), (30, "none left"))
    assert by_flavor(quantities(gone, Settings(300, split=False))) == {("large", 0): 6}


def test_a_sum_of_undivided_revisions_is_the_whole_sum() -> None:
    resized = build_resource({0: 12.0}, (-600, "small"), (15, "large"))
    assert by_flavor(quantities(resized, Settings(reducer="sum"))) == {
        ("small", 0): 3,
        ("large", 0): 9,
    }
    assert by_flavor(quantities(resized, Settings(reducer="sum", split=False))) == {
        ("large", 0): 12
    }


@pytest.mark.parametrize("reducer", ["mean", "max", "sum", "last"])
def test_without_measures_there_is_no_usage(reducer: str) -> None:
    assert (
        quantities(build_resource({}, (-600, "small"), (20, "large")), Settings(300, reducer)) == {}
    )


# Against the true history, in fractions --------------------------------------------------------


def reduce(name: str, values: Sequence[Fraction]) -> Fraction:
    functions = {
        "mean": lambda: sum(values, Fraction(0)) / len(values),
        "median": lambda: statistics.median(values),
        "max": lambda: max(values),
        "min": lambda: min(values),
        "first": lambda: values[0],
        "last": lambda: values[-1],
    }
    return Fraction(functions[name]())


def truth(resource: Resource, settings: Settings, hour: int) -> dict[str | None, Fraction]:
    """The usage of one hour, by flavor, computed from the resource itself."""
    begin, end = SIX + hour * HOUR, SIX + (hour + 1) * HOUR
    size = datetime.timedelta(seconds=settings.granularity)
    views: list[tuple[Instant, str | None, dict[Instant, Fraction]]] = []
    for index, phase in enumerate(resource.phases):
        buckets = {
            bucket: Fraction(value)
            for bucket, value in sorted(resource.buckets.items())
            if begin <= bucket < end
            and (index == 0 or phase.start < bucket + size)
            and (phase.end is None or bucket < phase.end)
            and phase.start < end + settings.patience
        }
        if buckets:
            start, first = phase.start, min(buckets)
            if index == 0 and first + size <= start:
                # It was measured before its record was made.
                start = first
            views.append((max(start, begin), phase.attributes["flavor"], buckets))
    pools: dict[str | None, dict[Instant, Fraction]] = {}
    times: dict[str | None, datetime.timedelta] = {}
    ends = [*(start for start, _, _ in views), end][1:]
    for (start, flavor, buckets), until in zip(views, ends, strict=True):
        pools.setdefault(flavor, {}).update(buckets)
        times[flavor] = times.get(flavor, datetime.timedelta(0)) + until - start
    whole = sum(times.values(), datetime.timedelta(0))
    return {
        flavor: reduce(settings.reducer, [buckets[at] for at in sorted(buckets)])
        * (Fraction(times[flavor] // MINUTE, whole // MINUTE) if len(pools) > 1 else 1)
        for flavor, buckets in pools.items()
    }


@given(
    histories(),
    st.sampled_from(["mean", "median", "max", "min", "first", "last"]),
    st.integers(0, 3),
)
def test_usage_is_as_defined(history: tuple[Resource, int], reducer: str, wait: int) -> None:
    """Each label has its part, to the last digit but one; an hour's parts make the whole."""
    resource, granularity = history
    settings = Settings(granularity, reducer, wait, count=HOURS)
    result = by_flavor(quantities(resource, settings))
    expected = {
        (flavor, hour): quantity
        for hour in range(HOURS)
        for flavor, quantity in truth(resource, settings, hour).items()
    }
    assert result.keys() == expected.keys()
    for key, quantity in result.items():
        assert abs(Fraction(quantity) - expected[key]) < Fraction(1, 10**18)
    for hour in range(HOURS):
        whole = sum((expected[key] for key in expected if key[1] == hour), Fraction(0))
        total = sum((result[key] for key in result if key[1] == hour), Decimal(0))
        assert total == Decimal(round(whole * 10**18)).scaleb(-18)


@given(
    histories(),
    st.sampled_from(["mean", "sum", "last"]),
    st.integers(0, 3),
    st.booleans(),
    st.lists(st.integers(1, HOURS - 1), unique=True, max_size=HOURS - 1),
)
def test_windows_change_nothing(
    history: tuple[Resource, int], reducer: str, wait: int, split: bool, cuts: list[int]
) -> None:
    """A window gives the same as its parts (doc/architecture.rst)."""
    resource, granularity = history
    whole = quantities(resource, Settings(granularity, reducer, wait, split, count=HOURS))
    parts: Quantities = {}
    for first, end in itertools.pairwise([0, *sorted(cuts), HOURS]):
        settings = Settings(granularity, reducer, wait, split, first, end - first)
        parts |= quantities(resource, settings)
    assert parts == whole


@given(histories(), st.sampled_from([True, False]))
def test_sums_are_conserved(history: tuple[Resource, int], split: bool) -> None:
    resource, granularity = history
    settings = Settings(granularity, "sum", wait=9, split=split, count=HOURS)
    sums: dict[Instant, Fraction] = {}
    for (_, begin), quantity in quantities(resource, settings).items():
        sums[begin] = sums.get(begin, Fraction(0)) + Fraction(quantity)
    for hour in range(HOURS):
        begin = SIX + hour * HOUR
        true = sum(
            (Fraction(v) for b, v in resource.buckets.items() if begin <= b < begin + HOUR),
            Fraction(0),
        )
        # Gnocchi's shares are binary products.
        assert abs(sums.get(begin, 0) - true) <= true / 10**14


@given(histories(), st.integers(1, 10**6))
def test_shares_add_up_to_the_undivided_quantity_where_values_are_equal(
    history: tuple[Resource, int], value: int
) -> None:
    resource, granularity = history
    level = dataclasses.replace(resource, buckets=dict.fromkeys(resource.buckets, float(value)))
    sums: dict[Instant, list[Decimal]] = {}
    for (_, begin), quantity in quantities(
        level, Settings(granularity, wait=9, count=HOURS)
    ).items():
        sums.setdefault(begin, []).append(quantity)
    assert all(sum(quantities, Decimal(0)) == value for quantities in sums.values())


def periods(quantities: Iterable[tuple[object, Instant]]) -> set[Instant]:
    return {begin for _, begin in quantities}


@given(histories(), st.booleans())
def test_a_period_is_billed_exactly_when_it_has_a_bucket(
    history: tuple[Resource, int], split: bool
) -> None:
    resource, granularity = history
    settings = Settings(granularity, wait=9, split=split, count=HOURS)
    measured = {SIX + (begin - SIX) // HOUR * HOUR for begin in resource.buckets}
    assert periods(quantities(resource, settings)) == measured & set(settings.window.begins())


# Sums and counts ----------------------------------------------------------------------------


def additive(mutate: Mutate, offset: int = 0) -> Reduction:
    """An hour's sum, in one bucket an hour."""
    hour = datetime.timedelta(hours=1)
    metric = Metric("m", "m", "u", Fraction(1), Fraction(offset), (), (), mutate, extra_args=None)
    return Reduction({SIX: SIX}, hour, hour, hour, REDUCERS["sum"], metric.convert, metric.quantity)


def two_revisions(minute: int, value: float, *labels: str) -> list[Revision]:
    """Two revisions of one hour's bucket as Gnocchi scales it, in binary."""
    first, last = minute / 60, (60 - minute) / 60
    return [
        Revision((labels[0],), at(-60), at(minute), True, [(SIX, Decimal(repr(value * first)))]),
        Revision((labels[-1],), at(minute), None, False, [(SIX, Decimal(repr(value * last)))]),
    ]


@pytest.mark.parametrize("mutate", [Mutate.NONE, Mutate.FLOOR, Mutate.CEIL])
@given(st.integers(1, 10**6), st.integers(1, 59))
def test_a_rename_changes_no_digit_of_a_sum(mutate: Mutate, value: int, minute: int) -> None:
    result = usages_of(two_revisions(minute, float(value), "small"), additive(mutate))
    assert result == [(("small",), SIX, Decimal(value))]


@pytest.mark.parametrize(
    ("mutate", "offset", "whole"),
    [(Mutate.NONE, 0, 3), (Mutate.NONE, 5, 8), (Mutate.CEIL, 0, 3), (Mutate.NUMBOOL, 0, 1)],
)
def test_a_resize_shares_a_sum_that_was_converted_once(
    mutate: Mutate, offset: int, whole: int
) -> None:
    result = {
        labels: quantity
        for labels, _, quantity in usages_of(
            two_revisions(20, 3.0, "small", "large"), additive(mutate, offset)
        )
    }
    assert result == {
        ("small",): exact_third(whole),
        ("large",): exact_third(2 * whole),
    }


def exact_third(value: int) -> Decimal:
    return Decimal(round(Fraction(value, 3) * 10**18)).scaleb(-18)

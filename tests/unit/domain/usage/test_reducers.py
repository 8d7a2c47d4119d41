"""How the buckets of a period become one value, against the statistics module."""

import itertools
import statistics
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.usage.reducers import REDUCERS, converting_reducer, default_reducer

VALUES = st.lists(
    st.decimals(-(10**12), 10**12, places=6, allow_nan=False), min_size=1, max_size=13
)


def reduce(name: str, values: list[Decimal]) -> Fraction:
    total, parts = REDUCERS[name].reduce(values)
    return Fraction(total) / parts


@given(VALUES)
def test_each_reducer_is_exact(values: list[Decimal]) -> None:
    exact = [Fraction(value) for value in values]
    assert reduce("mean", values) == sum(exact) / len(exact)
    assert reduce("median", values) == statistics.median(exact)
    assert reduce("max", values) == max(exact)
    assert reduce("min", values) == min(exact)
    assert reduce("first", values) == exact[0]
    assert reduce("last", values) == exact[-1]
    assert reduce("sum", values) == sum(exact)
    assert reduce("count", values) == sum(exact)


def test_a_mean_of_three_is_not_rounded() -> None:
    assert reduce("mean", [Decimal(1), Decimal(0), Decimal(0)]) == Fraction(1, 3)


def test_sums_and_counts_are_additive() -> None:
    assert {name for name, reducer in REDUCERS.items() if reducer.additive} == {"sum", "count"}


@pytest.mark.parametrize(
    ("aggregation", "reducer"),
    [
        ("mean", "mean"), ("max", "max"), ("min", "min"), ("last", "last"), ("first", "first"),
        ("median", "median"), ("sum", "sum"), ("count", "count"),
        ("rate:sum", "sum"), ("rate:max", "max"), ("rate:last", "last"),
        ("std", "mean"), ("95pct", "mean"), ("rate:95pct", "mean"), ("nunique", "mean"),
    ],
)  # fmt: skip
def test_the_reducer_fits_the_aggregation_method(aggregation: str, reducer: str) -> None:
    assert default_reducer(aggregation) == reducer


# Differences that Gnocchi stores --------------------------------------------------------------


@pytest.mark.parametrize("method", ["mean", "sum", "max", "min", "last", "first"])
@given(st.lists(st.integers(0, 10**6), min_size=13, max_size=13))
def test_a_stored_rate_costs_the_same_at_each_granularity(method: str, readings: list[int]) -> None:
    """Gnocchi stores an aggregate of the differences between neighbouring points of a bucket."""
    growth = [Decimal(new - old) for old, new in itertools.pairwise(readings)]

    def stored_buckets(size: int) -> list[Decimal]:
        parts = [growth[begin : begin + size] for begin in range(0, 12, size)]
        ratios = map(REDUCERS[method].reduce, parts)
        return [Decimal(Fraction(total).numerator) / count for total, count in ratios]

    name = default_reducer(f"rate:{method}")
    hourly = reduce(name, stored_buckets(12))
    # Gnocchi rounds a bucket's mean.
    assert all(
        abs(reduce(name, stored_buckets(size)) - hourly) < Fraction(1, 10**15) for size in (1, 3)
    )


# Conversions before ---------------------------------------------------------------------------


@given(st.sampled_from(sorted(REDUCERS)), VALUES, st.fractions(max_denominator=10**6))
def test_a_converting_reducer_reduces_converted_values(
    name: str, values: list[Decimal], divisor: Fraction
) -> None:
    def convert(value: Decimal) -> Fraction:
        return Fraction(value) * divisor - 1

    reducer = converting_reducer(name, convert)
    assert reducer.convert is convert
    total, parts = reducer.reduce([convert(value) for value in values])
    expected = reduce(name, values) * divisor - 1
    if name in ("sum", "count"):
        expected = sum(map(convert, values), Fraction(0))
    elif divisor < 0:
        opposite = {"max": "min", "min": "max"}.get(name, name)
        expected = reduce(opposite, values) * divisor - 1
    assert Fraction(total) / parts == expected


def test_a_converting_reducer_is_additive_where_its_namesake_is() -> None:
    for name, reducer in REDUCERS.items():
        assert converting_reducer(name, Fraction).additive == reducer.additive

"""How the buckets of a period become one value, against the statistics module."""

import statistics
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.reducers import REDUCERS, fitting

VALUES = st.lists(
    st.decimals(-(10**12), 10**12, places=6, allow_nan=False), min_size=1, max_size=13
)


def reduced(name: str, values: list[Decimal]) -> Fraction:
    total, parts = REDUCERS[name].reduce(values)
    return Fraction(total) / parts


@given(VALUES)
def test_each_reducer_does_what_its_name_says_exactly(values: list[Decimal]) -> None:
    exact = [Fraction(value) for value in values]
    assert reduced("mean", values) == sum(exact) / len(exact)
    assert reduced("median", values) == statistics.median(exact)
    assert reduced("max", values) == max(exact)
    assert reduced("min", values) == min(exact)
    assert reduced("first", values) == exact[0]
    assert reduced("last", values) == exact[-1]
    assert reduced("sum", values) == sum(exact)
    assert reduced("count", values) == sum(exact)


def test_a_mean_of_three_is_not_rounded() -> None:
    assert reduced("mean", [Decimal(1), Decimal(0), Decimal(0)]) == Fraction(1, 3)


def test_parts_of_a_whole_are_told_from_levels() -> None:
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
    assert fitting(aggregation) == reducer

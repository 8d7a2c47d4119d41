"""What people are told of a quantity's arithmetic is the arithmetic."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.usage.metric import Mutate
from ratekit.domain.usage.trace import Trace, trace_usages
from tests.fakes import History, Resource
from tests.unit.domain.lives import HOURS, How, asked, at, life, lives, query, used


def traces(resource: Resource, how: How) -> list[tuple[str | None, Trace]]:
    ends = History([resource]).ends(query(how, ("flavor",))).get(("r1", "p1"), ())
    found = trace_usages(asked(resource, how), how.reduction(), ends)
    return [(labels[0], trace) for labels, trace in found]


@pytest.mark.parametrize(
    ("reducer", "rate", "prorate"),
    [
        ("mean", False, False), ("max", False, False), ("last", False, True),
        ("sum", False, False), ("count", False, False), ("sum", True, False),
        ("median", True, False),
    ],
)  # fmt: skip
@given(lives(), st.booleans(), st.fractions(max_denominator=1000), st.sampled_from(Mutate))
def test_the_steps_end_in_the_quantity_that_is_charged(
    reducer: str,
    rate: bool,
    prorate: bool,
    history: tuple[Resource, int],
    split: bool,
    factor: Fraction,
    mutate: Mutate,
) -> None:
    resource, granularity = history
    how = How(
        granularity, reducer, split=split, count=HOURS, factor=factor, mutate=mutate, rate=rate,
        prorate=prorate,
    )  # fmt: skip
    found = traces(resource, how)
    told = {((flavor,), trace.begin): trace.quantity for flavor, trace in found}
    assert told == used(resource, how)
    for _, trace in found:
        assert how.metric().quantity(trace.value, 1, trace.share) == trace.quantity
        assert trace.values


def test_each_label_has_the_values_it_was_reduced_from() -> None:
    resized = life({0: 3.0, 20: 6.0, 40: 9.0, 60: 1.0}, (-60, "small"), (20, "large"))
    (small, one), (large, other), (_, later) = traces(resized, How(1200, "mean", count=2))
    assert (small, large) == ("small", "large")
    assert arithmetic(one) == ([Decimal(3)], Fraction(3), Fraction(1, 3))
    assert arithmetic(other) == ([Decimal(6), Decimal(9)], Fraction(15, 2), Fraction(2, 3))
    assert later.begin == at(60)
    assert arithmetic(later) == ([Decimal(1)], Fraction(1), Fraction(1))


def test_labels_that_share_a_sum_are_told_the_whole_and_their_share() -> None:
    resized = life({0: 6.0, 60: 8.0}, (-60, "small"), (20, "large"), (90, "small"))
    (_, one), (_, other), *others = traces(resized, How(3600, "sum", count=2))
    twice = [Decimal(6), Decimal(6)]
    assert arithmetic(one) == (twice, Fraction(6), Fraction(1, 3))
    assert arithmetic(other) == (twice, Fraction(6), Fraction(2, 3))
    later = ([Decimal(8), Decimal(8)], Fraction(8), Fraction(1, 2))
    assert [arithmetic(trace) for _, trace in others] == [later, later]


def arithmetic(trace: Trace) -> tuple[list[Decimal], Fraction, Fraction]:
    return list(trace.values), trace.value, trace.share

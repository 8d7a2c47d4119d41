"""The trace of a quantity is the arithmetic that computed it."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.usage.counter import Counter
from ratekit.domain.usage.metric import Mutate
from ratekit.domain.usage.trace import Trace, trace_usages
from tests.fakes import Resource
from tests.unit.domain.resource_histories import (
    HOUR,
    HOURS,
    Settings,
    at,
    build_resource,
    histories,
    known_resource,
    quantities,
)


def traces(resource: Resource, settings: Settings) -> list[tuple[str | None, Trace]]:
    known = known_resource(resource, settings)
    result = [] if known is None else trace_usages(known, settings.reduction())
    return [(labels[0], trace) for labels, trace in result]


@pytest.mark.parametrize(
    ("reducer", "rate", "prorate"),
    [
        ("mean", False, False), ("max", False, False), ("last", False, True),
        ("sum", False, False), ("count", False, False), ("sum", True, False),
        ("median", True, False),
    ],
)  # fmt: skip
@given(histories(), st.booleans(), st.fractions(max_denominator=1000), st.sampled_from(Mutate))
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
    settings = Settings(
        granularity, reducer, split=split, count=HOURS, factor=factor, mutate=mutate,
        counter=Counter(HOUR) if rate else None, prorate=prorate,
    )  # fmt: skip
    result = traces(resource, settings)
    traced_quantities = {((flavor,), trace.begin): trace.quantity for flavor, trace in result}
    assert traced_quantities == quantities(resource, settings)
    for _, trace in result:
        whole = Fraction(*settings.metric().convert(trace.value))
        assert abs(whole * trace.share - Fraction(trace.quantity)) < Fraction(1, 10**18)
        assert trace.values


def test_each_label_has_the_values_of_its_reduction() -> None:
    resized = build_resource({0: 3.0, 20: 6.0, 40: 9.0, 60: 1.0}, (-60, "small"), (20, "large"))
    (small, small_trace), (large, large_trace), (_, later) = traces(
        resized, Settings(1200, "mean", count=2)
    )
    assert (small, large) == ("small", "large")
    assert arithmetic(small_trace) == ([Decimal(3)], Fraction(3), Fraction(1, 3))
    assert arithmetic(large_trace) == ([Decimal(6), Decimal(9)], Fraction(15, 2), Fraction(2, 3))
    assert later.begin == at(60)
    assert arithmetic(later) == ([Decimal(1)], Fraction(1), Fraction(1))


def test_labels_that_share_a_sum_have_the_whole_and_their_share() -> None:
    resized = build_resource({0: 6.0, 60: 8.0}, (-60, "small"), (20, "large"), (90, "small"))
    (_, small), (_, large), *second_hour = traces(resized, Settings(3600, "sum", count=2))
    twice = [Decimal(6), Decimal(6)]
    assert arithmetic(small) == (twice, Fraction(6), Fraction(1, 3))
    assert arithmetic(large) == (twice, Fraction(6), Fraction(2, 3))
    later = ([Decimal(8), Decimal(8)], Fraction(8), Fraction(1, 2))
    assert [arithmetic(trace) for _, trace in second_hour] == [later, later]


def arithmetic(trace: Trace) -> tuple[list[Decimal], Fraction, Fraction]:
    return list(trace.values), trace.value, trace.share

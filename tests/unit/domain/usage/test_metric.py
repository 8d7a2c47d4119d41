"""From a collected value to a stored quantity, against the definition in fractions."""

import dataclasses
import decimal
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain import exact
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.domain.usage.quantities import Part, round_parts

ONE = Fraction(1)
HUGE = decimal.Context(prec=100)


def metric(
    factor: Fraction = ONE, offset: Fraction = Fraction(0), mutate: Mutate = Mutate.NONE
) -> Metric:
    return Metric("m", "m", "MiB", factor, offset, (), (), mutate, None)


def stored(
    metric: Metric, total: Decimal | Fraction, parts: int = 1, share: Fraction = ONE
) -> Decimal:
    """What is stored of a share of a value."""
    whole = metric.convert(total, parts)
    [(quantity, _)] = round_parts([Part((), (), Fraction(total) / parts, whole, share)])
    if share == 1:
        assert quantity == metric.quantity(total, parts)
    return quantity


#: CloudKitty's mutations, as its documentation defines them.
MUTATIONS: dict[Mutate, Callable[[Fraction], Fraction]] = {
    Mutate.NONE: lambda value: value,
    Mutate.NUMBOOL: lambda value: Fraction(int(value != 0)),
    Mutate.NOTNUMBOOL: lambda value: Fraction(int(value == 0)),
    Mutate.FLOOR: lambda value: Fraction(math.floor(value)),
    Mutate.CEIL: lambda value: Fraction(math.ceil(value)),
}

FRACTIONS = st.fractions(-(10**9), 10**9, max_denominator=10**9)
SHARES = st.fractions(0, 1, max_denominator=3_600_000_000)
VALUES = st.decimals(-(10**15), 10**15, allow_nan=False) | st.just(Decimal(0))


@given(
    VALUES,
    st.integers(1, 12),
    FRACTIONS,
    FRACTIONS,
    SHARES,
    st.sampled_from(sorted(MUTATIONS, key=str)),
)
def test_a_quantity_is_factor_offset_mutate_share_and_one_rounding(
    total: Decimal, parts: int, factor: Fraction, offset: Fraction, share: Fraction, mutate: Mutate
) -> None:
    exact = MUTATIONS[mutate](Fraction(total) / parts * factor + offset) * share
    quantity = stored(metric(factor, offset, mutate), total, parts, share)
    assert Fraction(quantity) == Fraction(round(exact * 10**18), 10**18)


def test_every_mutation_is_tried() -> None:
    assert {*MUTATIONS, Mutate.MAP} == set(Mutate)


@pytest.mark.parametrize(
    ("mutate", "value", "quantity"),
    [
        (Mutate.NUMBOOL, "0.5", "1"), (Mutate.NUMBOOL, "0", "0"), (Mutate.NUMBOOL, "-3", "1"),
        (Mutate.NOTNUMBOOL, "0", "1"), (Mutate.NOTNUMBOOL, "0.5", "0"),
        (Mutate.FLOOR, "2.9", "2"), (Mutate.FLOOR, "-2.1", "-3"),
        (Mutate.CEIL, "2.1", "3"), (Mutate.CEIL, "-2.9", "-2"), (Mutate.CEIL, "3", "3"),
        (Mutate.NONE, "2.5", "2.5"),
    ],
)  # fmt: skip
def test_each_mutation(mutate: Mutate, value: str, quantity: str) -> None:
    assert stored(metric(mutate=mutate), Decimal(value)) == Decimal(quantity)


def test_a_mutation_sees_the_converted_value() -> None:
    halves = metric(Fraction(1, 2), Fraction(1, 4), Mutate.CEIL)
    assert stored(halves, Decimal(1)) == 1
    assert stored(halves, Decimal(2)) == 2


def test_a_mutation_sees_the_value_before_it_is_shared() -> None:
    assert stored(metric(mutate=Mutate.CEIL), Decimal("1.5"), share=Fraction(1, 4)) == Decimal(
        "0.5"
    )


def test_a_mebibyte_is_not_rounded_early() -> None:
    mebibytes = metric(Fraction(1, 1048576))
    assert stored(mebibytes, Decimal(1)) == Decimal("0.000000953674316406")  # …40625 exactly
    assert stored(mebibytes, Decimal(3 * 1048576)) == 3


def test_a_third_is_rounded_only_at_the_end() -> None:
    # Rounding the third to 18 places first would give 0.999999999999999999.
    assert stored(metric(Fraction(3)), Decimal(1), 3) == 1


@pytest.mark.parametrize(
    ("value", "quantity"),
    [
        ("0.0000000000000000005", "0.000000000000000000"),
        ("0.0000000000000000015", "0.000000000000000002"),
        ("0.0000000000000000025", "0.000000000000000002"),
        ("0.0000000000000000025000000001", "0.000000000000000003"),
        ("-0.0000000000000000015", "-0.000000000000000002"),
    ],
)
def test_the_eighteenth_place_is_rounded_half_to_even(value: str, quantity: str) -> None:
    assert stored(metric(), Decimal(value)) == Decimal(quantity)


# A map ----------------------------------------------------------------------------------------


def mapping(pairs: Mapping[Fraction, Fraction], factor: Fraction = ONE) -> Metric:
    plain = metric(factor, Fraction(0), Mutate.MAP)
    return dataclasses.replace(plain, mutate_map=pairs)


def test_a_value_in_the_map_becomes_its_result_and_any_other_zero() -> None:
    status = mapping({Fraction(1): Fraction(5), Fraction(-1): Fraction(1, 3)})
    assert stored(status, Decimal("1.000")) == 5
    assert stored(status, Decimal(-1)) == Decimal("0.333333333333333333")
    assert stored(status, Decimal("1.000000000000000001")) == 0
    assert stored(status, Decimal(0)) == 0


def test_a_value_is_looked_up_after_factor_and_offset_and_before_its_share() -> None:
    third = mapping({Fraction(1, 3): Fraction(2)}, Fraction(1, 3))
    assert stored(third, Decimal(1)) == 2
    assert stored(third, Decimal(2), parts=2) == 2
    assert stored(third, Decimal(1), share=Fraction(1, 4)) == Decimal("0.5")


@given(st.dictionaries(FRACTIONS, FRACTIONS, min_size=1), FRACTIONS)
def test_a_map_is_exact(pairs: dict[Fraction, Fraction], value: Fraction) -> None:
    expected = pairs.get(value, Fraction(0))
    result = stored(mapping(pairs), Decimal(value.numerator), value.denominator)
    assert result == Decimal(round(expected * 10**18)).scaleb(-18, HUGE)


def test_a_quantity_of_a_fraction_is_not_rounded_before() -> None:
    assert stored(metric(Fraction(3)), Fraction(1, 3)) == 1


def test_a_metric_with_a_map_can_be_hashed() -> None:
    assert hash(mapping({ONE: ONE})) == hash(mapping({ONE: ONE}))


DECIMALS = (
    st.decimals(allow_nan=False, allow_infinity=False)
    | VALUES
    # Exact halves of the last place, and one digit beside them.
    | st.builds(
        lambda number, digits: Decimal(number).scaleb(-digits),
        st.integers(-(10**25), 10**25).map(lambda number: 10 * number + 5)
        | st.integers(-(10**40), 10**40),
        st.integers(17, 25),
    )
    | st.sampled_from([Decimal(text) for text in ("1e9999", "-1e1981", "1e1982", "1e-9999")])
)
FACTORS = st.sampled_from([ONE, Fraction(1, 1024), Fraction(-5, 2), Fraction(1, 3), Fraction(0)])


def outcome(run: Callable[[], Decimal]) -> object:
    """The result with its exponent and its sign, or the kind of error."""
    try:
        return run().as_tuple()
    except ArithmeticError as error:
        return type(error)


@given(DECIMALS, st.integers(1, 12), FACTORS, FACTORS)
def test_the_decimal_way_and_the_ratio_have_the_same_digits(
    total: Decimal, parts: int, factor: Fraction, offset: Fraction
) -> None:
    by_metric = metric(factor, offset)
    expected = outcome(lambda: exact.round_ratio(*by_metric.convert(total, parts), 18))
    assert outcome(lambda: by_metric.quantity(total, parts)) == expected

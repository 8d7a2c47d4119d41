"""Decimals are not rounded, except where doc/arithmetic.rst says."""

import decimal
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain import exact


def half_even(value: Fraction, places: int) -> Fraction:
    """Python rounds fractions half to even."""
    return Fraction(round(value * 10**places), 10**places)


@given(st.integers(), st.integers(min_value=1), st.integers(0, 30))
def test_a_ratio_is_rounded_half_even_once(numerator: int, denominator: int, places: int) -> None:
    rounded = exact.round_ratio(numerator, denominator, places)
    assert Fraction(rounded) == half_even(Fraction(numerator, denominator), places)


@pytest.mark.parametrize(
    ("numerator", "rounded"),
    [(5, "0.2"), (15, "0.8"), (25, "1.2"), (-5, "-0.2"), (-15, "-0.8"), (0, "0.0")],
)
def test_a_tie_goes_to_the_even_neighbour(numerator: int, rounded: str) -> None:
    assert str(exact.round_ratio(numerator, 20, 1)) == rounded


def test_a_ratio_has_the_number_of_places_that_the_caller_wants() -> None:
    assert str(exact.round_ratio(2, 1, 18)) == "2.000000000000000000"
    assert exact.round_ratio(1, 3, 18) == Decimal("0.333333333333333333")


def test_a_ratio_rounds_a_number_of_a_thousand_digits() -> None:
    large = 10**1000 + 1
    assert exact.round_ratio(large, 1, 18) == Decimal(large)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_a_price_is_rounded_half_even_to_28_places(price: Decimal) -> None:
    assert Fraction(exact.round_price(price)) == half_even(Fraction(price), 28)


def test_a_price_with_very_many_digits_is_rounded_not_refused() -> None:
    price = Decimal(math.factorial(400)).scaleb(-600)
    assert Fraction(exact.round_price(price)) == half_even(Fraction(price), 28)


def test_an_exact_operation_that_would_lose_a_digit_raises() -> None:
    with pytest.raises(decimal.Inexact):
        exact.EXACT.divide(Decimal(1), Decimal(3))
    with pytest.raises(decimal.Inexact):
        exact.EXACT.add(Decimal("1e1500"), Decimal("1e-1500"))


def test_an_exact_product_keeps_all_digits() -> None:
    product = exact.EXACT.multiply(Decimal("1." + "3" * 200), Decimal("7." + "1" * 200))
    assert Fraction(product) == Fraction("1." + "3" * 200) * Fraction("7." + "1" * 200)


# Parts of a whole -----------------------------------------------------------------------------


def test_three_thirds_make_one() -> None:
    thirds = exact.round_parts([Fraction(1, 3)] * 3, 18)
    assert thirds == [Decimal("0.333333333333333334"), *[Decimal("0.333333333333333333")] * 2]


def test_twelve_twelfths_of_a_price_make_the_price() -> None:
    assert sum(exact.round_parts([Fraction("5.025") / 12] * 12, 18)) == Decimal("5.025")


@given(
    st.lists(st.fractions(-(10**6), 10**6, max_denominator=10**6), min_size=1, max_size=8),
    st.integers(0, 18),
)
def test_parts_add_up_to_the_rounded_whole(parts: list[Fraction], places: int) -> None:
    """No part is a whole unit from its exact value; round() rounds half-even."""
    rounded = exact.round_parts(parts, places)
    assert sum(map(Fraction, rounded)) == round(sum(parts) * 10**places) / Fraction(10**places)
    for exact_part, part in zip(parts, rounded, strict=True):
        assert abs(Fraction(part) - exact_part) < Fraction(1, 10**places)


@given(st.lists(st.fractions(0, 1, max_denominator=99), min_size=2, max_size=6))
def test_larger_remainders_are_rounded_up_first(parts: list[Fraction]) -> None:
    rounded = exact.round_parts(parts, 0)
    ups = [part % 1 for part, result in zip(parts, rounded, strict=True) if result > part]
    downs = [part % 1 for part, result in zip(parts, rounded, strict=True) if result <= part]
    assert not ups or not downs or min(ups) >= max(downs)

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

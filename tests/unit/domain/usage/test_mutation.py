"""Numbers and maps in operators' files."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.usage import mutation, number


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        (3, Fraction(3)), (Decimal("0.1"), Fraction(1, 10)), ("0.1", Fraction(1, 10)),
        ("1/3", Fraction(1, 3)), (" -1.5 / 3e2 ", Fraction(-1, 200)), ("+2", Fraction(2)),
    ],
)  # fmt: skip
def test_a_number_is_read_exactly(written: object, exact: Fraction) -> None:
    assert number.read(written) == exact


@pytest.mark.parametrize(
    "written",
    [True, None, "", "x", "1/0", "0x10", "010", "1_000", "nan", "inf", "1//2", [], 0.5,
     Decimal("nan"), Decimal("inf")],
)  # fmt: skip
def test_anything_but_a_number_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"expected a number|divides by zero"):
        number.read(written)


def test_a_map_is_read_exactly() -> None:
    assert mutation.read_map({1: "1/3", "2.50": Decimal("0.1"), "-1/3": 0}) == {
        Fraction(1): Fraction(1, 3),
        Fraction(5, 2): Fraction(1, 10),
        Fraction(-1, 3): Fraction(0),
    }


@pytest.mark.parametrize(
    "pairs", [{1: 2, "1.0": 3}, {"1/2": 2, Decimal("0.50"): 2}, {"1": 1, "3/3": 1}]
)
def test_keys_that_are_equal_as_numbers_are_one_key_twice(pairs: Mapping[object, object]) -> None:
    with pytest.raises(ValueError, match="occurs twice"):
        mutation.read_map(pairs)


@pytest.mark.parametrize("pairs", [{"a": 1}, {1: "a"}, {1: None}, {True: 1}, {}, None, [1], 1])
def test_a_map_of_anything_else_is_refused(pairs: Mapping[object, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        mutation.read_map(pairs)


@given(st.fractions(), st.fractions())
def test_what_is_written_as_a_fraction_comes_back(key: Fraction, value: Fraction) -> None:
    assert mutation.read_map({str(key): str(value)}) == {key: value}

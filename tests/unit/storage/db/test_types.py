"""What may go into a column, and how it comes out."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from ratekit import errors
from ratekit.domain.exact import EXACT
from ratekit.storage.db.types import (
    SHARE_DIGITS,
    Exact,
    Instant,
    Word,
    require_shared_fits,
    sum_prices,
    sum_quantities,
    tidy,
)

SQLITE: sa.Dialect = sqlite.dialect()
POSTGRESQL: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False)


@given(NUMBERS)
def test_a_value_is_stored_exactly_or_refused(value: Decimal) -> None:
    column = Exact(28)
    for dialect in (SQLITE, POSTGRESQL):
        try:
            bound = column.process_bind_param(value, dialect)
        except errors.OperatorError:
            exponent = value.normalize(decimal.Context(prec=10_000)).as_tuple().exponent
            assert isinstance(exponent, int)
            assert exponent < -28 or abs(value) >= 10**37
        else:
            assert column.process_result_value(bound, dialect) == value


def refuses(look: Callable[[], object]) -> bool:
    """Return whether a check raises."""
    try:
        with decimal.localcontext(EXACT):
            look()
    except (decimal.DecimalException, errors.OperatorError):
        return True
    return False


#: Values at the limits of the columns, and of as many places as they have, among any others.
VALUES = st.lists(
    NUMBERS
    | st.decimals(-100, 100, places=18)
    | st.decimals(-100, 100, places=28)
    | st.sampled_from(
        [
            Decimal(sign + digits + "." + "0" * places)
            for sign in ("", "-")
            for digits in ("9" * 37, "1" + "0" * 37, "9" * 47, "1" + "0" * 47)
            for places in (18, 28)
        ]
    ),
    min_size=1,
    max_size=4,
)


@given(VALUES)
def test_values_are_added_up_exactly_or_refused_as_by_the_columns(values: list[Decimal]) -> None:
    for add, places in ((sum_quantities, 18), (sum_prices, 28)):
        column = Exact(places)
        slow = [refuses(partial(column.process_bind_param, value, POSTGRESQL)) for value in values]
        assert refuses(partial(add, values)) == any(slow)
        if not any(slow):
            with decimal.localcontext(EXACT):
                assert Fraction(add(values)) == sum(map(Fraction, values))


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "sNaN"])
def test_what_is_no_number_is_not_added_up(value: str) -> None:
    for add in (sum_quantities, sum_prices):
        for others in ([], [Decimal(1)], [Decimal("Infinity")]):
            assert refuses(partial(add, [Decimal(value), *others]))
            assert refuses(partial(add, [*others, Decimal(value)]))


def test_zeros_after_the_last_place_do_not_matter() -> None:
    with decimal.localcontext(EXACT):
        total = sum_quantities([Decimal("1.5" + "0" * 3000), Decimal("2E+3")])
    assert total == Decimal("2001.5")


@given(NUMBERS, NUMBERS | st.decimals(-20, 20, places=18))
def test_the_check_of_a_share_agrees_with_the_columns(whole: Decimal, share: Decimal) -> None:
    slow = [
        refuses(lambda: Exact(18).process_bind_param(whole, POSTGRESQL)),
        refuses(lambda: Exact(18, SHARE_DIGITS).process_bind_param(share, POSTGRESQL)),
    ]
    assert refuses(lambda: require_shared_fits(whole, share)) == any(slow)


@pytest.mark.parametrize("value", ["10", "-10", "0." + "3" * 19])
def test_a_share_has_one_digit_before_the_point_and_18_after_it(value: str) -> None:
    column = Exact(18, SHARE_DIGITS)
    assert column.process_bind_param(Decimal("9." + "9" * 18), SQLITE) == "9." + "9" * 18
    with pytest.raises(errors.OperatorError, match="at most 1 digit before the point and 18"):
        column.process_bind_param(Decimal(value), SQLITE)


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_value_that_is_not_a_number_is_refused(value: str) -> None:
    with pytest.raises(errors.OperatorError):
        Exact(28).process_bind_param(Decimal(value), SQLITE)


def test_trailing_zeros_are_removed_after_the_point_only() -> None:
    values = ["1.500", "100", "1E+3", "0.00", "0E-28", "-0.10", "-0", "-0E-28"]
    assert [str(tidy(Decimal(value))) for value in values] == [
        "1.5",
        "100",
        "1000",
        "0",
        "0",
        "-0.1",
        "0",
        "0",
    ]


def test_instants_are_utc_in_and_out() -> None:
    column, dialect = Instant(), SQLITE
    instant = datetime.datetime(2026, 3, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    bound = column.process_bind_param(instant, dialect)
    assert bound == instant.replace(tzinfo=None)
    assert column.process_result_value(bound, dialect) == instant


@pytest.mark.parametrize("zone", [None, datetime.timezone(datetime.timedelta(hours=1))])
def test_instants_without_a_zone_or_in_another_are_refused(zone: datetime.tzinfo | None) -> None:
    with pytest.raises(ValueError, match="UTC"):
        Instant().process_bind_param(datetime.datetime(2026, 3, 1, tzinfo=zone), SQLITE)


def test_words_are_counted_in_characters() -> None:
    dialect = SQLITE
    assert Word().process_bind_param("東" * 255, dialect) == "東" * 255
    with pytest.raises(errors.OperatorError, match="255"):
        Word().process_bind_param("x" * 256, dialect)


def test_none_stays_none() -> None:
    dialect = SQLITE
    assert Exact(28).process_bind_param(None, dialect) is None
    assert Exact(28).process_result_value(None, dialect) is None
    assert Instant().process_bind_param(None, dialect) is None
    assert Instant().process_result_value(None, dialect) is None
    assert Word().process_bind_param(None, dialect) is None

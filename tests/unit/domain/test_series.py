"""Values reject invalid arguments when they are built; series are added up and shortened."""

import dataclasses
import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries, Series, Shared, add_points, select_points
from tests.builders import HOUR

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
NAIVE = NOON.replace(tzinfo=None)


def series(points: Any) -> Series:
    return Series("p1", "instance", "instance", {"project_id": "p1"}, {}, points)


def test_a_series_without_points_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        series([])


def test_a_series_in_local_time_is_refused() -> None:
    with pytest.raises(ValueError, match="not an aware UTC datetime"):
        series([(NAIVE, Decimal(1))])


@pytest.mark.parametrize("quantity", [1.5, 1, "1"])
def test_a_quantity_that_is_no_decimal_is_refused(quantity: object) -> None:
    with pytest.raises(TypeError, match="a quantity is a Decimal"):
        series([(NOON, quantity)])


def test_a_rated_series_has_one_price_for_each_point() -> None:
    usages = series([(NOON, Decimal(1))])
    assert RatedSeries(usages, [Decimal(2)]).prices == [Decimal(2)]
    for prices in ([], [Decimal(1), Decimal(2)]):
        with pytest.raises(ValueError, match="one price for each point"):
            RatedSeries(usages, prices)


def test_a_state_in_local_time_is_refused() -> None:
    for rated_until, last_seen in ((NAIVE, NOON), (NOON, NAIVE)):
        with pytest.raises(ValueError, match="not an aware UTC datetime"):
            State(1, Scope("p1"), rated_until, last_seen)


def test_a_selection_in_local_time_is_refused() -> None:
    for begin, end in ((NAIVE, None), (None, NAIVE)):
        with pytest.raises(ValueError, match="not an aware UTC datetime"):
            Selection(begin, end, scopes=ALL_SCOPES)


def test_a_selection_names_its_scopes() -> None:
    with pytest.raises(TypeError):
        Selection()  # type: ignore[call-arg]
    wrong: tuple[object, ...] = ((), ("a",), "a", None, set())
    for scopes in wrong:
        with pytest.raises(TypeError, match="expected ALL_SCOPES or a frozenset"):
            Selection(scopes=scopes)  # type: ignore[arg-type]


# Several series -------------------------------------------------------------------------


def hourly(
    quantities: Mapping[int, str], shared: Mapping[int, tuple[str, str]] | None = None
) -> Series:
    """Return a series by the numbers of hours after noon; ``shared`` has wholes and shares."""
    return dataclasses.replace(
        series([(NOON + hour * HOUR, Decimal(text)) for hour, text in quantities.items()]),
        shared={
            NOON + hour * HOUR: Shared(Decimal(whole), Decimal(share))
            for hour, (whole, share) in (shared or {}).items()
        },
    )


def test_quantities_of_equal_labels_add_up_by_time() -> None:
    total = add_points(hourly({2: "1", 0: "2"}), hourly({1: "4", 0: "0.5"}))
    assert total == hourly({0: "2.5", 1: "4", 2: "1"})


def test_wholes_and_shares_add_up() -> None:
    total = add_points(
        hourly({0: "2", 1: "2"}, {0: ("8", "0.25"), 1: ("8", "0.25")}),
        hourly({0: "5", 2: "5"}, {0: ("10", "0.5"), 2: ("10", "0.5")}),
    )
    assert total == hourly(
        {0: "7", 1: "2", 2: "5"}, {0: ("18", "0.75"), 1: ("8", "0.25"), 2: ("10", "0.5")}
    )


def test_a_quantity_that_is_not_shared_is_its_own_whole_and_a_share_is_at_most_1() -> None:
    shared, plain = hourly({0: "2"}, {0: ("8", "0.25")}), hourly({0: "3"})
    expected = hourly({0: "5"}, {0: ("11", "1")})
    assert add_points(shared, plain) == expected
    assert add_points(plain, shared) == expected


SHARES = st.decimals(0, 1, places=18)
USAGES = st.builds(
    lambda points: hourly(
        {hour: str(quantity) for hour, (quantity, _, _) in points.items()},
        {
            hour: (str(whole), str(share))
            for hour, (_, whole, share) in points.items()
            if share is not None
        },
    ),
    st.dictionaries(
        st.integers(0, 2),
        st.tuples(st.decimals(0, 9, places=18), st.decimals(0, 9, places=18), st.none() | SHARES),
        min_size=1,
    ),
)


@given(USAGES, USAGES, USAGES)
def test_the_order_in_which_usages_are_added_changes_nothing(
    first: Series, second: Series, third: Series
) -> None:
    total = add_points(add_points(first, second), third)
    assert add_points(first, add_points(second, third)) == total
    assert add_points(third, add_points(second, first)) == total


def test_selected_points_keep_their_prices_and_shares() -> None:
    usages = hourly({0: "2", 1: "3", 2: "4"}, {0: ("8", "0.25"), 2: ("16", "0.25")})
    rated = RatedSeries(usages, [Decimal(5), Decimal(6), Decimal(7)])
    assert select_points(rated, [True, True, True]) is rated
    assert select_points(rated, [False, True, True]) == RatedSeries(
        hourly({1: "3", 2: "4"}, {2: ("16", "0.25")}), [Decimal(6), Decimal(7)]
    )
    assert select_points(rated, [False, False, False]) is None

"""Values reject invalid arguments when they are built."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from ratekit.domain.reporting.reports import Selection
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries, Series

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
            Selection(begin, end)

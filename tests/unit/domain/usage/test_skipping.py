"""Which rated points are stored."""

import dataclasses
import datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from ratekit.domain.period import EPOCH
from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage.metric import Metric, Mutate, Skip
from ratekit.domain.usage.skipping import remove_skipped

HOUR = datetime.timedelta(hours=1)
PLAIN = Metric("m", "m", "u", Fraction(1), Fraction(0), (), (), Mutate.NONE, None)


def rated_series(*pairs: tuple[int, int]) -> RatedSeries:
    points = [(EPOCH + hour * HOUR, Decimal(quantity)) for hour, (quantity, _) in enumerate(pairs)]
    prices = [Decimal(price) for _, price in pairs]
    return RatedSeries(Series("p1", "m", "u", {"project_id": "p1"}, {}, points), prices)


def stored_points(metric: Metric, *pairs: tuple[int, int]) -> list[tuple[int, int, int]]:
    result = remove_skipped(rated_series(*pairs), metric)
    if result is None:
        return []
    return [
        ((begin - EPOCH) // HOUR, int(quantity), int(price))
        for (begin, quantity), price in zip(result.series.points, result.prices, strict=True)
    ]


def skipping(skip: Skip) -> Metric:
    return dataclasses.replace(PLAIN, skip=skip)


def test_without_skip_options_every_point_is_stored() -> None:
    everything = rated_series((0, 0), (1, 0))
    assert remove_skipped(everything, PLAIN) is everything


def test_skip_zero_skips_a_zero_quantity_at_any_price() -> None:
    metric = dataclasses.replace(PLAIN, skip_zero=True)
    assert stored_points(metric, (0, 5), (1, 0), (0, 0), (2, 4)) == [(1, 1, 0), (3, 2, 4)]


def test_a_series_without_points_to_store_is_none() -> None:
    assert remove_skipped(rated_series((0, 0)), dataclasses.replace(PLAIN, skip_zero=True)) is None


def test_a_point_keeps_its_price() -> None:
    metric = skipping(lambda _series, quantity, price: quantity > price)
    assert stored_points(metric, (1, 2), (3, 2), (2, 4), (1, 2)) == [
        (0, 1, 2),
        (2, 2, 4),
        (3, 1, 2),
    ]


def test_a_point_on_which_skip_fails_is_neither_stored_nor_dropped() -> None:
    def fail(_series: Series, _quantity: Decimal, _price: Decimal) -> bool:
        raise KeyError("flavor")

    with pytest.raises(KeyError):
        remove_skipped(rated_series((1, 1)), skipping(fail))

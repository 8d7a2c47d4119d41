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


def rated(*pairs: tuple[int, int]) -> RatedSeries:
    points = [(EPOCH + hour * HOUR, Decimal(one)) for hour, (one, _) in enumerate(pairs)]
    prices = [Decimal(price) for _, price in pairs]
    return RatedSeries(Series("p1", "m", "u", {"project_id": "p1"}, {}, points), prices)


def left(metric: Metric, *pairs: tuple[int, int]) -> list[tuple[int, int, int]]:
    found = remove_skipped(rated(*pairs), metric)
    if found is None:
        return []
    return [
        ((begin - EPOCH) // HOUR, int(quantity), int(price))
        for (begin, quantity), price in zip(found.series.points, found.prices, strict=True)
    ]


def skipping(skip: Skip) -> Metric:
    return dataclasses.replace(PLAIN, skip=skip)


def test_everything_is_kept_unless_the_metric_says_otherwise() -> None:
    everything = rated((0, 0), (1, 0))
    assert remove_skipped(everything, PLAIN) is everything


def test_a_usage_of_nothing_is_skipped_whatever_it_costs() -> None:
    metric = dataclasses.replace(PLAIN, skip_zero=True)
    assert left(metric, (0, 5), (1, 0), (0, 0), (2, 4)) == [(1, 1, 0), (3, 2, 4)]


def test_a_series_of_which_nothing_is_left_is_none() -> None:
    assert remove_skipped(rated((0, 0)), dataclasses.replace(PLAIN, skip_zero=True)) is None


def test_a_point_keeps_its_price() -> None:
    metric = skipping(lambda _series, quantity, price: quantity > price)
    assert left(metric, (1, 2), (3, 2), (2, 4), (1, 2)) == [(0, 1, 2), (2, 2, 4), (3, 1, 2)]


def test_a_point_that_cannot_be_told_is_neither_kept_nor_dropped() -> None:
    def fail(_series: Series, _quantity: Decimal, _price: Decimal) -> bool:
        raise KeyError("flavor")

    with pytest.raises(KeyError):
        remove_skipped(rated((1, 1)), skipping(fail))

"""Which rated points are not stored."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage.metric import Metric


def remove_skipped(rated: RatedSeries, metric: Metric) -> RatedSeries | None:
    """Return the points of a rated series that are to be stored; None: there are none.

    :raises Exception: whatever ``metric.skip`` raises; the point is then neither stored nor
        dropped
    """
    if not metric.skip_zero and metric.skip is None:
        return rated
    series = rated.series
    decisions: dict[tuple[Decimal, Decimal], bool] = {}
    points, prices = [], []
    for point, price in zip(series.points, rated.prices, strict=True):
        pair = point[1], price
        # Consecutive hours are often alike, and an expression is slow.
        if pair not in decisions:
            decisions[pair] = _is_skipped(series, *pair, metric)
        if not decisions[pair]:
            points.append(point)
            prices.append(price)
    if len(points) == len(rated.prices):
        return rated
    if not points:
        return None
    return RatedSeries(dataclasses.replace(series, points=points), prices)


def _is_skipped(series: Series, quantity: Decimal, price: Decimal, metric: Metric) -> bool:
    if metric.skip_zero and not quantity:
        return True
    return metric.skip is not None and metric.skip(series, quantity, price)

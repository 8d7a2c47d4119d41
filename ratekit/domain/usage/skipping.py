"""Which rated points are not stored."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage.metric import Metric


def kept(rated: RatedSeries, metric: Metric) -> RatedSeries | None:
    """Return what is to be stored of a rated series; None: nothing.

    :raises Exception: whatever ``metric.skip`` raises; a point it fails on is neither kept
        nor dropped
    """
    if not metric.skip_zero and metric.skip is None:
        return rated
    series = rated.series
    said: dict[tuple[Decimal, Decimal], bool] = {}
    points, prices = [], []
    for point, price in zip(series.points, rated.prices, strict=True):
        pair = point[1], price
        # An hour is often like the one before, and an expression takes its time.
        if pair not in said:
            said[pair] = _is_skipped(series, *pair, metric)
        if not said[pair]:
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

"""Which rated points are not stored."""

from __future__ import annotations

from decimal import Decimal

from ratekit.domain.series import RatedSeries, Series, select_points
from ratekit.domain.usage.metric import Metric


def remove_skipped(rated: RatedSeries, metric: Metric) -> RatedSeries | None:
    """Return the points of a rated series that are to be stored; None: there are none.

    :raises Exception: whatever ``metric.skip`` raises; the point is then neither stored nor
        dropped
    """
    if not metric.skip_zero and metric.skip is None:
        return rated
    series = rated.series
    skipped: dict[tuple[Decimal, Decimal], bool] = {}
    decisions = []
    for (_, quantity), price in zip(series.points, rated.prices, strict=True):
        pair = quantity, price
        # Consecutive hours are often alike, and an expression is slow.
        if pair not in skipped:
            skipped[pair] = _is_skipped(series, *pair, metric)
        decisions.append(not skipped[pair])
    return select_points(rated, decisions)


def _is_skipped(series: Series, quantity: Decimal, price: Decimal, metric: Metric) -> bool:
    if metric.skip_zero and not quantity:
        return True
    return metric.skip is not None and metric.skip(series, quantity, price)

"""What a metric's settings mean for the arithmetic."""

from __future__ import annotations

import datetime

from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.custom_query import Query
from ratekit.domain.period import Window
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.quantities import Reduction
from ratekit.domain.usage.reducers import RATE, REDUCERS, converting_reducer


def first_bucket(query: Query, window: Window) -> datetime.datetime:
    """Return from when on buckets are asked for.

    A counter's are compared with those of the period before the window.
    """
    return window.begin - window.step if _is_rate(query) else window.begin


def reduction(
    metric: Metric,
    args: GnocchiArgs,
    window: Window,
    patience: datetime.timedelta,
    seconds: int,
) -> Reduction:
    """Return the arithmetic of a metric over a window.

    :param seconds: granularity of the buckets
    """
    query = args.query(metric.name)
    name = query.re_aggregation_method.removeprefix(RATE)
    begins = window.begins()
    before = first_bucket(query, window) if _is_rate(query) else None
    if before is not None:
        begins.insert(0, before)
    granularity = datetime.timedelta(seconds=seconds)
    buckets = window.step // granularity
    return Reduction(
        period_of={
            begin + index * granularity: begin for begin in begins for index in range(buckets)
        },
        step=window.step,
        granularity=granularity,
        patience=patience,
        reducer=REDUCERS[name] if query.convert is None else converting_reducer(name, query.convert),
        quantity=metric.quantity,
        split=args.use_all_resource_revisions,
        before=before,
        prorate=metric.prorate,
    )


def _is_rate(query: Query) -> bool:
    return query.re_aggregation_method.startswith(RATE)

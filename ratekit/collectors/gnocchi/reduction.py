"""The arithmetic that a metric's settings select."""

from __future__ import annotations

import datetime

from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.custom_query import Aggregation
from ratekit.domain.period import Window
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.quantities import Reduction
from ratekit.domain.usage.reducers import RATE, REDUCERS, converting_reducer


def first_bucket(aggregation: Aggregation, window: Window) -> datetime.datetime:
    """Return the start of the first bucket to read.

    A counter's buckets are compared with those of the period before the window.
    """
    return window.begin - window.step if _is_rate(aggregation) else window.begin


def build_reduction(
    metric: Metric,
    args: GnocchiArgs,
    window: Window,
    patience: datetime.timedelta,
    seconds: int,
) -> Reduction:
    """Return the arithmetic of a metric over a window.

    :param seconds: granularity of the buckets
    """
    aggregation = args.aggregation(metric.name)
    name = aggregation.re_aggregation_method.removeprefix(RATE)
    convert = aggregation.convert
    begins = window.begins()
    before = first_bucket(aggregation, window) if _is_rate(aggregation) else None
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
        reducer=REDUCERS[name] if convert is None else converting_reducer(name, convert),
        quantity=metric.quantity,
        split=args.use_all_resource_revisions,
        before=before,
        prorate=metric.prorate,
    )


def _is_rate(aggregation: Aggregation) -> bool:
    return aggregation.re_aggregation_method.startswith(RATE)

"""The arithmetic that a metric's settings select."""

from __future__ import annotations

import datetime

from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.custom_query import Aggregation
from ratekit.domain.period import Window
from ratekit.domain.usage.counter import Counter
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.reducers import RATE, REDUCERS, converting_reducer
from ratekit.domain.usage.reduction import Negative, Reduction


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
    records_until: datetime.datetime | None = None,
) -> Reduction:
    """Return the arithmetic of a metric over a window.

    :param seconds: granularity of the buckets
    :param records_until: see :class:`ratekit.domain.usage.reduction.Reduction`
    """
    aggregation = args.aggregation(metric.name)
    name = aggregation.re_aggregation_method.removeprefix(RATE)
    convert = aggregation.convert
    granularity = datetime.timedelta(seconds=seconds)
    buckets = window.step // granularity
    return Reduction(
        period_of={
            begin + index * granularity: begin
            for begin in window.begins()
            for index in range(buckets)
        },
        step=window.step,
        granularity=granularity,
        patience=patience,
        reducer=REDUCERS[name] if convert is None else converting_reducer(name, convert),
        convert=metric.convert,
        quantity=metric.quantity,
        split=args.use_all_resource_revisions,
        counter=build_counter(args, aggregation),
        prorate=metric.prorate,
        negative=_negative(args, aggregation),
        records_until=records_until,
    )


def build_counter(args: GnocchiArgs, aggregation: Aggregation) -> Counter | None:
    """Return how the metric's counters are read; None: it is not a counter."""
    if not _is_rate(aggregation):
        return None
    return Counter(
        gap=datetime.timedelta(seconds=args.counter_gap),
        counts_first=args.first_value == "count",
        keeps_steps=aggregation.decides_on_steps,
    )


def _negative(args: GnocchiArgs, aggregation: Aggregation) -> Negative:
    if args.negative == "keep":
        return Negative.KEEP
    methods = aggregation.re_aggregation_method, aggregation.aggregation_method
    is_growth = any(method.startswith(RATE) for method in methods)
    return Negative.ZERO_BUCKETS if is_growth else Negative.ZERO


def _is_rate(aggregation: Aggregation) -> bool:
    return aggregation.re_aggregation_method.startswith(RATE)

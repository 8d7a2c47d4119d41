"""The calculation of a frame's quantity from raw aggregates: read again, and put in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ratekit import errors, redact
from ratekit.admin import explain
from ratekit.admin import metric as metric_admin
from ratekit.admin.number_words import decimal_text, ratio_text, value_text
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.task import Swap
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.usage.metric import WHOLE, Metric
from ratekit.domain.usage.trace import TraceStep
from ratekit.interfaces import Collector
from ratekit.text import second_text

#: How many values are written one by one; of more the number is.
_VALUE_LIMIT = 8


@dataclasses.dataclass(frozen=True, slots=True)
class QuantityTrace:
    """How a frame's quantity is calculated from what the back end has now.

    :ivar row: the frame
    :ivar metric: its metric
    :ivar reducer: its name; empty: the collector has none
    :ivar steps: at least one
    :ivar collection: the swap whose records about resources were followed; None: those that
        there were when the period became due
    """

    row: FrameRow
    metric: Metric
    reducer: str
    steps: Sequence[TraceStep]
    collection: Swap | None


@dataclasses.dataclass(frozen=True, slots=True)
class NoTrace:
    """There is no calculation.

    :ivar reason: why, one clause
    """

    reason: str


#: Reads metrics.yml and builds the collector; raises what is wrong with the configuration.
Source = Callable[[], tuple[Sequence[Metric], Collector]]


def read(
    row: FrameRow, source: Source, calendar: Calendar, collection: Swap | None = None
) -> QuantityTrace | NoTrace:
    """Return the calculation of a frame's quantity, or why there is none.

    Whatever is wrong is no error: everything else about the frame can still be told.

    :param collection: the swap that collected the frame again; None: there was none
    """
    try:
        trace = _read_trace(row, source, calendar, collection)
    except errors.RatekitError as error:
        return NoTrace(" ".join(redact.redact_urls(str(error)).split()))
    if trace.steps:
        return trace
    reason = "the metering back end no longer has data of this frame"
    if collection is not None:
        reason += f"; task {collection.task.id} collected it again at {_time(collection)}"
    return NoTrace(reason)


def document(trace: QuantityTrace | NoTrace) -> Mapping[str, Any]:
    """Return the calculation as an object; amounts are Decimal."""
    if isinstance(trace, NoTrace):
        return {"steps": [], "quantity": None, "records_until": None, "unavailable": trace.reason}
    return {
        "steps": [_object(step, trace) for step in trace.steps],
        "quantity": explain.quantity(trace.steps),
        "records_until": trace.collection and _time(trace.collection),
        "unavailable": None,
    }


def lines(trace: QuantityTrace | NoTrace) -> Iterator[str]:
    """Yield the calculation in words."""
    if isinstance(trace, NoTrace):
        yield f"not available: {trace.reason}"
        return
    for step in trace.steps:
        yield _line(step, trace)
    total, stored = explain.quantity(trace.steps), trace.row.quantity
    text = decimal_text(total)
    if len(trace.steps) > 1:
        parts = " + ".join(decimal_text(step.trace.quantity) for step in trace.steps)
        yield f"sum: {parts} = {text}"
    if trace.collection is not None:
        time, task = _time(trace.collection), trace.collection.task
        yield f"by the records made before {time}, when task {task.id} collected it again"
    if total == stored:
        yield "equals the stored quantity"
    else:
        yield (
            f"stored: {decimal_text(stored)}; measures, metrics.yml or [collect] period "
            "have changed since then"
        )


def _read_trace(
    row: FrameRow, source: Source, calendar: Calendar, collection: Swap | None
) -> QuantityTrace:
    """Follow the records by which the frame was rated.

    If the scope was reset after the swap, these are those of live rating again. The database
    does not tell, but the quantity does.
    """
    metrics, collector = source()
    metric = explain.metric_of(row, metrics)
    window = metric_admin.sample_period(calendar, row.begin, row.begin)
    reducer = metric_admin.describe(metric, collector).get("re_aggregation_method", "")
    traces = []
    for swap in (None,) if collection is None else (collection, None):
        until = None if swap is None else swap.record.at
        steps = explain.reduction(row, metric, collector, window, until)
        trace = QuantityTrace(row, metric, reducer, steps, swap)
        if steps and explain.quantity(steps) == row.quantity:
            return trace
        traces.append(trace)
    return traces[0]


def _time(swap: Swap) -> str:
    return second_text(swap.record.at)


def _line(step: TraceStep, trace: QuantityTrace) -> str:
    """Return ``mean of 6, 9 = 7.5; * 1/3 = 2.5; share 1/2 = 1.25``."""
    quantity = step.trace
    values = value_text(quantity.values, _VALUE_LIMIT)
    parts = [f"{trace.reducer} of {values} = {ratio_text(quantity.value)}".strip()]
    # The share already shows prorating.
    conversion = metric_admin.conversion(dataclasses.replace(trace.metric, prorate=False))
    whole = decimal_text(trace.metric.quantity(quantity.value))
    if conversion:
        parts.append(f"{conversion} = {whole}")
    if quantity.share != WHOLE:
        parts.append(f"share {ratio_text(quantity.share)} = {decimal_text(quantity.quantity)}")
    return "; ".join(parts)


def _object(step: TraceStep, trace: QuantityTrace) -> Mapping[str, Any]:
    quantity = step.trace
    return {
        "values": list(quantity.values),
        "reducer": trace.reducer,
        "value": ratio_text(quantity.value),
        "conversion": metric_admin.conversion(trace.metric),
        "share": ratio_text(quantity.share),
        "quantity": quantity.quantity,
    }

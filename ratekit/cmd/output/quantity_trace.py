"""How ``ratekit explain`` shows the calculation of a quantity from raw aggregates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit import errors, redact
from ratekit.admin import explain
from ratekit.admin import metric as metric_admin
from ratekit.cmd.output import cells
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.task import Swap
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.usage.metric import WHOLE, Metric
from ratekit.domain.usage.trace import TraceStep
from ratekit.interfaces import Collector
from ratekit.text import second_text

#: How many values a table shows one by one; of more it shows the number.
_VALUE_LIMIT = 8


@dataclasses.dataclass(frozen=True, slots=True)
class _Trace:
    """How a frame's quantity is calculated from what the back end has now.

    :ivar reducer: its name; empty: the collector has none
    :ivar collection: the swap whose records about resources were followed; None: those that
        there were when the period became due
    """

    metric: Metric
    reducer: str
    steps: Sequence[TraceStep]
    collection: Swap | None


#: Reads metrics.yml and builds the collector; raises what is wrong with the configuration.
Source = Callable[[], tuple[Sequence[Metric], Collector]]


def cell(
    row: FrameRow, source: Source, calendar: Calendar, collection: Swap | None = None
) -> cells.Cell:
    """Show the calculation of a frame's quantity; to machines as an object.

    If it is not available, the cell says why: everything else about the frame still is.

    :param collection: the swap that collected the frame again; None: there was none
    """
    try:
        trace = _read_trace(row, source, calendar, collection)
    except errors.RatekitError as error:
        return _unavailable(" ".join(redact.redact_urls(str(error)).split()))
    if not trace.steps:
        reason = "the metering back end no longer has data of this frame"
        if collection is not None:
            reason += f"; task {collection.task.id} collected it again at {_time(collection)}"
        return _unavailable(reason)
    total = explain.quantity(trace.steps)
    machine = {
        "steps": [_object(step, trace) for step in trace.steps],
        "quantity": cells.decimal_text(total),
        "records_until": trace.collection and _time(trace.collection),
        "unavailable": None,
    }
    return cells.block(0, _lines(trace, total, row.quantity), machine)


def _read_trace(
    row: FrameRow, source: Source, calendar: Calendar, collection: Swap | None
) -> _Trace:
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
        trace = _Trace(metric, reducer, steps, swap)
        if steps and explain.quantity(steps) == row.quantity:
            return trace
        traces.append(trace)
    return traces[0]


def _time(swap: Swap) -> str:
    return second_text(swap.record.at)


def _unavailable(reason: str) -> cells.Cell:
    machine: Mapping[str, Any] = {
        "steps": [],
        "quantity": None,
        "records_until": None,
        "unavailable": reason,
    }
    return cells.Cell(0, f"not available: {reason}", machine)


def _lines(trace: _Trace, total: Decimal, stored: Decimal) -> Iterator[str]:
    for step in trace.steps:
        yield _line(step, trace)
    text = cells.decimal_text(total)
    if len(trace.steps) > 1:
        parts = " + ".join(cells.decimal_text(step.trace.quantity) for step in trace.steps)
        yield f"sum: {parts} = {text}"
    if trace.collection is not None:
        time, task = _time(trace.collection), trace.collection.task
        yield f"by the records made before {time}, when task {task.id} collected it again"
    if total == stored:
        yield "equals the stored quantity"
    else:
        yield (
            f"stored: {cells.decimal_text(stored)}; measures, metrics.yml or [collect] period "
            "have changed since then"
        )


def _line(step: TraceStep, trace: _Trace) -> str:
    """Return ``mean of 6, 9 = 7.5; * 1/3 = 2.5; share 1/2 = 1.25``."""
    quantity = step.trace
    values = cells.value_text(quantity.values, _VALUE_LIMIT)
    parts = [f"{trace.reducer} of {values} = {cells.ratio_text(quantity.value)}".strip()]
    # The share already shows prorating.
    conversion = metric_admin.conversion(dataclasses.replace(trace.metric, prorate=False))
    whole = cells.decimal_text(trace.metric.quantity(quantity.value))
    if conversion:
        parts.append(f"{conversion} = {whole}")
    if quantity.share != WHOLE:
        parts.append(
            f"share {cells.ratio_text(quantity.share)} = {cells.decimal_text(quantity.quantity)}"
        )
    return "; ".join(parts)


def _object(step: TraceStep, trace: _Trace) -> Mapping[str, Any]:
    quantity = step.trace
    return {
        "values": [cells.decimal_text(value) for value in quantity.values],
        "reducer": trace.reducer,
        "value": cells.ratio_text(quantity.value),
        "conversion": metric_admin.conversion(trace.metric),
        "share": cells.ratio_text(quantity.share),
        "quantity": cells.decimal_text(quantity.quantity),
    }

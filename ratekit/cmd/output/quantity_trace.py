"""How ``ratekit explain`` shows the way from raw aggregates to a stored quantity."""

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
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.usage.metric import WHOLE, Metric
from ratekit.domain.usage.trace import TraceStep
from ratekit.interfaces import Collector

#: Values that people are shown one by one; of more they are told the number.
_INLINE = 8


@dataclasses.dataclass(frozen=True, slots=True)
class _Told:
    """What the metering back end tells of a frame.

    :ivar reducer: its name; empty where the collector has none
    """

    metric: Metric
    reducer: str
    steps: Sequence[TraceStep]


#: Builds what is asked; says what is wrong with the configuration when it does.
Source = Callable[[], tuple[Sequence[Metric], Collector]]


def cell(row: FrameRow, source: Source, calendar: Calendar) -> cells.Cell:
    """Show how a frame's quantity comes about; to machines an object.

    Says so in a line where that cannot be told: all else about a frame can.
    """
    try:
        told = _asked(row, source, calendar)
    except errors.RatekitError as error:
        return _untold(" ".join(redact.redacted(str(error)).split()))
    if not told.steps:
        return _untold("the metering back end has nothing of it any more")
    total = explain.quantity(told.steps)
    machine = {
        "steps": [_object(step, told) for step in told.steps],
        "quantity": cells.decimal_text(total),
        "untold": None,
    }
    return cells.Cell(0, "\n".join(_lines(told, total, row.quantity)), machine)


def _asked(row: FrameRow, source: Source, calendar: Calendar) -> _Told:
    metrics, collector = source()
    metric = explain.metric_of(row, metrics)
    window = metric_admin.sampled_period(calendar, row.begin, row.begin)
    reducer = metric_admin.describe(metric, collector).get("re_aggregation_method", "")
    return _Told(metric, reducer, explain.reduction(row, metric, collector, window))


def _untold(why: str) -> cells.Cell:
    text = f"cannot be told: {cells.printable(why)}"
    return cells.Cell(0, text, {"steps": [], "quantity": None, "untold": why})


def _lines(told: _Told, total: Decimal, stored: Decimal) -> Iterator[str]:
    for step in told.steps:
        yield _line(step, told)
    text = cells.decimal_text(total)
    if len(told.steps) > 1:
        parts = " + ".join(cells.decimal_text(step.trace.quantity) for step in told.steps)
        yield f"sum: {parts} = {text}"
    if total == stored:
        yield "as stored"
    else:
        yield (
            f"{cells.decimal_text(stored)} is stored: measures or metrics.yml have changed "
            "since, or [collect] period has"
        )


def _line(step: TraceStep, told: _Told) -> str:
    """Return ``mean of 6, 9 = 7.5; * 1/3 = 2.5; share 1/2 = 1.25``."""
    trace = step.trace
    texts = [cells.decimal_text(value) for value in trace.values]
    values = f"{len(texts)} values" if len(texts) > _INLINE else ", ".join(texts)
    parts = [f"{told.reducer} of {values} = {cells.ratio_text(trace.value)}".strip()]
    # What is prorated shows in the share.
    conversion = metric_admin.conversion(dataclasses.replace(told.metric, prorate=False))
    whole = cells.decimal_text(told.metric.quantity(trace.value))
    if conversion:
        parts.append(f"{conversion} = {whole}")
    if trace.share != WHOLE:
        parts.append(
            f"share {cells.ratio_text(trace.share)} = {cells.decimal_text(trace.quantity)}"
        )
    return "; ".join(parts)


def _object(step: TraceStep, told: _Told) -> Mapping[str, Any]:
    trace = step.trace
    return {
        "values": [cells.decimal_text(value) for value in trace.values],
        "reducer": told.reducer,
        "value": cells.ratio_text(trace.value),
        "conversion": metric_admin.conversion(told.metric),
        "share": cells.ratio_text(trace.share),
        "quantity": cells.decimal_text(trace.quantity),
    }

"""How ``ratekit explain`` shows the calculation of a quantity from raw aggregates."""

from __future__ import annotations

from ratekit.admin import quantity_trace
from ratekit.cmd.output import cells
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.task import Swap
from ratekit.domain.schedule.calendar import Calendar


def cell(
    row: FrameRow,
    source: quantity_trace.Source,
    calendar: Calendar,
    collection: Swap | None = None,
) -> cells.Cell:
    """Show the calculation of a frame's quantity; to machines as an object.

    If it is not available, the cell says why: everything else about the frame still is.

    :param collection: the swap that collected the frame again; None: there was none
    """
    trace = quantity_trace.read(row, source, calendar, collection)
    machine = cells.exact_texts(quantity_trace.document(trace))
    return cells.block(0, quantity_trace.lines(trace), machine)

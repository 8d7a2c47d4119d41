"""``/v2/export``: charges as files for accounting systems."""

from __future__ import annotations

from typing import Literal

import pydantic

from ratekit import errors
from ratekit.admin import zones
from ratekit.api.arguments import LocalTime, Pairs, Zone
from ratekit.api.faults import Fault
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.report_range import Range, read_ordered_bounds, warning_headers
from ratekit.api.v2 import filters
from ratekit.api.visibility import Demand
from ratekit.export.csv_text import CSV
from ratekit.export.focus import csv_lines, currency
from ratekit.export.focus.bill import FocusBill, Order


class FocusQuery(Range):
    """The charges that are exported.

    :ivar filters: as in summaries
    :ivar granularity: the time that one charge is for
    :ivar zone: time zone of days and months, of ``begin`` and ``end`` without an offset, and of
        the range that is the default; the times of charges are in UTC
    """

    begin: LocalTime | None = None
    end: LocalTime | None = None
    filters: Pairs = pydantic.Field(default_factory=dict)
    granularity: Literal["hour", "day", "month"] = "day"
    zone: Zone = zones.UTC

    def demand(self, scope_key: str) -> Demand:
        """Return the scopes that the filters name; of these the caller sees his."""
        return filters.demand(self.filters, scope_key)


def export_focus(call: Call[FocusQuery]) -> Answer:
    """Write charges as FOCUS 1.2, in CSV.

    It is all in one answer, which is written while it is read. If the reading fails, the
    connection ends without the end of the body. The header `X-Frame-Count` is what the column
    `x_FrameCount` adds up to in a body that is whole. A header `Warning` tells of projects that
    are not yet rated until the end. Without a currency in the configuration: 409. A time range of
    which usage was purged: 400.
    """
    arguments, parts = call.arguments, call.parts
    try:
        currency.require_code(parts.conf.rating.currency)
    except errors.OperatorError as error:
        raise Fault(409, str(error)) from None
    zone = zones.read_zone(arguments.zone)
    selection = filters.select(call, read_ordered_bounds(arguments, parts, zone))
    order = Order(selection, arguments.granularity, zone)
    settings = parts.metrics.read().settings
    count = parts.storage.reports.count_frames(selection)
    bill = FocusBill(parts.conf, parts.storage, settings, order, csv_lines.CELLS)
    stream = parts.streams.open(call.caller, csv_lines.write(bill.rows()))
    begin, end = (instant.astimezone(zone) for instant in (order.begin, order.end))
    name = f"focus-{begin:%Y-%m-%d}-{end:%Y-%m-%d}.csv"
    return Answer(
        stream=stream,
        headers={
            "Content-Type": f"{CSV}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            # A connection without chunks ends in the middle as it does in the end.
            "X-Frame-Count": str(count),
            **warning_headers(bill.explain_unfinished()),
        },
    )


OPERATIONS = [
    Operation(
        "GET", "/v2/export/focus", export_focus, "dataframes:get", FocusQuery, str, media=(CSV,)
    ),
]

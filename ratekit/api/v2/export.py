"""``/v2/export``: charges as files for accounting systems."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Literal

import pydantic

from ratekit import errors
from ratekit.api.arguments import Pairs, Text
from ratekit.api.faults import Fault
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.report_range import Range, read_ordered_bounds
from ratekit.api.v2 import filters
from ratekit.api.visibility import Demand
from ratekit.export.csv_text import CSV
from ratekit.export.focus import csv_lines, currency
from ratekit.export.focus.bill import FocusBill, Order


class FocusQuery(Range):
    """The charges that are exported.

    :ivar filters: as in summaries
    :ivar granularity: the time that one charge is for
    :ivar timezone: of days and months, such as ``Europe/Berlin``; times are written in UTC
    """

    filters: Pairs = pydantic.Field(default_factory=dict)
    granularity: Literal["hour", "day", "month"] = "day"
    timezone: Text = "UTC"

    def demand(self, scope_key: str) -> Demand:
        """Return the scopes that the filters name; of these the caller sees his."""
        return filters.demand(self.filters, scope_key)


def export_focus(call: Call[FocusQuery]) -> Answer:
    """Write charges as FOCUS 1.2, in CSV.

    It is all in one answer, which is written while it is read. If the reading fails, the
    connection ends without the end of the body. Without a currency in the configuration: 409. A
    time range of which usage was purged: 400.
    """
    arguments, parts = call.arguments, call.parts
    try:
        currency.require_code(parts.conf.rating.currency)
    except errors.OperatorError as error:
        raise Fault(409, str(error)) from None
    selection = filters.select(call, read_ordered_bounds(arguments, parts))
    order = Order(selection, arguments.granularity, _read_zone(arguments.timezone))
    settings = parts.metrics.read().settings
    bill = FocusBill(parts.conf, parts.storage, settings, order, csv_lines.CELLS)
    stream = parts.streams.open(call.caller, csv_lines.write(bill.rows()))
    name = f"focus-{order.begin:%Y-%m-%d}-{order.end:%Y-%m-%d}.csv"
    return Answer(
        stream=stream,
        headers={
            "Content-Type": f"{CSV}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )


def _read_zone(name: str) -> datetime.tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a relative path, a folder of zones
        raise Fault(
            400, f"timezone: expected a name such as Europe/Berlin or UTC, not {name!r}"
        ) from None


OPERATIONS = [
    Operation(
        "GET", "/v2/export/focus", export_focus, "dataframes:get", FocusQuery, str, media=(CSV,)
    ),
]

"""``/v2/dataframes``: rated usage, a page of points at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pydantic

from ratekit.api.answers import Amount, Time
from ratekit.api.arguments import Arguments
from ratekit.api.faults import Fault
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.report_range import purge_note, read_bounds, warning_headers
from ratekit.api.v2 import filters
from ratekit.domain.reporting.reports import FrameRow, Page
from ratekit.domain.schedule.calendar import Calendar

#: CloudKitty's page.
_LIMIT = 100


class PeriodBounds(pydantic.BaseModel):
    """A period."""

    begin: Time
    end: Time


class Volume(pydantic.BaseModel):
    """A quantity."""

    unit: str
    qty: Amount


class Rating(pydantic.BaseModel):
    """What it costs."""

    price: Amount


class Point(pydantic.BaseModel):
    """A rated usage with its labels."""

    vol: Volume
    rating: Rating
    groupby: dict[str, str | None]
    metadata: dict[str, str | None]


class PeriodFrame(pydantic.BaseModel):
    """The points of a period by metric."""

    period: PeriodBounds
    usage: dict[str, list[Point]]


class PeriodFrames(pydantic.BaseModel):
    """A page of points, sorted by period, scope, metric and labels; ``total``: of all pages."""

    total: int
    dataframes: list[PeriodFrame]


class PushedFrames(Arguments):
    """Frames from elsewhere, which ratekit does not take.

    :ivar dataframes: anything
    """

    dataframes: Any = None


def list_dataframes(call: Call[filters.Filtered]) -> Answer:
    """List rated usage in a time range.

    `offset` and `limit` (default: 100) count points. Nothing found: 404.
    """
    offset, limit = call.arguments.offset, call.arguments.limit or _LIMIT
    filters.require_page(call, limit)
    # As CloudKitty: an end before the begin selects nothing.
    selection = filters.select(call, read_bounds(call.arguments, call.parts))
    reports = call.parts.storage.reports
    rows = list(reports.frames(selection, Page(offset, limit)))
    is_last = len(rows) < limit and (rows or not offset)
    total = offset + len(rows) if is_last else reports.count_frames(selection)
    assert selection.begin is not None, "reports start somewhere"
    note = purge_note(call.parts, selection.begin, from_totals=False)
    if not total:
        # CloudKitty's words.
        raise Fault(404, f"No resource found for provided filters.{' ' + note if note else ''}")
    frames = list(_show(rows, call.parts.calendar))
    return Answer({"total": total, "dataframes": frames}, headers=warning_headers(note))


def refuse_dataframes(_: Call[PushedFrames]) -> None:
    """Refuse frames from elsewhere: 501.

    ratekit charges each period once, from what it collects itself.
    """
    raise Fault(501, "ratekit takes no frames from elsewhere; it charges what it collects itself")


def _show(rows: Iterable[FrameRow], calendar: Calendar) -> Iterator[dict[str, Any]]:
    for begin, frames in itertools.groupby(rows, key=lambda row: row.begin):
        usage: dict[str, list[dict[str, Any]]] = {}
        for frame in frames:
            usage.setdefault(frame.metric, []).append(
                {
                    "vol": {"unit": frame.unit, "qty": frame.quantity},
                    "rating": {"price": frame.price},
                    "groupby": frame.groupby,
                    "metadata": frame.metadata,
                }
            )
        yield {"period": {"begin": begin, "end": begin + calendar.step}, "usage": usage}


OPERATIONS = [
    Operation(
        "GET", "/v2/dataframes", list_dataframes, "dataframes:get", filters.Filtered, PeriodFrames
    ),
    Operation(
        "POST",
        "/v2/dataframes",
        refuse_dataframes,
        "dataframes:add",
        PushedFrames,
        status=204,
        faults=(501,),
    ),
]

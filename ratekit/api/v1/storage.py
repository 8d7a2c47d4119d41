"""``/v1/storage``: rated usage, a frame at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pydantic

from ratekit.api import dialects
from ratekit.api.answers import AmountText, NaiveTime
from ratekit.api.arguments import Text
from ratekit.api.operation import Answer, Call, Operation
from ratekit.api.report_range import Range, purge_note, read_bounds, warning_headers
from ratekit.api.streams import write_list
from ratekit.api.visibility import Demand
from ratekit.domain.reporting.reports import FrameRow, Selection
from ratekit.domain.schedule.calendar import Calendar


class FrameFilter(Range):
    """Whose usage of what is returned.

    :ivar tenant_id: a project; default: that of the token, and all for administrators
    :ivar resource_type: only this metric
    """

    tenant_id: Text | None = None
    resource_type: Text | None = None

    def demand(self, scope_key: str) -> Demand:
        """Return the tenant, which is refused to others; without one, what the caller may see."""
        return Demand(frozenset({self.tenant_id}), narrows=False) if self.tenant_id else Demand()


class FrameResource(pydantic.BaseModel):
    """A rated usage; ``desc`` has all labels."""

    service: str
    volume: AmountText
    rating: AmountText
    desc: dict[str, str | None]


class ResourceFrame(pydantic.BaseModel):
    """A period of a project; its list has one usage."""

    begin: NaiveTime
    end: NaiveTime
    tenant_id: str
    resources: list[FrameResource]


class ResourceFrames(pydantic.BaseModel):
    """The frames, sorted by period, project, metric and labels."""

    dataframes: list[ResourceFrame]


def list_dataframes(call: Call[FrameFilter]) -> Answer:
    """List rated usage in a time range.

    It is all in one answer, which is written while it is read. If the reading fails, the
    connection ends without the end of the JSON text.
    """
    begin, end = read_bounds(call.arguments, call.parts)
    metric = call.arguments.resource_type
    selection = Selection(begin, end, scopes=call.scopes, metrics=(metric,) if metric else ())
    frames = call.parts.storage.reports.frames(selection)
    members = _encode(frames, call.parts.calendar)
    stream = call.parts.streams.open(call.caller, write_list("dataframes", members))
    try:
        # It has begun to read: what is purged from now on is still in it.
        note = purge_note(call.parts, begin, from_totals=False)
    except BaseException:
        stream.close()
        raise
    return Answer(stream=stream, headers=warning_headers(note))


def _encode(frames: Iterator[FrameRow], calendar: Calendar) -> Iterator[bytes]:
    for frame in frames:
        yield dialects.V1.encode(_show(frame, calendar))


def _show(frame: FrameRow, calendar: Calendar) -> dict[str, Any]:
    return {
        "begin": frame.begin,
        "end": frame.begin + calendar.step,
        "tenant_id": frame.scope,
        "resources": [
            {
                "service": frame.metric,
                "volume": frame.quantity,
                "rating": frame.price,
                "desc": {**frame.metadata, **frame.groupby},
            }
        ],
    }


OPERATIONS = [
    Operation(
        "GET", "/v1/storage/dataframes", list_dataframes, "storage:list_data_frames",
        FrameFilter, ResourceFrames,
    ),
]  # fmt: skip

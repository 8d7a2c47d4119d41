"""What all reports share: the time range, its limits, and what was purged from it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from ratekit.api.arguments import Arguments, Instant
from ratekit.api.faults import Fault
from ratekit.api.parts import Parts
from ratekit.text import count_text, second_text

_LONGEST_MONTH = datetime.timedelta(days=32)
#: Between them, the weeks of a time are within what Python can count in any zone.
_FIRST = datetime.datetime(1, 2, 1, tzinfo=datetime.UTC)
_LAST = datetime.datetime(9999, 12, 1, tzinfo=datetime.UTC)


class Range(Arguments):
    """The periods that a report includes.

    :ivar begin: the first that may start; default: the start of this month, UTC
    :ivar end: later ones are left out, and one that starts then; default: the start of next month
    """

    begin: Instant | None = None
    end: Instant | None = None


def read_bounds(
    arguments: Range, parts: Parts, zone: datetime.tzinfo = datetime.UTC
) -> tuple[datetime.datetime, datetime.datetime]:
    """Return begin and end, UTC; the end may be before the begin, which selects nothing.

    :param zone: of this month, and of times without an offset
    :raises ratekit.api.faults.Fault: the range is too long, or there is no such time
    """
    now = parts.clock().astimezone(zone)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0, tzinfo=None)
    next_month = (month + _LONGEST_MONTH).replace(day=1)
    begin = _to_utc("begin", month if arguments.begin is None else arguments.begin, zone)
    end = _to_utc("end", next_month if arguments.end is None else arguments.end, zone)
    if end - begin > parts.limits.range:
        days = count_text(parts.limits.range.days, "day")
        raise Fault(
            400,
            f"expected a time range of at most {days} ([api] max_range), not from "
            f"{second_text(begin)} to {second_text(end)}",
        )
    return begin, end


def _to_utc(name: str, time: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
    """Return a time as UTC.

    :raises ratekit.api.faults.Fault: no calendar of the zone reaches as far
    """
    if zone is datetime.UTC:
        return time if time.tzinfo else time.replace(tzinfo=zone)
    if not _FIRST <= time.replace(tzinfo=datetime.UTC) <= _LAST:
        raise Fault(400, f"{name}: {time.isoformat()} is too far in the past or future")
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(datetime.UTC)


def read_ordered_bounds(
    arguments: Range, parts: Parts, zone: datetime.tzinfo = datetime.UTC
) -> tuple[datetime.datetime, datetime.datetime]:
    """Return begin and end, UTC.

    :param zone: of this month, and of times without an offset
    :raises ratekit.api.faults.Fault: the range is too long, or does not end after its begin
    """
    begin, end = read_bounds(arguments, parts, zone)
    if begin >= end:
        default = " (the default)"
        raise Fault(
            400,
            f"begin {second_text(begin)}{'' if arguments.begin else default} is not before end "
            f"{second_text(end)}{'' if arguments.end else default}",
        )
    return begin, end


def purge_note(parts: Parts, begin: datetime.datetime, from_totals: bool) -> str | None:
    """Return what a report from ``begin`` on lacks because it was purged; None: nothing.

    :param from_totals: the report has no labels
    """
    return parts.storage.purge.mark().explain_missing(begin, from_totals)


def warning_headers(note: str | None) -> Mapping[str, str]:
    """Return the headers that tell what a report lacks."""
    return {} if note is None else {"Warning": f'299 - "{note}"'}

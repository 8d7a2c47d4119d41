"""Gnocchi's formats of timestamps, lengths of time and attributes."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

from ratekit.text import python_number

#: As Gnocchi writes them, after Python's ``str(timedelta)``.
_TIMESPAN = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)(?:\.(\d{6}))?\Z")


def utc(text: str) -> datetime.datetime:
    """Read a timestamp; one without a zone is UTC.

    :raises ValueError: it is not a timestamp
    """
    instant = datetime.datetime.fromisoformat(text)
    if instant.tzinfo is datetime.UTC:
        return instant
    if instant.utcoffset() is None:
        instant = instant.replace(tzinfo=datetime.UTC)
    return instant.astimezone(datetime.UTC)


def timespan(text: str) -> datetime.timedelta:
    """Read a length of time as Gnocchi writes it.

    :raises ValueError: it is not a length of time
    """
    match = _TIMESPAN.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a length of time")
    days, hours, minutes, seconds, microseconds = (int(part or 0) for part in match.groups())
    return datetime.timedelta(days, seconds, microseconds, minutes=minutes, hours=hours)


def label(value: Any) -> str | None:
    """Return the label that an attribute becomes: its text as CloudKitty compares it, or None.

    CloudKitty's text is Python's ``str()`` of what a JSON parser returns.

    :param value: parsed from JSON, numbers as Decimal
    """
    return value if value is None or type(value) is str else str(_as_python(value))


def _as_python(value: Any) -> Any:
    match value:
        case Decimal():
            return python_number(value)
        case list():
            return [_as_python(member) for member in value]
        case dict():
            return {name: _as_python(member) for name, member in value.items()}
        case _:
            return value

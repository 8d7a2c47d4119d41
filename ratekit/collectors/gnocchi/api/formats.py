"""Gnocchi's formats of timestamps and lengths of time."""

from __future__ import annotations

import datetime
import re

#: As Gnocchi writes them, after Python's ``str(timedelta)``.
_TIMESPAN = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)(?:\.(\d{6}))?\Z")


def utc(text: str) -> datetime.datetime:
    """Read a timestamp; one without a zone is UTC.

    :raises ValueError: it is not a timestamp
    """
    instant = datetime.datetime.fromisoformat(text)
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

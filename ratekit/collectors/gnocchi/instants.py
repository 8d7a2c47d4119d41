"""Gnocchi's timestamps."""

from __future__ import annotations

import datetime


def utc(text: str) -> datetime.datetime:
    """Read a timestamp; one without a zone is UTC.

    :raises ValueError: it is none
    """
    instant = datetime.datetime.fromisoformat(text)
    if instant.utcoffset() is None:
        instant = instant.replace(tzinfo=datetime.UTC)
    return instant.astimezone(datetime.UTC)

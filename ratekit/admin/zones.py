"""Time zones by their names."""

from __future__ import annotations

import datetime
import functools
import zoneinfo

from ratekit import errors

#: The name of UTC, for which no database of zones is needed.
UTC = "UTC"


def read_zone(name: str) -> datetime.tzinfo:
    """Return the time zone of an IANA name, such as Europe/Berlin.

    :raises ratekit.errors.OperatorError: it does not exist
    """
    if name == UTC:
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a relative path, a folder of zones
        hint = errors.suggestion(name, _names())
        raise errors.OperatorError(
            f"expected a name such as Europe/Berlin or UTC, not {name!r}{hint}"
        ) from None


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())

"""Hours, days and months as a time zone has them."""

from __future__ import annotations

import datetime

BUCKETS = frozenset({"hour", "day", "month"})


def bucket(instant: datetime.datetime, name: str, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the begin of the hour, day or month of ``zone`` that ``instant`` lies in.

    The answer is in UTC, since there the two hours that share a name when clocks go back
    are two. A day whose midnight the clocks skip begins with its first instant.

    :param name: one of :data:`BUCKETS`
    :raises KeyError: it is not
    """
    local = instant.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    match name:
        case "hour":
            begin = local
        case "day":
            begin = local.replace(hour=0, fold=0)
        case "month":
            begin = local.replace(day=1, hour=0, fold=0)
        case _:
            raise KeyError(name)
    return begin.astimezone(datetime.UTC)

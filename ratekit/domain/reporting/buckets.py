"""Hours, days and months by the clock of a time zone."""

from __future__ import annotations

import datetime

#: Each bucket's name, and a time that is shorter than any such bucket.
_STEPS = {
    "hour": datetime.timedelta(minutes=30),
    "day": datetime.timedelta(hours=12),
    "month": datetime.timedelta(days=14),
}
#: Time ranges that depend on the time zone.
BUCKETS = frozenset(_STEPS)


def bucket(instant: datetime.datetime, name: str, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the start of the hour, day or month of ``zone`` that contains ``instant``.

    The result is in UTC, where the two hours that have one name when clocks go back differ.
    A day whose midnight is skipped by the clocks starts with its first instant.

    :param name: one of :data:`BUCKETS`
    :raises KeyError: ``name`` is none of them
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


def list_buckets(
    begin: datetime.datetime,
    end: datetime.datetime,
    name: str,
    zone: datetime.tzinfo,
    limit: int,
) -> list[datetime.datetime]:
    """Return the starts of the buckets that overlap ``[begin, end)``, in UTC.

    :param limit: no more than one more than so many
    """
    starts = [bucket(begin, name, zone)]
    last = bucket(end - datetime.timedelta(microseconds=1), name, zone)
    step = _STEPS[name]
    while starts[-1] != last and len(starts) <= limit:
        begin = begin + step if end - begin > step else last
        start = bucket(begin, name, zone)
        if start != starts[-1]:
            starts.append(start)
    return starts

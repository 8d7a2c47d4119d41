"""Hours, days, weeks, months and years by the clock of a time zone."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator

#: Each bucket's name, and a time that is shorter than any such bucket.
_STEPS = {
    "hour": datetime.timedelta(minutes=30),
    "day": datetime.timedelta(hours=12),
    "week": datetime.timedelta(days=3),
    "month": datetime.timedelta(days=14),
    "year": datetime.timedelta(days=180),
}
#: Time ranges that depend on the time zone.
BUCKETS = frozenset(_STEPS)

_SECOND, _HOUR, _DAY = (datetime.timedelta(seconds=seconds) for seconds in (1, 3600, 86400))
_WEEK = datetime.timedelta(days=7)
_LONGEST_MONTH = datetime.timedelta(days=32)
_LONGEST_YEAR = datetime.timedelta(days=366)
#: No zone changes its clocks twice within so long.
_PROBE = datetime.timedelta(hours=12)
_EARLIEST = datetime.datetime(1, 1, 3, tzinfo=datetime.UTC)


def bucket(instant: datetime.datetime, name: str, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the start of the hour, day, week, month or year of ``zone`` that contains ``instant``.

    Weeks start on Monday.
    The result is in UTC, where the two hours that have one name when clocks go back differ.
    A day whose midnight is skipped by the clocks starts with its first instant.

    :param name: one of :data:`BUCKETS`
    :raises KeyError: ``name`` is none of them
    """
    local = instant.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    match name:
        case "hour":
            return _hour(instant, zone)
        case "day":
            begin = local.replace(hour=0, fold=0)
        case "week":
            begin = local.replace(hour=0, fold=0) - local.weekday() * _DAY
        case "month":
            begin = local.replace(day=1, hour=0, fold=0)
        case "year":
            begin = local.replace(month=1, day=1, hour=0, fold=0)
        case _:
            raise KeyError(name)
    return begin.astimezone(datetime.UTC)


def _hour(instant: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the start of an hour, so that hours follow one another.

    An hour in which clocks go back lasts until they show a full hour again.
    """
    local = instant.astimezone(zone)
    since = datetime.timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )
    begin = instant.astimezone(datetime.UTC) - since
    before, after = (_local(time, zone)[1] for time in (begin, begin + since))
    if after < before:
        return _hour(begin, zone)
    # Clocks that went forward may have skipped the full hour.
    return begin if after == before else (local - since).astimezone(datetime.UTC)


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


def list_spans(
    begin: datetime.datetime, end: datetime.datetime, name: str, zone: datetime.tzinfo
) -> list[datetime.datetime]:
    """Return instants between which :func:`bucket` returns one value, ``begin`` first, in UTC.

    Two spans may have the same bucket, even with another one in between: clocks that go back
    over midnight return to the day before.

    :param end: exclusive; at or before ``begin``: there is only ``begin``
    """
    marks = [begin, *_clock_changes(begin, end, zone)]
    spans = []
    for start, stop in itertools.zip_longest(marks, marks[1:], fillvalue=end):
        spans.append(start)
        local, offset = _local(start, zone)
        edge = _next_edge(local, name)
        while edge - local < stop - start:
            spans.append((edge - offset).replace(tzinfo=datetime.UTC))
            edge = _next_edge(edge, name)
    return spans


def _clock_changes(
    begin: datetime.datetime, end: datetime.datetime, zone: datetime.tzinfo
) -> Iterator[datetime.datetime]:
    """Yield the instants in ``(begin, end)`` at which the offset changes, or a repetition ends."""
    # A repetition may have started before.
    last = max(begin.replace(microsecond=0), _EARLIEST) - _PROBE
    changes = set()
    while last < end:
        probe = last + _PROBE if end - last > _PROBE else end
        offset = _local(last, zone)[1]
        if _local(probe, zone)[1] != offset:
            probe = _find_change(last, probe, zone)
            repetition = max(offset - _local(probe, zone)[1], datetime.timedelta(0))
            changes |= {probe, probe + repetition}
        last = probe
    yield from sorted(change for change in changes if begin < change < end)


def _find_change(
    last: datetime.datetime, probe: datetime.datetime, zone: datetime.tzinfo
) -> datetime.datetime:
    """Return the first second in ``(last, probe]`` with another offset than ``last`` has."""
    offset = _local(last, zone)[1]
    while probe - last > _SECOND:
        middle = last + (probe - last) // _SECOND // 2 * _SECOND
        if _local(middle, zone)[1] == offset:
            last = middle
        else:
            probe = middle
    return last + _SECOND


def _local(
    instant: datetime.datetime, zone: datetime.tzinfo
) -> tuple[datetime.datetime, datetime.timedelta]:
    """Return what clocks show, and by how much they differ from UTC."""
    local = instant.astimezone(zone).replace(tzinfo=None)
    return local, local - instant.replace(tzinfo=None)


def _next_edge(local: datetime.datetime, name: str) -> datetime.datetime:
    """Return the start of the next bucket, by clocks that do not change."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        match name:
            case "hour":
                return local.replace(minute=0, second=0, microsecond=0) + _HOUR
            case "day":
                return midnight + _DAY
            case "week":
                return midnight - local.weekday() * _DAY + _WEEK
            case "month":
                return (midnight.replace(day=1) + _LONGEST_MONTH).replace(day=1)
            case _:
                return (midnight.replace(month=1, day=1) + _LONGEST_YEAR).replace(day=1)
    except OverflowError:
        return local.max

"""Charge periods and billing periods."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from ratekit.domain import period
from ratekit.domain.reporting.buckets import bucket

#: Granularities, and from the start of an hour, day or month to a time in the next one.
_NEXT = {
    "hour": datetime.timedelta(minutes=90),
    "day": datetime.timedelta(hours=36),
    "month": datetime.timedelta(days=45),
}
GRANULARITIES = tuple(_NEXT)
DEFAULT = "day"
_SHORTEST = {"hour": datetime.timedelta(hours=1), "day": datetime.timedelta(days=1)}


class Span(NamedTuple):
    """Times from ``begin`` until before ``end``, UTC."""

    begin: datetime.datetime
    end: datetime.datetime


class Periods:
    """The periods of charges.

    :param granularity: one of :data:`GRANULARITIES`
    :param step: length of a rated period
    :param zone: of days and months
    :param begin: of the export
    :param end: of the export, exclusive
    :ivar whole: a charge has one rated period
    """

    def __init__(
        self,
        granularity: str,
        step: datetime.timedelta,
        zone: datetime.tzinfo,
        begin: datetime.datetime,
        end: datetime.datetime,
    ) -> None:
        self.whole = granularity in _SHORTEST and step >= _SHORTEST[granularity]
        self._granularity = granularity
        self._step = step
        self._zone = zone
        # The first period starts then, and the last one may start just before the end.
        self._begin = period.ceiling(begin, step)
        is_last = end > period.FOREVER - step
        self._end = period.FOREVER if is_last else period.ceiling(end, step)

    def charge(self, begin: datetime.datetime) -> Span:
        """Return what of an hour, day or month is in the export.

        :param begin: of the first rated period in it that has frames
        """
        if self.whole:
            return Span(begin, begin + self._step)
        span = self._span(begin, self._granularity)
        return Span(min(max(span.begin, self._begin), begin), min(span.end, self._end))

    def until(self, span: Span, begin: datetime.datetime) -> Span:
        """Return ``span`` so that it has all of a rated period, which may go beyond."""
        return Span(span.begin, max(span.end, begin + self._step))

    def billing(self, begin: datetime.datetime) -> Span:
        """Return the month in which a rated period starts."""
        return self._span(begin, "month")

    def _span(self, begin: datetime.datetime, name: str) -> Span:
        start = bucket(begin, name, self._zone)
        return Span(start, bucket(start + _NEXT[name], name, self._zone))

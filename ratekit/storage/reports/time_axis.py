"""Times of a report as numbers, which SQL can group by and sort by."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ratekit.domain.reporting.buckets import bucket, list_spans

#: A statement with more spans would be longer than the megabyte that SQLite accepts.
MAX_SPANS = 10_000


class TimeAxis:
    """The buckets of a time range: hours, days, weeks, months or years.

    The zone's rules are applied here, never by the database, whose time zones may be others.

    :param name: one of :data:`ratekit.domain.reporting.buckets.BUCKETS`
    :param begin: of the range, UTC
    :param end: exclusive
    :ivar numbered: SQL groups and sorts by bucket; else by period, because there are too many
    """

    def __init__(
        self, name: str, begin: datetime.datetime, end: datetime.datetime, zone: datetime.tzinfo
    ) -> None:
        self._name = name
        self._zone = zone
        self._spans = list_spans(begin, end, name, zone)
        starts = [bucket(span, name, zone) for span in self._spans]
        self._starts = sorted(set(starts))
        numbers = {start: number for number, start in enumerate(self._starts)}
        self._numbers = [numbers[start] for start in starts]
        self.numbered = len(self._spans) <= MAX_SPANS

    def column(self, begin: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return what SQL groups by.

        :param begin: of a period in the range
        """
        return bucket_number(begin, self._spans, self._numbers) if self.numbered else begin

    @property
    def boundaries(self) -> Sequence[datetime.datetime]:
        """The instants in the range at which another bucket begins, UTC."""
        spans = zip(self._spans[1:], itertools.pairwise(self._numbers), strict=True)
        return [span for span, (before, after) in spans if before != after]

    def start(self, value: int | datetime.datetime) -> datetime.datetime:
        """Return the start of a bucket, in UTC.

        :param value: of :meth:`column`
        """
        if isinstance(value, datetime.datetime):
            return bucket(value, self._name, self._zone)
        return self._starts[value]


class PeriodAxis:
    """The periods as they were rated, whatever their length."""

    numbered = True
    #: Any instant may be one.
    boundaries = None

    def column(self, begin: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return what SQL groups by."""
        return begin

    def start(self, value: datetime.datetime) -> datetime.datetime:
        """Return the begin of the period."""
        return value


class bucket_number(FunctionElement[int]):  # noqa: N801 -- written like a function in queries
    """The number of the bucket of an instant: a binary search, since there may be thousands.

    :param spans: the start of each span, UTC
    :param numbers: the bucket of each span
    """

    name = "bucket_number"
    # Its text is other for each report, and it would only push others out of the cache.
    inherit_cache = False
    type = sa.Integer()

    def __init__(
        self,
        begin: sa.ColumnElement[Any],
        spans: Sequence[datetime.datetime],
        numbers: Sequence[int],
    ) -> None:
        super().__init__(begin)
        # As all databases write instants, and SQLite compares them as text.
        self.spans = [span.replace(tzinfo=None).isoformat(" ", "microseconds") for span in spans]
        self.numbers = numbers


@compiles(bucket_number)
def _search(element: bucket_number, compiler: SQLCompiler, **kwargs: Any) -> str:
    begin = compiler.process(element.clauses, **kwargs)

    def tree(first: int, last: int) -> str:
        if first == last:
            return str(element.numbers[first])
        middle = (first + last + 1) // 2
        left, right = tree(first, middle - 1), tree(middle, last)
        return f"CASE WHEN {begin} < '{element.spans[middle]}' THEN {left} ELSE {right} END"

    return tree(0, len(element.numbers) - 1)

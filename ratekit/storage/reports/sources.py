"""Where sums are read from: daily totals for whole days, totals for the rest of a range.

Daily totals have a twenty-fourth of the rows, or less. A day that a report divides, because its
range or one of its buckets begins or ends within it, is read from totals.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.domain import period
from ratekit.domain.reporting.reports import Selection
from ratekit.storage.ledger.sums import DAY
from ratekit.storage.reports import selection as selecting
from ratekit.storage.schema import DAILY_TOTALS, SCOPES, TOTALS

#: More divided days would take longer, one by one, than all totals of the range.
_MOST_DIVIDED = 16


class SumColumns(NamedTuple):
    """The columns of a query for sums over totals or daily totals.

    :ivar keys: returns what is grouped by, of a table
    :ivar values: returns the sums, of the columns of a table or of a query with such sums
    """

    keys: Callable[[sa.Table], Sequence[sa.ColumnElement[Any]]]
    values: Callable[[sa.ColumnCollection[str, Any]], Iterable[sa.ColumnElement[Any]]]

    def of(self, query: sa.Select[tuple[()]], table: sa.Table) -> sa.Select[Any]:
        """Return a query without columns over a table with the sums by key."""
        keys = self.keys(table)
        return selecting.group(query.add_columns(*keys, *self.values(table.c)), keys)

    def merge(self, parts: Sequence[sa.Select[Any]]) -> sa.Select[Any]:
        """Return one query for all parts of the sums."""
        if len(parts) == 1:
            return parts[0]
        columns = sa.union_all(*parts).subquery().c
        keys = list(columns)[: len(self.keys(TOTALS))]
        return sa.select(*keys, *self.values(columns)).group_by(*keys)


class Split(NamedTuple):
    """A selection in parts that contain each total once, by itself or in its day's sum.

    :ivar days: of whole days
    :ivar without: begins of days that are not in ``days``
    :ivar rest: what is selected of each of these
    """

    days: Selection
    without: Collection[datetime.datetime]
    rest: Sequence[Selection]

    def select(
        self, scope_key: str, sums: SumColumns, has_lateral: bool
    ) -> Iterator[sa.Select[Any]]:
        """Yield queries for parts of the sums.

        :param has_lateral: the database can be told to go from scope to scope
        """
        query = selecting.sums(DAILY_TOTALS, self.days, scope_key)
        if self.without:
            query = query.where(DAILY_TOTALS.c.begin.not_in(sorted(self.without)))
        yield sums.of(query, DAILY_TOTALS)
        if has_lateral:
            yield from (_select_by_scope(part, scope_key, sums) for part in self.rest)
        elif self.rest:
            # One query: each of them would read all totals of the scopes.
            ranges = [sa.and_(*selecting.times(TOTALS.c.begin, part)) for part in self.rest]
            always = dataclasses.replace(self.days, begin=None, end=None)
            query = selecting.sums(TOTALS, always, scope_key)
            yield sums.of(query.where(sa.or_(*ranges)), TOTALS)


def select(
    selection: Selection,
    scope_key: str,
    boundaries: Iterable[datetime.datetime] | None,
    sums: SumColumns,
    has_lateral: bool,
) -> sa.Select[Any]:
    """Return a query for the sums of a selection.

    :param boundaries: of the report's buckets, UTC; None: each period is one
    :param has_lateral: as of :class:`Split`
    """
    parts = split(selection, boundaries)
    if parts is None:
        return sums.of(selecting.sums(TOTALS, selection, scope_key), TOTALS)
    return sums.merge(list(parts.select(scope_key, sums, has_lateral)))


def split(selection: Selection, boundaries: Iterable[datetime.datetime] | None) -> Split | None:
    """Return the parts of a selection; None: it has few whole days, or none.

    :param boundaries: as of :func:`select`
    """
    if boundaries is None:
        return None
    edges = [edge for edge in (selection.begin, selection.end) if edge is not None]
    instants = [*edges, *boundaries]
    divided = {day for instant in instants if (day := period.floor(instant, DAY)) != instant}
    if len(divided) > _MOST_DIVIDED:
        return None
    is_open = selection.begin is None or selection.end is None
    # How long an open range is, only the report's buckets tell.
    if len(instants) > 1 or not is_open:
        whole = _count_days(instants) - len(divided)
        if whole < max(len(divided), 1):
            return None
    begin = selection.begin and period.floor(selection.begin, DAY)
    days = dataclasses.replace(selection, begin=begin)
    return Split(days, divided, list(_of_days(selection, divided)))


def _count_days(instants: Sequence[datetime.datetime]) -> int:
    """Return how many days have a part between the first and the last instant."""
    first = (min(instants) - period.EPOCH) // DAY
    # Rounded up.
    end = -((period.EPOCH - max(instants)) // DAY)
    return end - first


def _of_days(selection: Selection, days: Collection[datetime.datetime]) -> Iterator[Selection]:
    """Yield what a selection contains of each of these days, all of which overlap it."""
    for day in sorted(days):
        begin = day if selection.begin is None else max(day, selection.begin)
        # There is no instant at the end of the last day of the year 9999.
        end = None if period.FOREVER - day < DAY else day + DAY
        if selection.end is not None and (end is None or selection.end < end):
            end = selection.end
        yield dataclasses.replace(selection, begin=begin, end=end)


def _select_by_scope(selection: Selection, scope_key: str, sums: SumColumns) -> sa.Select[Any]:
    """Read the totals of a short range by their key, scope by scope.

    The scope is first in the key, so PostgreSQL would rather read all totals of all times.
    """
    of_scope = sa.select().where(TOTALS.c.scope_id == SCOPES.c.id)
    query = of_scope.where(*selecting.of_sums(TOTALS, selection)).correlate(SCOPES)
    part = sums.of(query, TOTALS).lateral()
    is_selected = selecting.of_scopes(selection.scopes, scope_key)
    return sa.select(part).select_from(SCOPES.join(part, sa.true())).where(*is_selected)

"""Reads frames in their order, some periods at a time.

To sort all frames of a selection, a database would read all of them before it returned the first.
Totals tell how many frames each period has, so that only the periods of a page are read and sorted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from ratekit.domain.reporting.reports import FrameRow, Page, Selection
from ratekit.storage.db.lists import in_list
from ratekit.storage.ledger import purge_mark
from ratekit.storage.reports import selection as selecting
from ratekit.storage.reports.label_filter import find_descriptors
from ratekit.storage.schema import DESCRIPTORS, FRAMES, SCOPES, TOTALS

#: A statement reads no more periods once it reads so many frames, which takes some milliseconds.
SLICE = 5_000

_ORDER: tuple[sa.Column[Any], ...] = (
    FRAMES.c.begin,
    SCOPES.c.scope_id,
    DESCRIPTORS.c.metric,
    DESCRIPTORS.c.groupby,
    DESCRIPTORS.c.metadata,
    DESCRIPTORS.c.unit,
)

_INSTANT = datetime.timedelta(microseconds=1)

_Count = tuple[datetime.datetime, int]


@dataclasses.dataclass(frozen=True, slots=True)
class _Slice:
    """Consecutive periods that a statement reads.

    :ivar begin: None: from the first on
    :ivar end: exclusive; None: to the last
    :ivar page: of the frames of these periods
    """

    begin: datetime.datetime | None
    end: datetime.datetime | None
    page: Page


class SelectedFrames:
    """The frames of a selection.

    :param connection: sees one snapshot
    """

    def __init__(self, connection: sa.Connection, scope_key: str, selection: Selection) -> None:
        self._connection = connection
        self._selection = selection
        self._scope_pks = selecting.scope_pks(connection, selection, scope_key)
        self._descriptor_ids = find_descriptors(connection, selection, scope_key)
        self._is_empty = not self._scope_pks or self._descriptor_ids == []

    def count(self) -> int:
        """Return their number."""
        return 0 if self._is_empty else sum(count for _, count in self._count_by_period())

    def read(self, page: Page) -> Iterator[FrameRow]:
        """Yield a page of them, by begin, scope, metric, labels and unit."""
        if self._is_empty or page.limit == 0:
            return
        with contextlib.closing(self._count_by_period()) as counts:
            slices = list(_cut(counts, page))
        for part in slices:
            with self._connection.execute(
                self._query(part), execution_options=selecting.STREAMED
            ) as rows:
                yield from selecting.frame_rows(rows)

    def _query(self, part: _Slice) -> sa.Select[Any]:
        # One bound of each kind: of two, SQLite might search by the wider one.
        selection = dataclasses.replace(
            self._selection,
            begin=part.begin or self._selection.begin,
            end=part.end or self._selection.end,
        )
        query = (
            sa.select(*selecting.FRAME_COLUMNS)
            .join_from(FRAMES, SCOPES, SCOPES.c.id == FRAMES.c.scope_id)
            .join(DESCRIPTORS, DESCRIPTORS.c.id == FRAMES.c.descriptor_id)
            .where(*self._conditions(selection))
            .order_by(*_ORDER)
        )
        if part.page.offset:
            query = query.offset(min(part.page.offset, selecting.LARGEST))
        if part.page.limit is not None:
            query = query.limit(min(part.page.limit, selecting.LARGEST))
        return query

    def _count_by_period(self) -> Generator[_Count, None, None]:
        """Yield the begin of each period that has frames, with their number, in order."""
        if self._descriptor_ids is not None:
            yield from self._count_frames(self._selection)
            return
        begin, end = self._selection.begin, self._selection.end
        mark = purge_mark.read(self._connection).frames_until
        if mark is not None and (begin is None or begin < mark):
            # Before the mark, only some totals still have their frames.
            until = mark if end is None else min(mark, end)
            yield from self._count_frames(dataclasses.replace(self._selection, end=until))
            begin = mark
        yield from self._count_totals(dataclasses.replace(self._selection, begin=begin))

    def _count_frames(self, selection: Selection) -> Iterator[_Count]:
        query = sa.select(FRAMES.c.begin, sa.func.count()).where(*self._conditions(selection))
        yield from self._execute(query.group_by(FRAMES.c.begin).order_by(FRAMES.c.begin))

    def _count_totals(self, selection: Selection) -> Iterator[_Count]:
        table = TOTALS.c
        query = (
            sa.select(table.begin, sa.func.sum(table.points))
            .where(self._of_scopes(table.scope_id), *selecting.times(table.begin, selection))
            .group_by(table.begin)
            .order_by(table.begin)
        )
        if selection.metrics:
            query = query.where(selecting.of_metrics(table.metric, selection))
        yield from self._execute(query)

    def _execute(self, query: sa.Select[Any]) -> Iterator[_Count]:
        with self._connection.execute(query, execution_options=selecting.STREAMED) as rows:
            for begin, count in rows:
                yield begin, int(count)

    def _conditions(self, selection: Selection) -> Iterator[sa.ColumnElement[bool]]:
        yield self._of_scopes(FRAMES.c.scope_id)
        yield from selecting.times(FRAMES.c.begin, selection)
        yield from selecting.of_descriptors(selection, self._descriptor_ids)

    def _of_scopes(self, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        if len(self._scope_pks) == 1:
            # The rows of one scope are in the order of the key, as PostgreSQL sees by this.
            return column == self._scope_pks[0]
        return in_list(column, self._scope_pks)


def _cut(counts: Iterable[_Count], page: Page) -> Iterator[_Slice]:
    """Yield the slices that have the frames of a page.

    Together the slices of all frames have no bounds and leave no instant out, whatever the counts
    are: no frame can be missed.
    """
    begin: datetime.datetime | None = None
    # Numbers of frames before ``begin``, and before the end of the current period.
    before = position = 0
    for period, count in counts:
        position += count
        end = period + _INSTANT
        is_last = page.end is not None and position >= page.end
        if position > page.offset:
            if not is_last and position - before < SLICE:
                continue
            yield _slice(begin, end, before, page, is_last)
            if is_last:
                return
        begin, before = end, position
    yield _slice(begin, None, before, page, page.end is not None)


def _slice(
    begin: datetime.datetime | None,
    end: datetime.datetime | None,
    before: int,
    page: Page,
    is_last: bool,
) -> _Slice:
    """Return a slice with its part of the page.

    :param before: number of frames before the slice
    :param is_last: the page ends in the slice
    """
    start = max(page.offset, before)
    limit = page.end - start if is_last and page.end is not None else None
    return _Slice(begin, end, Page(start - before, limit))

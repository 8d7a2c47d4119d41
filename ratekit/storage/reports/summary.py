"""Sums over groups: SQL adds up by scope, metric and time, Python by label."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import EVERYTHING, Page, Selection, SummaryRow
from ratekit.storage.db.dialects import has_lateral
from ratekit.storage.db.types import tidy
from ratekit.storage.ledger.descriptors import labels
from ratekit.storage.reports import selection as selecting
from ratekit.storage.reports.group_query import (
    PERIOD,
    PLAIN,
    Axes,
    GroupQueries,
    read_axes,
    sum_frames,
)
from ratekit.storage.reports.label_filter import find_descriptors

_Value = str | datetime.datetime | None
_Group = tuple[_Value, ...]
_Row = sa.RowMapping
_T = TypeVar("_T")
_Reader = Callable[[_Row], _Value]


@dataclasses.dataclass(slots=True)
class _Sums:
    """The sums of one group so far.

    :ivar measures: its metrics with their units
    """

    points: int = 0
    quantity: Decimal = ZERO
    price: Decimal = ZERO
    measures: set[tuple[str, str]] = dataclasses.field(default_factory=set)

    def add(self, row: _Row) -> None:
        """Add sums of one metric and unit."""
        self.points += int(row["points"])
        self.quantity = EXACT.add(self.quantity, row["quantity"])
        self.price = EXACT.add(self.price, row["price"])
        self.measures.add((row["metric"], row["unit"]))


class GroupedSums:
    """The sums of a selection by group.

    :param connection: sees one snapshot
    :param zone: of all times but periods
    """

    def __init__(
        self,
        connection: sa.Connection,
        scope_key: str,
        selection: Selection,
        groupby: Sequence[str],
        zone: datetime.tzinfo,
    ) -> None:
        self._connection = connection
        self._scope_key = scope_key
        self._selection = selection
        self._groupby = groupby
        self._zone = zone
        self._descriptor_ids = find_descriptors(connection, selection, scope_key)
        axes = read_axes(connection, scope_key, selection, groupby, zone)
        self._is_empty = axes is None or self._descriptor_ids == []
        self._axes: Axes = axes or {}
        is_plain = PLAIN.issuperset(groupby)
        self._queries: GroupQueries | None = None
        if is_plain:
            self._queries = GroupQueries(
                scope_key,
                selection,
                groupby,
                self._axes,
                self._descriptor_ids,
                has_lateral(connection.dialect),
            )
        #: SQL orders, counts and cuts the groups.
        self._in_sql = is_plain and all(axis.numbered for axis in self._axes.values())

    def rows(self, page: Page) -> Iterator[SummaryRow]:
        """Yield a page of groups with their sums, in the order of the groups."""
        for group, sums in self._groups(page):
            yield _summary(self._groupby, group, sums, self._zone)

    def page(self, page: Page, max_groups: int | None = None) -> tuple[Sequence[SummaryRow], int]:
        """Return the rows of a page, and the number of all groups.

        :param max_groups: most groups that may be in memory; None: any number
        :raises ratekit.errors.TooManyGroups: there are more
        """
        if self._queries is None or not self._in_sql:
            # What a page is cut of is counted, too: each frame is read once.
            groups = list(self._groups(EVERYTHING, max_groups))
            rows = [_summary(self._groupby, *entry, self._zone) for entry in _cut(groups, page)]
            return rows, len(groups)
        if self._is_empty:
            return [], 0
        rows = list(self.rows(page))
        end = page.offset + len(rows)
        if (rows or not page.offset) and (page.end is None or end < page.end):
            return rows, end
        total: int = self._connection.execute(self._queries.count()).scalar_one()
        return rows, total

    def _groups(self, page: Page, max_groups: int | None = None) -> Iterator[tuple[_Group, _Sums]]:
        if self._is_empty:
            return
        # PostgreSQL streams with one processor only; without times and labels the rows are few.
        options = selecting.STREAMED if self._axes or self._queries is None else {}
        readers = [_build_reader(key, self._axes) for key in self._groupby]
        with self._connection.execute(self._statement(page), execution_options=options) as rows:
            if self._in_sql and self._groupby:
                yield from _sum_sorted(rows.mappings(), readers)
                return
            if self._in_sql:
                yield from _cut(_sum_sorted(rows.mappings(), readers), page)
                return
            yield from _cut(_sum_all(rows.mappings(), readers, max_groups), page)

    def _statement(self, page: Page) -> sa.Select[Any]:
        if self._queries is None:
            return sum_frames(
                self._scope_key, self._selection, self._groupby, self._axes, self._descriptor_ids
            )
        return self._queries.sums(page if self._in_sql else EVERYTHING)


def _build_reader(key: str, axes: Axes) -> _Reader:
    """Return a function that reads a key's value from a row; times as instants in UTC."""
    if key in axes:
        # Each time occurs for every scope and metric, or descriptor.
        start = functools.lru_cache(maxsize=10_000)(axes[key].start)
        return lambda row: start(row[key])
    if key in PLAIN:
        return lambda row: str(row[key])
    parse = functools.lru_cache(maxsize=1)(
        lambda groupby, metadata: {**labels(metadata), **labels(groupby)}
    )
    return lambda row: parse(row["groupby"], row["metadata"]).get(key)


def _sum_sorted(rows: Iterable[_Row], readers: Sequence[_Reader]) -> Iterator[tuple[_Group, _Sums]]:
    """Yield the sums of each group of rows that come in the order of the groups."""
    for group, members in itertools.groupby(
        rows, key=lambda row: tuple(reader(row) for reader in readers)
    ):
        sums = _Sums()
        for row in members:
            sums.add(row)
        yield group, sums


def _sum_all(
    rows: Iterable[_Row], readers: Sequence[_Reader], max_groups: int | None
) -> Iterator[tuple[_Group, _Sums]]:
    """Yield the sums of each group of rows that come in any order.

    :raises ratekit.errors.TooManyGroups: there are more than ``max_groups``
    """
    groups: dict[_Group, _Sums] = {}
    for row in rows:
        group = tuple(reader(row) for reader in readers)
        groups.setdefault(group, _Sums()).add(row)
        if max_groups is not None and len(groups) > max_groups:
            raise errors.TooManyGroups(max_groups)
    for group in sorted(groups, key=_order):
        yield group, groups[group]


def _cut(groups: Iterable[_T], page: Page) -> Iterator[_T]:
    """Yield the groups of a page."""
    # islice() accepts no larger numbers.
    start, stop = (
        None if number is None else min(number, sys.maxsize) for number in (page.offset, page.end)
    )
    return itertools.islice(groups, start, stop)


def _order(group: _Group) -> tuple[tuple[bool, Any], ...]:
    """Return the sort key of a group: by its values, absent labels first."""
    return tuple((value is not None, value) for value in group)


def _summary(
    groupby: Sequence[str], group: _Group, sums: _Sums, zone: datetime.tzinfo
) -> SummaryRow:
    values = (
        value.astimezone(zone) if isinstance(value, datetime.datetime) and key != PERIOD else value
        for key, value in zip(groupby, group, strict=True)
    )
    unit = next(iter(sums.measures))[1] if len(sums.measures) == 1 else None
    return SummaryRow(
        group=dict(zip(groupby, values, strict=True)),
        points=sums.points,
        quantity=None if unit is None else tidy(sums.quantity),
        unit=unit,
        price=tidy(sums.price),
    )

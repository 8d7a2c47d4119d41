"""Queries that add up by scope, metric and time, in SQL."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ratekit.domain import period
from ratekit.domain.reporting.buckets import BUCKETS
from ratekit.domain.reporting.reports import EVERYTHING, Page, Selection
from ratekit.storage.db.dialects import exact_sum
from ratekit.storage.ledger.sums import DAY
from ratekit.storage.reports import selection as selecting
from ratekit.storage.reports import sources
from ratekit.storage.reports.time_axis import PeriodAxis, TimeAxis
from ratekit.storage.schema import DAILY_TOTALS, DESCRIPTORS, FRAMES, SCOPES

#: The key of a group that is a period as it was rated.
PERIOD = "period"
#: Keys that totals have; every other key is a label, which only frames have.
PLAIN = BUCKETS | {PERIOD, "scope", "metric"}
#: A time range that is longer is cut to the periods that are stored.
_LONG = datetime.timedelta(days=400)

Axes = Mapping[str, TimeAxis | PeriodAxis]


def read_axes(
    connection: sa.Connection,
    scope_key: str,
    selection: Selection,
    groupby: Sequence[str],
    zone: datetime.tzinfo,
) -> Axes | None:
    """Return the time axes of a report by key; None: it has no periods at all."""
    axes: dict[str, TimeAxis | PeriodAxis] = {PERIOD: PeriodAxis()} if PERIOD in groupby else {}
    if names := BUCKETS.intersection(groupby):
        bounds = _read_bounds(connection, scope_key, selection)
        if bounds is None:
            return None
        axes |= {name: TimeAxis(name, *bounds, zone) for name in sorted(names)}
    return axes


def _read_bounds(
    connection: sa.Connection, scope_key: str, selection: Selection
) -> tuple[datetime.datetime, datetime.datetime] | None:
    """Return a short time range with all periods of a selection; None: there is none."""
    begin, end = selection.begin, selection.end
    if begin is not None and end is not None and end - begin <= _LONG:
        return begin, end
    day = DAILY_TOTALS.c.begin
    days = dataclasses.replace(selection, begin=begin and period.floor(begin, DAY))
    query = selecting.sums(DAILY_TOTALS, days, scope_key).add_columns(
        sa.func.min(day, type_=day.type), sa.func.max(day, type_=day.type)
    )
    first, last = connection.execute(query).one()
    if first is None:
        return None
    # Periods begin at whole seconds; the last day of the year 9999 has no later end.
    last += DAY - datetime.timedelta(microseconds=1)
    return max(first, begin or first), min(last, end or last)


class GroupQueries:
    """Queries of a report without labels in its groups.

    :param axes: of the times in ``groupby``
    :param descriptor_ids: those that fit the selection's labels; None: there are none to fit, and
        totals are read
    :param has_lateral: as of :func:`ratekit.storage.db.dialects.has_lateral`
    """

    def __init__(
        self,
        scope_key: str,
        selection: Selection,
        groupby: Sequence[str],
        axes: Axes,
        descriptor_ids: Collection[int] | None,
        has_lateral: bool,
    ) -> None:
        self._scope_key = scope_key
        self._selection = selection
        self._groupby = groupby
        self._axes = axes
        self._descriptor_ids = descriptor_ids
        self._has_lateral = has_lateral

    def sums(self, page: Page) -> sa.Select[Any]:
        """Select the sums of a page of groups in their order, by metric and unit.

        Without keys there is one group, and no page.
        """
        summed = self._summed(values=True)
        source, keys = self._named(summed)
        # The metric is also a column of the sums.
        names = [key for name, key in zip(self._groupby, keys, strict=True) if name == "scope"]
        query = sa.select(summed, *names[:1]).select_from(source)
        if page == EVERYTHING or not keys:
            return query.order_by(*keys)
        number = sa.func.dense_rank(type_=sa.BigInteger()).over(order_by=keys).label("number")
        numbered = query.add_columns(number).subquery()
        query = sa.select(numbered).where(numbered.c.number > min(page.offset, selecting.LARGEST))
        if page.end is not None:
            query = query.where(numbered.c.number <= min(page.end, selecting.LARGEST))
        return query.order_by(numbered.c.number)

    def count(self) -> sa.Select[Any]:
        """Select the number of groups."""
        source, keys = self._named(self._summed(values=False))
        groups = sa.select(*(keys or [sa.literal(1).label("group")])).select_from(source).distinct()
        return sa.select(sa.func.count()).select_from(groups.subquery())

    def _named(self, summed: sa.Subquery) -> tuple[sa.FromClause, Sequence[sa.ColumnElement[Any]]]:
        """Return the sums with the names of their scopes, and the keys of the groups in order."""
        keys: dict[str, sa.ColumnElement[Any]] = {
            key: summed.c[key] for key in {"metric", *self._axes}
        }
        if "scope" not in self._groupby:
            return summed, [keys[key] for key in self._groupby]
        # Numbers are grouped faster than names.
        joined = summed.join(SCOPES, SCOPES.c.id == summed.c.scope_id)
        keys["scope"] = SCOPES.c.scope_id.label("scope")
        return joined, [keys[key] for key in self._groupby]

    def _summed(self, values: bool) -> sa.Subquery:
        """Return the sums by metric, unit, times and row id of the scope.

        :param values: with the sums themselves
        """
        if self._descriptor_ids is None:
            return self._sum_totals(values).subquery()
        return self._sum_frames(self._descriptor_ids, values).subquery()

    def _sum_totals(self, values: bool) -> sa.Select[Any]:
        sums = sources.SumColumns(
            lambda table: [table.c.metric, table.c.unit, *self._columns(table)],
            lambda columns: _sums(sa.func.sum(columns["points"]), columns) if values else (),
        )
        return sources.select(
            self._selection, self._scope_key, _boundaries(self._axes), sums, self._has_lateral
        )

    def _sum_frames(self, descriptor_ids: Collection[int], values: bool) -> sa.Select[Any]:
        """Add up by descriptor first, so that each is looked up once."""
        columns = [FRAMES.c.descriptor_id, *self._columns(FRAMES)]
        query = selecting.frames(self._selection, self._scope_key, descriptor_ids)
        query = query.add_columns(*columns)
        if values:
            query = query.add_columns(*_sums(sa.func.count(), FRAMES.c))
        summed = selecting.group(query, columns).subquery()
        keys = [
            DESCRIPTORS.c.metric,
            DESCRIPTORS.c.unit,
            *(summed.c[column.name] for column in columns[1:]),
        ]
        described = sa.select(*keys).join_from(
            summed, DESCRIPTORS, DESCRIPTORS.c.id == summed.c.descriptor_id
        )
        if values:
            described = described.add_columns(*_sums(sa.func.sum(summed.c.points), summed.c))
        return described.group_by(*keys)

    def _columns(self, table: sa.Table) -> Sequence[sa.ColumnElement[Any]]:
        """Return the keys of totals and frames alike."""
        scope = [table.c.scope_id] if "scope" in self._groupby else []
        return [*_time_columns(table.c.begin, self._axes), *scope]


def sum_frames(
    scope_key: str,
    selection: Selection,
    groupby: Sequence[str],
    axes: Axes,
    descriptor_ids: Collection[int] | None,
) -> sa.Select[Any]:
    """Select the sums of each descriptor, with its labels.

    :param descriptor_ids: as of :class:`GroupQueries`
    """
    table = FRAMES.c
    columns = [table.descriptor_id, *_time_columns(table.begin, axes)]
    if "scope" in groupby:
        columns.append(SCOPES.c.scope_id.label("scope"))
    inner = selecting.frames(selection, scope_key, descriptor_ids).add_columns(
        *columns, *_sums(sa.func.count(), table)
    )
    summed = selecting.group(inner, columns).subquery()
    described = (
        DESCRIPTORS.c.metric,
        DESCRIPTORS.c.unit,
        DESCRIPTORS.c.groupby,
        DESCRIPTORS.c.metadata,
    )
    return (
        sa.select(summed, *described)
        .join(DESCRIPTORS, DESCRIPTORS.c.id == summed.c.descriptor_id)
        # So that the labels of a descriptor are parsed once.
        .order_by(summed.c.descriptor_id)
    )


def _sums(
    points: sa.ColumnElement[int], columns: sa.ColumnCollection[str, Any]
) -> Iterator[sa.ColumnElement[Any]]:
    yield points.label("points")
    yield exact_sum(columns["quantity"]).label("quantity")
    yield exact_sum(columns["price"]).label("price")


def _boundaries(axes: Axes) -> Iterator[datetime.datetime] | None:
    """Return the instants that divide the buckets of all axes; None: each period is one."""
    all_boundaries = [axis.boundaries for axis in axes.values()]
    if None in all_boundaries:
        return None
    return itertools.chain.from_iterable(filter(None, all_boundaries))


def _time_columns(begin: sa.Column[Any], axes: Axes) -> Iterator[sa.ColumnElement[Any]]:
    for name, axis in axes.items():
        yield axis.column(begin).label(name)

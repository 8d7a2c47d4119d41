"""Sums over groups: SQL adds up by scope, metric and time, Python by label."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.buckets import BUCKETS
from ratekit.domain.reporting.reports import Selection, SummaryRow
from ratekit.storage.db.dialects import exact_sum
from ratekit.storage.db.types import tidy
from ratekit.storage.ledger.descriptors import labels
from ratekit.storage.reports import selection as selecting
from ratekit.storage.reports.time_axis import TimeAxis
from ratekit.storage.schema import DESCRIPTORS, FRAMES, SCOPES, TOTALS

#: Keys that totals have; every other key is a label, which only frames have.
_PLAIN = BUCKETS | {"scope", "metric"}
#: A time range that is longer is cut to the periods that are stored.
_LONG = datetime.timedelta(days=400)

_Value = str | datetime.datetime | None
_Group = tuple[_Value, ...]
_Row = sa.RowMapping
_Axes = Mapping[str, TimeAxis]


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


def summarize(
    connection: sa.Connection,
    scope_key: str,
    selection: Selection,
    groupby: Sequence[str],
    zone: datetime.tzinfo,
) -> Iterator[SummaryRow]:
    """Yield the sums of :meth:`ratekit.interfaces.storage.Reports.summary`."""
    axes: _Axes = {}
    if names := BUCKETS.intersection(groupby):
        bounds = _read_bounds(connection, scope_key, selection)
        if bounds is None:
            return
        axes = {name: TimeAxis(name, *bounds, zone) for name in names}
    is_plain = _PLAIN.issuperset(groupby)
    query = _sum_totals if is_plain else _sum_frames
    statement = query(scope_key, selection, groupby, axes)
    # PostgreSQL streams with one processor only; without times and labels the rows are few.
    options = selecting.STREAMED if axes or not is_plain else {}
    readers = [_build_reader(key, axes) for key in groupby]
    groups = _sum_sorted if is_plain and all(axis.numbered for axis in axes.values()) else _sum_all
    with connection.execute(statement, execution_options=options) as rows:
        for group, sums in groups(rows.mappings(), readers):
            yield _summary(groupby, group, sums, zone)


def _read_bounds(
    connection: sa.Connection, scope_key: str, selection: Selection
) -> tuple[datetime.datetime, datetime.datetime] | None:
    """Return a short time range with all periods of a selection; None: there is none."""
    begin, end = selection.begin, selection.end
    if begin is not None and end is not None and end - begin <= _LONG:
        return begin, end
    column = TOTALS.c.begin
    query = selecting.totals(selection, scope_key).add_columns(
        sa.func.min(column, type_=column.type), sa.func.max(column, type_=column.type)
    )
    first, last = connection.execute(query).one()
    return None if first is None else (first, last + datetime.timedelta(microseconds=1))


def _sum_totals(
    scope_key: str, selection: Selection, groupby: Sequence[str], axes: _Axes
) -> sa.Select[Any]:
    """Select sums in the order of the groups."""
    table = TOTALS.c
    columns = [table.metric, table.unit, *_time_columns(table.begin, axes)]
    if "scope" in groupby:
        columns.append(table.scope_id)
    inner = selecting.totals(selection, scope_key).add_columns(
        *columns,
        sa.func.sum(table.points).label("points"),
        exact_sum(table.quantity).label("quantity"),
        exact_sum(table.price).label("price"),
    )
    summed = _group(inner, columns).subquery()
    query = sa.select(summed)
    keys = {key: summed.c[key] for key in {"metric", *axes}}
    if "scope" in groupby:
        # Numbers are grouped faster than names.
        query = query.join(SCOPES, SCOPES.c.id == summed.c.scope_id)
        keys["scope"] = SCOPES.c.scope_id
        query = query.add_columns(SCOPES.c.scope_id.label("scope"))
    return query.order_by(*(keys[key] for key in groupby))


def _sum_frames(
    scope_key: str, selection: Selection, groupby: Sequence[str], axes: _Axes
) -> sa.Select[Any]:
    table = FRAMES.c
    columns = [table.descriptor_id, *_time_columns(table.begin, axes)]
    if "scope" in groupby:
        columns.append(SCOPES.c.scope_id.label("scope"))
    inner = selecting.frames(selection, scope_key).add_columns(
        *columns,
        sa.func.count().label("points"),
        exact_sum(table.quantity).label("quantity"),
        exact_sum(table.price).label("price"),
    )
    summed = _group(inner, columns).subquery()
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


def _time_columns(begin: sa.Column[Any], axes: _Axes) -> Iterator[sa.ColumnElement[Any]]:
    for name, axis in axes.items():
        yield axis.column(begin).label(name)


def _group(query: sa.Select[Any], columns: Iterable[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    """Group by columns; by names where the expression would be repeated, which may be long."""
    return query.group_by(
        *(
            sa.literal_column(column.name) if isinstance(column, sa.Label) else column
            for column in columns
        )
    )


def _build_reader(key: str, axes: _Axes) -> Callable[[_Row], _Value]:
    """Return a function that reads a key's value from a row; times as instants in UTC."""
    if key in axes:
        # Each time occurs for every scope and metric, or descriptor.
        start = functools.lru_cache(maxsize=10_000)(axes[key].start)
        return lambda row: start(row[key])
    if key in _PLAIN:
        return lambda row: str(row[key])
    parse = functools.lru_cache(maxsize=1)(
        lambda groupby, metadata: {**labels(metadata), **labels(groupby)}
    )
    return lambda row: parse(row["groupby"], row["metadata"]).get(key)


def _sum_sorted(
    rows: Iterable[_Row], readers: Sequence[Callable[[_Row], _Value]]
) -> Iterator[tuple[_Group, _Sums]]:
    """Yield the sums of each group of rows that come in the order of the groups."""
    for group, members in itertools.groupby(
        rows, key=lambda row: tuple(reader(row) for reader in readers)
    ):
        sums = _Sums()
        for row in members:
            sums.add(row)
        yield group, sums


def _sum_all(
    rows: Iterable[_Row], readers: Sequence[Callable[[_Row], _Value]]
) -> Iterator[tuple[_Group, _Sums]]:
    """Yield the sums of each group of rows that come in any order."""
    groups: dict[_Group, _Sums] = {}
    for row in rows:
        group = tuple(reader(row) for reader in readers)
        groups.setdefault(group, _Sums()).add(row)
    for group in sorted(groups, key=_order):
        yield group, groups[group]


def _order(group: _Group) -> tuple[tuple[bool, Any], ...]:
    """Return the sort key of a group: by its values, absent labels first."""
    return tuple((value is not None, value) for value in group)


def _summary(
    groupby: Sequence[str], group: _Group, sums: _Sums, zone: datetime.tzinfo
) -> SummaryRow:
    values = (
        value.astimezone(zone) if isinstance(value, datetime.datetime) else value for value in group
    )
    unit = next(iter(sums.measures))[1] if len(sums.measures) == 1 else None
    return SummaryRow(
        group=dict(zip(groupby, values, strict=True)),
        points=sums.points,
        quantity=None if unit is None else tidy(sums.quantity),
        unit=unit,
        price=tidy(sums.price),
    )

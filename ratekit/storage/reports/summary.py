"""Sums over groups: SQL adds up by period, Python by hour, day, month and label."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.buckets import BUCKETS, bucket
from ratekit.domain.reporting.reports import Selection, SummaryRow
from ratekit.storage.db.dialects import exact_sum
from ratekit.storage.db.types import tidy
from ratekit.storage.ledger.descriptors import labels
from ratekit.storage.reports import selection as selecting
from ratekit.storage.schema import DESCRIPTORS, FRAMES, SCOPES, TOTALS

#: Keys that totals have; every other key is a label, which only frames have.
_PLAIN = BUCKETS | {"scope", "metric"}

_Value = str | datetime.datetime | None
_Row = sa.RowMapping


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
) -> list[SummaryRow]:
    """Return the sums of :meth:`ratekit.interfaces.storage.Reports.summary`."""
    query = _sum_totals if _PLAIN.issuperset(groupby) else _sum_frames
    readers = [_build_reader(key, zone) for key in groupby]
    sums: dict[tuple[_Value, ...], _Sums] = {}
    statement = query(scope_key, selection, groupby)
    rows = connection.execute(statement, execution_options=selecting.STREAMED)
    for row in rows.mappings():
        group = tuple(reader(row) for reader in readers)
        sums.setdefault(group, _Sums()).add(row)
    return [_summary(groupby, group, sums[group], zone) for group in sorted(sums, key=_order)]


def _sum_totals(scope_key: str, selection: Selection, groupby: Sequence[str]) -> sa.Select[Any]:
    groups = [TOTALS.c.metric, TOTALS.c.unit, *_axes(TOTALS, groupby)]
    sums = (
        sa.func.sum(TOTALS.c.points).label("points"),
        exact_sum(TOTALS.c.quantity).label("quantity"),
        exact_sum(TOTALS.c.price).label("price"),
    )
    return selecting.totals(selection, scope_key).add_columns(*groups, *sums).group_by(*groups)


def _sum_frames(scope_key: str, selection: Selection, groupby: Sequence[str]) -> sa.Select[Any]:
    groups = [FRAMES.c.descriptor_id, *_axes(FRAMES, groupby)]
    sums = (
        sa.func.count().label("points"),
        exact_sum(FRAMES.c.quantity).label("quantity"),
        exact_sum(FRAMES.c.price).label("price"),
    )
    inner = selecting.frames(selection, scope_key).add_columns(*groups, *sums).group_by(*groups)
    summed = inner.subquery()
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


def _axes(table: sa.Table, groupby: Sequence[str]) -> Iterator[sa.ColumnElement[Any]]:
    """Yield the columns by which SQL groups, besides metrics, units and labels."""
    if "scope" in groupby:
        yield SCOPES.c.scope_id.label("scope")
    if BUCKETS.intersection(groupby):
        yield table.c.begin.label("begin")


def _build_reader(key: str, zone: datetime.tzinfo) -> Callable[[_Row], _Value]:
    """Return a function that reads a key's value from a row; times as instants in UTC."""
    if key in BUCKETS:
        # One entry for each period; each period occurs for every metric or descriptor.
        begins = functools.lru_cache(maxsize=10_000)(lambda begin: bucket(begin, key, zone))
        return lambda row: begins(row["begin"])
    if key in _PLAIN:
        return lambda row: str(row[key])
    parse = functools.lru_cache(maxsize=1)(
        lambda groupby, metadata: {**labels(metadata), **labels(groupby)}
    )
    return lambda row: parse(row["groupby"], row["metadata"]).get(key)


def _order(group: tuple[_Value, ...]) -> tuple[tuple[bool, Any], ...]:
    """Return the sort key of a group: by its values, absent labels first."""
    return tuple((value is not None, value) for value in group)


def _summary(
    groupby: Sequence[str], group: tuple[_Value, ...], sums: _Sums, zone: datetime.tzinfo
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

"""The part of a query that selects the frames or totals of a report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from ratekit.domain.reporting.reports import AllScopes, FrameRow, Selection
from ratekit.domain.series import Shared
from ratekit.storage.db.lists import Words, in_list
from ratekit.storage.db.types import fits_word
from ratekit.storage.ledger.descriptors import labels
from ratekit.storage.schema import DESCRIPTORS, FRAMES, SCOPES

#: Execution options of queries with very many rows: enough rows at a time to hide the latency of
#: the server, and few enough for the memory.
STREAMED = {"yield_per": 2000}
#: Databases count no further than to 2 ** 63.
LARGEST = 2**62
#: What :func:`frame_rows` reads.
FRAME_COLUMNS: tuple[sa.Column[Any], ...] = (
    FRAMES.c.begin,
    SCOPES.c.scope_id,
    DESCRIPTORS.c.metric,
    DESCRIPTORS.c.unit,
    FRAMES.c.quantity,
    FRAMES.c.price,
    DESCRIPTORS.c.groupby,
    DESCRIPTORS.c.metadata,
    FRAMES.c.whole,
    FRAMES.c.share,
)


def sums(table: sa.Table, selection: Selection, scope_key: str) -> sa.Select[tuple[()]]:
    """Return a query without columns over sums and their scopes.

    :param table: ``totals`` or ``daily_totals``
    """
    joined = table.join(SCOPES, SCOPES.c.id == table.c.scope_id)
    query = sa.select().select_from(joined).where(*of_scopes(selection.scopes, scope_key))
    return query.where(*of_sums(table, selection))


def of_sums(table: sa.Table, selection: Selection) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions for the times and metrics of sums."""
    yield from times(table.c.begin, selection)
    if selection.metrics:
        yield of_metrics(table.c.metric, selection)


def group(query: sa.Select[Any], columns: Iterable[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    """Group by columns; by names where an expression would be repeated, which may be long."""
    return query.group_by(*map(_group_key, columns))


def _group_key(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    if not isinstance(column, sa.Label):
        return column
    is_column = isinstance(column.element, sa.Column)
    return column.element if is_column else sa.literal_column(column.name)


def frames(
    selection: Selection, scope_key: str, descriptor_ids: Collection[int] | None = None
) -> sa.Select[tuple[()]]:
    """Return a query without columns over frames and their scopes.

    :param descriptor_ids: those that fit the selection's labels; None: all do
    """
    joined = FRAMES.join(SCOPES, SCOPES.c.id == FRAMES.c.scope_id)
    query = sa.select().select_from(joined).where(*of_scopes(selection.scopes, scope_key))
    query = query.where(*times(FRAMES.c.begin, selection))
    return query.where(*of_descriptors(selection, descriptor_ids))


def of_descriptors(
    selection: Selection, descriptor_ids: Collection[int] | None
) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions for the descriptors of frames.

    :param descriptor_ids: those that fit the selection's metrics and labels; None: there are no
        labels to fit
    """
    if descriptor_ids is not None:
        yield in_list(FRAMES.c.descriptor_id, descriptor_ids)
    elif selection.metrics:
        fitting = sa.select(DESCRIPTORS.c.id).where(of_metrics(DESCRIPTORS.c.metric, selection))
        yield FRAMES.c.descriptor_id.in_(fitting)


def of_metrics(metric: sa.Column[Any], selection: Selection) -> sa.ColumnElement[bool]:
    """Return the condition for the metrics that a selection names."""
    # Databases refuse some texts, which no name or ID can be.
    return metric.in_(list(filter(fits_word, selection.metrics)))


def scope_pks(connection: sa.Connection, selection: Selection, scope_key: str) -> Sequence[int]:
    """Return the row ids of the selected scopes."""
    query = (
        sa.select(SCOPES.c.id).where(*of_scopes(selection.scopes, scope_key)).order_by(SCOPES.c.id)
    )
    return connection.scalars(query).all()


def times(begin: sa.Column[Any], selection: Selection) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions for the begin of a period."""
    if selection.begin is not None:
        yield begin >= selection.begin
    if selection.end is not None:
        yield begin < selection.end


def frame_rows(rows: Iterable[Sequence[Any]]) -> Iterator[FrameRow]:
    """Yield the frames of rows with :data:`FRAME_COLUMNS`."""
    # Access by the columns' names would be slower by a quarter.
    for begin, scope, metric, unit, quantity, price, *texts, whole, share in rows:
        groupby, metadata = map(labels, texts)
        shared = None if whole is None else Shared(whole, share)
        yield FrameRow(begin, scope, metric, unit, quantity, price, groupby, metadata, shared)


def of_scopes(
    scopes: AllScopes | Collection[str], scope_key: str
) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions for scopes."""
    yield SCOPES.c.scope_key == scope_key
    if not isinstance(scopes, AllScopes):
        yield in_list(SCOPES.c.scope_id, sorted(filter(fits_word, scopes)), Words)

"""The part of a query that selects the frames or totals of a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow, Selection
from ratekit.domain.series import Shared
from ratekit.storage.db.lists import Words, in_list
from ratekit.storage.db.types import fits_word
from ratekit.storage.ledger.descriptors import labels
from ratekit.storage.schema import DESCRIPTORS, FRAMES, SCOPES, TOTALS

#: Execution options of queries with very many rows: enough rows at a time to hide the latency of
#: the server, and few enough for the memory.
STREAMED = {"yield_per": 2000}
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


def totals(selection: Selection, scope_key: str) -> sa.Select[tuple[()]]:
    """Return a query without columns over totals and their scopes."""
    joined = TOTALS.join(SCOPES, SCOPES.c.id == TOTALS.c.scope_id)
    query = _restrict(sa.select().select_from(joined), TOTALS, selection, scope_key)
    if selection.metrics:
        query = query.where(TOTALS.c.metric.in_(_metrics(selection)))
    return query


def frames(selection: Selection, scope_key: str) -> sa.Select[tuple[()]]:
    """Return a query without columns over frames and their scopes."""
    joined = FRAMES.join(SCOPES, SCOPES.c.id == FRAMES.c.scope_id)
    query = _restrict(sa.select().select_from(joined), FRAMES, selection, scope_key)
    if not selection.metrics:
        return query
    wanted = sa.select(DESCRIPTORS.c.id).where(DESCRIPTORS.c.metric.in_(_metrics(selection)))
    return query.where(FRAMES.c.descriptor_id.in_(wanted))


def frame_rows(rows: Iterable[Sequence[Any]]) -> Iterator[FrameRow]:
    """Yield the frames of rows with :data:`FRAME_COLUMNS`."""
    # Access by the columns' names would be slower by a quarter.
    for begin, scope, metric, unit, quantity, price, *texts, whole, share in rows:
        groupby, metadata = map(labels, texts)
        shared = None if whole is None else Shared(whole, share)
        yield FrameRow(begin, scope, metric, unit, quantity, price, groupby, metadata, shared)


def _metrics(selection: Selection) -> Sequence[str]:
    return list(filter(fits_word, selection.metrics))


def _restrict(
    query: sa.Select[tuple[()]], table: sa.Table, selection: Selection, scope_key: str
) -> sa.Select[tuple[()]]:
    """Restrict scopes and times: the first two columns of either table's key."""
    query = query.where(SCOPES.c.scope_key == scope_key)
    if selection.scopes is not ALL_SCOPES:
        # Databases refuse some texts, which no ID can be.
        ids = sorted(filter(fits_word, selection.scopes))
        query = query.where(in_list(SCOPES.c.scope_id, ids, Words))
    if selection.begin is not None:
        query = query.where(table.c.begin >= selection.begin)
    if selection.end is not None:
        query = query.where(table.c.begin < selection.end)
    return query

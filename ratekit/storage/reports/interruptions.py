"""Reads what keeps scopes from being charged, of all scopes at once.

Only tables with a row for each exception are read, never the totals: 10,000 scopes without
exceptions cost nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from ratekit.domain.reporting.interruption import Interruption, InterruptionKind
from ratekit.storage.schema import EXCLUSIONS, GAPS, SCOPES, STOPPED_USAGE

_NO_METRIC = ""


def read(
    connection: sa.Connection,
    is_reported: sa.ColumnElement[bool],
    begin: datetime.datetime,
    end: datetime.datetime,
) -> Sequence[Interruption]:
    """Return the interruptions that overlap ``[begin, end)``, by three statements.

    :param is_reported: condition for rows of scopes
    """
    queries = (_gaps(begin, end), _exclusions(begin, end), _stopped_usage(end))
    interruptions = [
        interruption
        for kind, query in zip(InterruptionKind, queries, strict=True)
        for interruption in _interruptions(kind, connection.execute(query.where(is_reported)))
    ]
    # Not in SQL, because databases differ in how they sort text.
    return sorted(interruptions, key=lambda entry: (entry.scope, entry.kind, entry.metric))


def _interruptions(kind: InterruptionKind, rows: Iterable[Any]) -> Iterable[Interruption]:
    for scope, metric, count, lasting, begin, end in rows:
        yield Interruption(scope, kind, metric, int(count), begin, None if lasting else end)


def _gaps(begin: datetime.datetime, end: datetime.datetime) -> sa.Select[Any]:
    table = GAPS.c
    return (
        sa.select(
            SCOPES.c.scope_id,
            sa.literal(_NO_METRIC),
            sa.func.count(),
            # Gaps without an end are those that are not counted by it.
            sa.func.count() - sa.func.count(table.resume),
            sa.func.min(table.last_instant, type_=table.last_instant.type),
            sa.func.max(table.resume, type_=table.resume.type),
        )
        .join_from(GAPS, SCOPES, SCOPES.c.id == table.scope_id)
        .where((table.last_instant < end) & (table.resume.is_(None) | (table.resume > begin)))
        .group_by(SCOPES.c.scope_id)
    )


def _exclusions(begin: datetime.datetime, end: datetime.datetime) -> sa.Select[Any]:
    table = EXCLUSIONS.c
    # A resource is still excluded while its exclusion reaches where its scope is rated until.
    lasting = sa.func.max(sa.case((table.end == SCOPES.c.rated_until, 1), else_=0))
    return (
        sa.select(
            SCOPES.c.scope_id,
            table.metric,
            sa.func.count(table.resource.distinct()),
            lasting,
            sa.func.min(table.begin, type_=table.begin.type),
            sa.func.max(table.end, type_=table.end.type),
        )
        .join_from(EXCLUSIONS, SCOPES, SCOPES.c.id == table.scope_id)
        .where((table.begin < end) & (table.end > begin))
        .group_by(SCOPES.c.scope_id, table.metric)
    )


def _stopped_usage(end: datetime.datetime) -> sa.Select[Any]:
    table = STOPPED_USAGE.c
    return (
        sa.select(
            SCOPES.c.scope_id,
            table.metric,
            sa.literal(1),
            sa.literal(1),
            table.since,
            table.since,
        )
        .join_from(STOPPED_USAGE, SCOPES, SCOPES.c.id == table.scope_id)
        .where(table.since < end)
    )

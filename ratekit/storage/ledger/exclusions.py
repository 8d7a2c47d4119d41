"""The rows of ``exclusions``: resources that were excluded so that all others were rated."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.storage.db.lists import in_list
from ratekit.storage.db.types import require_word, storable
from ratekit.storage.schema import EXCLUSIONS


def record(
    connection: sa.Connection,
    scope_pks: Mapping[str, int],
    window: Window,
    exclusions: Iterable[Exclusion],
) -> None:
    """Record what is excluded over ``window``; the rows of the scopes must be locked.

    A row that ends at the window's begin is extended. Without exclusions no query is sent.

    :param scope_pks: row id of each scope, by id; exclusions of other scopes are ignored
    :raises ratekit.errors.OperatorError: the name of a metric is too long
    """
    by_resource = {
        (scope_pks[exclusion.scope], exclusion.metric, storable(exclusion.resource)): exclusion
        for exclusion in exclusions
        if exclusion.scope in scope_pks
    }
    if not by_resource:
        return
    pks = {scope_pk for scope_pk, _, _ in by_resource}
    row_ids = _find_ending(connection, pks, window.begin)
    inserts, updates = [], []
    for resource_key, exclusion in sorted(by_resource.items()):
        scope_pk, metric, resource = resource_key
        require_word(metric)
        texts = {"reason": storable(exclusion.reason), "remedy": storable(exclusion.remedy)}
        if resource_key in row_ids:
            updates.append({"row_id": row_ids[resource_key], **texts})
            continue
        names = {"scope_id": scope_pk, "metric": metric, "resource": resource}
        inserts.append({**names, **texts, "begin": window.begin, "end": window.end})
    if updates:
        statement = EXCLUSIONS.update().where(EXCLUSIONS.c.id == sa.bindparam("row_id"))
        connection.execute(statement.values(end=window.end), updates)
    if inserts:
        connection.execute(EXCLUSIONS.insert(), inserts)


def remove_since(connection: sa.Connection, scope_pk: int, since: datetime.datetime) -> None:
    """Remove a scope's exclusions since an instant."""
    later = (EXCLUSIONS.c.scope_id == scope_pk) & (EXCLUSIONS.c.end > since)
    connection.execute(EXCLUSIONS.delete().where(later & (EXCLUSIONS.c.begin >= since)))
    connection.execute(EXCLUSIONS.update().where(later).values(end=since))


def cut_out(connection: sa.Connection, scope_pk: int, window: Window) -> None:
    """Remove a scope's exclusions over a window; those before and after it stay."""
    table = EXCLUSIONS.c
    overlaps = (table.scope_id == scope_pk) & (table.begin < window.end)
    overlaps &= table.end > window.begin
    rows = connection.execute(sa.select(EXCLUSIONS).where(overlaps)).mappings().all()
    names = [column.name for column in EXCLUSIONS.c if column.name != "id"]
    remainders = [
        {**{name: row[name] for name in names}, "begin": begin, "end": end}
        for row in rows
        for begin, end in ((row["begin"], window.begin), (window.end, row["end"]))
        if begin < end
    ]
    connection.execute(EXCLUSIONS.delete().where(overlaps))
    if remainders:
        connection.execute(EXCLUSIONS.insert(), remainders)


def _find_ending(
    connection: sa.Connection, scope_pks: Collection[int], end: datetime.datetime
) -> dict[tuple[int, str, str], int]:
    """Return the ids of rows that end at ``end``, by scope's row id, metric and resource."""
    table = EXCLUSIONS.c
    query = sa.select(table.scope_id, table.metric, table.resource, table.id)
    query = query.where(in_list(table.scope_id, sorted(scope_pks)) & (table.end == end))
    return {
        (scope_pk, metric, resource): row_id
        for scope_pk, metric, resource, row_id in connection.execute(query)
    }

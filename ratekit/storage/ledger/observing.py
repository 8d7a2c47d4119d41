"""Observing: which scopes are listed, new, missing, listed again, or complete."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ratekit.domain.scope import Scope, State
from ratekit.interfaces import Observation
from ratekit.storage.db.dialects import insert_new
from ratekit.storage.db.lists import in_list
from ratekit.storage.db.types import require_word, storable
from ratekit.storage.ledger import scope_rows
from ratekit.storage.ledger.gaps import Gaps
from ratekit.storage.ledger.scope_rows import Row
from ratekit.storage.ledger.scopes import ScopeOrigin
from ratekit.storage.schema import SCOPES


def observe(
    connection: sa.Connection,
    origin: ScopeOrigin,
    scopes: Collection[Scope],
    now: datetime.datetime,
    start: datetime.datetime,
    resume: datetime.datetime,
) -> Observation:
    """Record which scopes are listed at ``now``; see ``Ledger.observe``.

    It first locks all rows, in the same order as commits: decisions made here stay true until
    they are written, and no deadlock occurs. Rows are read again only if there are new ones. Two
    processors that see a new scope at the same instant may both report it as new.
    """
    scopes_by_id = {scope.id: scope for scope in scopes}
    rows = scope_rows.read(connection, origin.scope_key, lock=True)
    gaps = Gaps(connection, origin.scope_key)
    current = [row for row in rows if row.scope_id in scopes_by_id]
    missing = [row for row in rows if row.scope_id not in scopes_by_id and row.last_seen < now]
    current_ids = {row.scope_id for row in current}
    new = [scope for scope in scopes_by_id.values() if scope.id not in current_ids]
    # In the order of the list.
    returned_ids = {row.scope_id for row in current if gaps.close(row, resume)}
    returned = tuple(scope for scope in scopes_by_id.values() if scope.id in returned_ids)
    for row in missing:
        gaps.open(row)
    complete_pks = {row.id for row in missing if row.rated_until > row.last_seen}
    new_rows = [_observed(row, scopes_by_id, now, complete_pks, gaps) for row in rows]
    if new:
        _add(connection, origin, new, now, start)
    _refresh(connection, rows, new_rows)
    gaps.write(connection)
    _move(connection, rows, new_rows)
    if new:
        new_rows = scope_rows.read(connection, origin.scope_key)
    return Observation(
        states=tuple(
            _state(row, scopes_by_id.get(row.scope_id), gaps)
            for row in new_rows
            if row.active and row.deactivated_at is None
        ),
        new_scopes=tuple(new),
        returned_scopes=returned,
        retired_scopes=tuple(
            Scope(row.scope_id, row.name)
            for row in missing
            if row.active and row.id in complete_pks
        ),
    )


def _add(
    connection: sa.Connection,
    origin: ScopeOrigin,
    scopes: Sequence[Scope],
    now: datetime.datetime,
    start: datetime.datetime,
) -> None:
    values = {
        **origin._asdict(),
        "rated_since": start,
        "rated_until": start,
        "last_seen": now,
        "active": True,
        "failures": 0,
    }
    for scope in scopes:
        require_word(scope.id)
    # Sorted: processors that add the same scopes at the same time cannot deadlock.
    rows = [
        {"scope_id": scope.id, "name": storable(scope.name), **values} for scope in sorted(scopes)
    ]
    insert_new(connection, SCOPES, rows)


def _observed(
    row: Row,
    scopes_by_id: Mapping[str, Scope],
    now: datetime.datetime,
    complete_pks: Collection[int],
    gaps: Gaps,
) -> Row:
    """Return a row as it is after the observation.

    A listed scope is active and seen, under its newest name. A complete one is retired. Each moves
    across its gap.

    :param complete_pks: row ids of missing scopes that are rated to their end
    """
    scope = scopes_by_id.get(row.scope_id)
    until = gaps.skip_from(row.id, row.rated_until)
    if scope is None:
        active = row.active and row.id not in complete_pks
        if (active, until) == (row.active, row.rated_until):
            return row
        return row._replace(active=active, rated_until=until)
    name = row.name if row.name == scope.name else storable(scope.name)
    seen = max(row.last_seen, now)
    # By position: _replace() takes four times as long.
    return Row(row.id, row.scope_id, name, until, seen, True, *row[6:])


def _refresh(connection: sa.Connection, rows: Sequence[Row], new_rows: Sequence[Row]) -> None:
    """Write the new ``last_seen``, the same for all whose it changes, and new names."""
    seen = [new for row, new in zip(rows, new_rows, strict=True) if new.last_seen != row.last_seen]
    if seen:
        statement = SCOPES.update().where(in_list(SCOPES.c.id, [row.id for row in seen]))
        connection.execute(statement.values(last_seen=seen[0].last_seen))
    names = [
        {"scope_pk": new.id, "new_name": new.name}
        for row, new in zip(rows, new_rows, strict=True)
        if new.name != row.name
    ]
    if names:
        statement = SCOPES.update().where(SCOPES.c.id == sa.bindparam("scope_pk"))
        connection.execute(statement.values(name=sa.bindparam("new_name")), names)


def _move(connection: sa.Connection, rows: Sequence[Row], new_rows: Sequence[Row]) -> None:
    """Write which scopes are active, and until when they are rated, where that changes."""
    moves = [
        {"scope_pk": new.id, "is_active": new.active, "until": new.rated_until}
        for row, new in zip(rows, new_rows, strict=True)
        if (new.active, new.rated_until) != (row.active, row.rated_until)
    ]
    if moves:
        statement = SCOPES.update().where(SCOPES.c.id == sa.bindparam("scope_pk"))
        columns: dict[str, Any] = {
            "active": sa.bindparam("is_active"),
            "rated_until": sa.bindparam("until"),
        }
        connection.execute(statement.values(columns), moves)


def _state(row: Row, scope: Scope | None, gaps: Gaps) -> State:
    """:param scope: as listed, which spares an equal one."""
    if scope is None or scope.name != row.name:
        scope = Scope(row.scope_id, row.name)
    return State(
        scope_pk=row.id,
        scope=scope,
        rated_until=row.rated_until,
        last_seen=gaps.rate_to(row.id, row.rated_until, row.last_seen),
        failures=row.failures,
        retry_at=row.retry_at,
        resets=row.resets,
    )

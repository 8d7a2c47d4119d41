"""Observing: which scopes are listed, new, missing, listed again, or complete."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.domain.scope import Scope, State
from ratekit.interfaces import Observation
from ratekit.storage.db.dialects import insert_new
from ratekit.storage.db.lists import in_list
from ratekit.storage.db.types import require_word, storable
from ratekit.storage.ledger import scope_lists, scope_rows
from ratekit.storage.ledger.gaps import Gaps
from ratekit.storage.ledger.scope_rows import Row
from ratekit.storage.ledger.scopes import ScopeOrigin
from ratekit.storage.schema import SCOPES


class _Changes(NamedTuple):
    """How a list differs from what is stored.

    :ivar new: scopes that are listed for the first time
    :ivar returned: scopes that are listed again
    :ivar complete: missing scopes that are rated to their end
    """

    new: tuple[Scope, ...]
    returned: tuple[Scope, ...]
    complete: tuple[Row, ...]


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
    they are written, and no deadlock occurs. Rows are read again only if there are new ones.

    Scopes that were listed at the newest instant share it: an UPDATE of 10,000 rows takes
    PostgreSQL 240 ms. Clocks differ: what another processor listed earlier keeps its own instant.
    """
    scopes_by_id = {scope.id: scope for scope in scopes}
    old_listed_at = scope_lists.lock(connection, origin.scope_key, now)
    listed_at = max(old_listed_at, now)
    rows = scope_rows.read(connection, origin.scope_key, old_listed_at, lock=True)
    gaps = Gaps(connection, origin.scope_key)
    changes = _compare(rows, scopes_by_id, gaps, now, resume)
    complete_pks = {row.id for row in changes.complete}
    new_rows = [_observed(row, scopes_by_id, now, listed_at, complete_pks, gaps) for row in rows]
    if changes.new:
        _add(connection, origin, changes.new, now, start, now == listed_at)
    _refresh(connection, rows, new_rows)
    if listed_at != old_listed_at:
        scope_lists.write(connection, origin.scope_key, listed_at)
    gaps.write(connection)
    _move(connection, rows, new_rows)
    if changes.new:
        new_rows = scope_rows.read(connection, origin.scope_key, listed_at)
    return Observation(
        states=tuple(
            _state(row, scopes_by_id.get(row.scope_id), gaps)
            for row in new_rows
            if row.active and row.deactivated_at is None
        ),
        new_scopes=changes.new,
        returned_scopes=changes.returned,
        retired_scopes=tuple(
            Scope(row.scope_id, row.name) for row in changes.complete if row.active
        ),
    )


def _compare(
    rows: Sequence[Row],
    scopes_by_id: Mapping[str, Scope],
    gaps: Gaps,
    now: datetime.datetime,
    resume: datetime.datetime,
) -> _Changes:
    """Compare the stored scopes with the list; open and close their gaps."""
    current = [row for row in rows if row.scope_id in scopes_by_id]
    missing = [row for row in rows if row.scope_id not in scopes_by_id and row.last_seen < now]
    current_ids = {row.scope_id for row in current}
    returned_ids = {row.scope_id for row in current if gaps.close(row, resume)}
    for row in missing:
        gaps.open(row)
    # In the order of the list.
    return _Changes(
        new=tuple(scope for id_, scope in scopes_by_id.items() if id_ not in current_ids),
        returned=tuple(scope for id_, scope in scopes_by_id.items() if id_ in returned_ids),
        complete=tuple(row for row in missing if row.rated_until > row.last_seen),
    )


def _add(
    connection: sa.Connection,
    origin: ScopeOrigin,
    scopes: Sequence[Scope],
    now: datetime.datetime,
    start: datetime.datetime,
    is_listed: bool,
) -> None:
    values = {
        **origin._asdict(),
        "rated_since": start,
        "rated_until": start,
        "last_seen": now,
        "is_listed": is_listed,
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
    listed_at: datetime.datetime,
    complete_pks: Collection[int],
    gaps: Gaps,
) -> Row:
    """Return a row as it is after the observation.

    A listed scope is active and seen, under its newest name. A complete one is retired. Each moves
    across its gap.

    :param listed_at: of the newest list, which may be another one
    :param complete_pks: row ids of missing scopes that are rated to their end
    """
    scope = scopes_by_id.get(row.scope_id)
    until = gaps.skip_from(row.id, row.rated_until)
    if scope is None:
        active = row.active and row.id not in complete_pks
        is_listed = row.is_listed and row.last_seen == listed_at
        if (active, until, is_listed) == (row.active, row.rated_until, row.is_listed):
            return row
        return row._replace(active=active, rated_until=until, is_listed=is_listed)
    name = row.name if row.name == scope.name else storable(scope.name)
    seen = max(row.last_seen, now)
    # By position: _replace() takes twice as long.
    return Row(row.id, row.scope_id, name, until, seen, True, *row[6:-1], seen == listed_at)


def _refresh(connection: sa.Connection, rows: Sequence[Row], new_rows: Sequence[Row]) -> None:
    """Write where scopes were last listed, as far as they do not share that, and new names."""
    pks_by_values: dict[tuple[bool, datetime.datetime | None], list[int]] = {}
    for row, new in zip(rows, new_rows, strict=True):
        if new.is_listed and row.is_listed:
            continue
        if new.is_listed != row.is_listed or new.last_seen != row.last_seen:
            values = new.is_listed, None if new.is_listed else new.last_seen
            pks_by_values.setdefault(values, []).append(row.id)
    for (is_listed, last_seen), pks in pks_by_values.items():
        changes: dict[str, Any] = {"is_listed": is_listed}
        if last_seen is not None:
            changes["last_seen"] = last_seen
        connection.execute(SCOPES.update().where(in_list(SCOPES.c.id, pks)).values(changes))
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

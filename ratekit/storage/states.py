"""Who is rated, and how far: the rows of ``scopes``."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.domain.scope import Scope, State
from ratekit.interfaces import Observation
from ratekit.storage.dialects import insert_new
from ratekit.storage.engine import slices
from ratekit.storage.schema import SCOPES
from ratekit.storage.types import require_word

#: Letters of an error that are kept with a scope: a line for people, not a log.
ERROR_LENGTH = 1000

_STATE = (
    SCOPES.c.id,
    SCOPES.c.scope_id,
    SCOPES.c.name,
    SCOPES.c.rated_until,
    SCOPES.c.last_seen,
    SCOPES.c.active,
    SCOPES.c.failures,
    SCOPES.c.retry_at,
)


class Origin(NamedTuple):
    """Where scopes come from, as the configuration says; kept with each of them.

    :ivar scope_key: name of the attribute whose values are the scopes' ids
    :ivar fetcher: name of the fetcher plug-in
    :ivar collector: name of the collector plug-in
    """

    scope_key: str
    fetcher: str
    collector: str


def observe(
    connection: sa.Connection,
    origin: Origin,
    scopes: Collection[Scope],
    now: datetime.datetime,
    start: datetime.datetime,
    resume: datetime.datetime,
) -> Observation:
    """Note which scopes are listed at ``now``; see :meth:`ratekit.interfaces.Ledger.observe`.

    All known scopes are locked first, in the order in which commits lock theirs: what is
    decided here stays true until it is written, and nobody waits in a circle. Two processors
    that see a scope for the first time at the same instant may both report it as added.
    """
    listed = {scope.id: scope for scope in scopes}
    query = _of(origin)
    locked = connection.execute(query.with_for_update(key_share=True)).mappings()
    known = {row["scope_id"]: row for row in locked}
    added = [scope for scope in listed.values() if scope.id not in known]
    seen = [(known[scope.id], scope) for scope in listed.values() if scope.id in known]
    returned = [(row, scope) for row, scope in seen if not row["active"]]
    retired = [row for row in known.values() if row["scope_id"] not in listed and _over(row, now)]
    _add(connection, origin, added, now, start)
    _refresh(connection, seen, now)
    _change(connection, [row["id"] for row, _ in returned], _resumed(resume))
    _change(connection, [row["id"] for row in retired], {"active": False})
    rows = connection.execute(query.where(SCOPES.c.active)).mappings()
    return Observation(
        states=tuple(map(_state, rows)),
        added=tuple(added),
        returned=tuple(scope for _, scope in returned),
        retired=tuple(map(_scope, retired)),
    )


def swap(
    connection: sa.Connection,
    states: Sequence[State],
    seen: datetime.datetime,
    until: datetime.datetime,
) -> frozenset[int]:
    """Advance those of ``states`` that still are at ``seen``; return their keys.

    They stay locked until the transaction ends, so nobody else can advance them.
    """
    won: set[int] = set()
    # Everybody locks in this order.
    for keys in slices(sorted(state.key for state in states)):
        unmoved = SCOPES.c.id.in_(keys) & (SCOPES.c.rated_until == seen) & SCOPES.c.active
        query = sa.select(SCOPES.c.id).where(unmoved).order_by(SCOPES.c.id)
        won.update(connection.execute(query.with_for_update(key_share=True)).scalars())
    for keys in slices(sorted(won)):
        connection.execute(
            SCOPES.update()
            .where(SCOPES.c.id.in_(keys) & (SCOPES.c.rated_until == seen))
            .values(rated_until=until, last_rated=until, failures=0, last_error=None, retry_at=None)
        )
    return frozenset(won)


def postpone(
    connection: sa.Connection,
    states: Collection[State],
    error: str,
    retry_at: datetime.datetime,
) -> None:
    """Note a failure of ``states``, but not of one that another processor has rated since."""
    line = _storable(error)[:ERROR_LENGTH]
    statement = (
        SCOPES.update()
        .where(SCOPES.c.id == sa.bindparam("key"))
        .where(SCOPES.c.rated_until == sa.bindparam("seen"))
        .values(failures=SCOPES.c.failures + 1, last_error=line, retry_at=retry_at)
    )
    rows = [
        {"key": state.key, "seen": state.rated_until}
        for state in sorted(states, key=lambda state: state.key)
    ]
    if rows:
        connection.execute(statement, rows)


def _of(origin: Origin) -> sa.Select[Any]:
    return sa.select(*_STATE).where(SCOPES.c.scope_key == origin.scope_key).order_by(SCOPES.c.id)


def _over(row: sa.RowMapping, now: datetime.datetime) -> bool:
    """Tell whether a scope that is not listed has been rated up to when it last was."""
    return bool(row["active"] and row["last_seen"] < now and row["rated_until"] >= row["last_seen"])


def _add(
    connection: sa.Connection,
    origin: Origin,
    scopes: Sequence[Scope],
    now: datetime.datetime,
    start: datetime.datetime,
) -> None:
    common = {
        **origin._asdict(),
        "rated_until": start,
        "last_seen": now,
        "active": True,
        "failures": 0,
    }
    for scope in scopes:
        require_word(scope.id)
    if scopes:
        # One order for all processors: two that add the same scopes never wait in a circle.
        rows = [
            {"scope_id": one.id, "name": _storable(one.name), **common} for one in sorted(scopes)
        ]
        insert_new(connection, SCOPES, rows)


def _refresh(
    connection: sa.Connection,
    seen: Sequence[tuple[sa.RowMapping, Scope]],
    now: datetime.datetime,
) -> None:
    """Move ``last_seen`` forward, and correct names that have changed."""
    _change(
        connection, [row["id"] for row, _ in seen if row["last_seen"] < now], {"last_seen": now}
    )
    names = [
        {"key": row["id"], "label": name}
        for row, scope in seen
        if row["name"] != (name := _storable(scope.name))
    ]
    if names:
        statement = SCOPES.update().where(SCOPES.c.id == sa.bindparam("key"))
        connection.execute(statement.values(name=sa.bindparam("label")), names)


def _storable(text: str) -> str:
    """Replace what no database takes: what is only for people may hold nobody up."""
    return text.replace("\x00", "?").encode("utf-8", "replace").decode()


def _resumed(resume: datetime.datetime) -> dict[str, Any]:
    later = sa.case((SCOPES.c.rated_until < resume, resume), else_=SCOPES.c.rated_until)
    return {"active": True, "rated_until": later}


def _change(connection: sa.Connection, keys: Sequence[int], values: dict[str, Any]) -> None:
    for some in slices(keys):
        connection.execute(SCOPES.update().where(SCOPES.c.id.in_(some)).values(values))


def _scope(row: sa.RowMapping) -> Scope:
    return Scope(row["scope_id"], row["name"])


def _state(row: sa.RowMapping) -> State:
    return State(
        key=row["id"],
        scope=_scope(row),
        rated_until=row["rated_until"],
        last_seen=row["last_seen"],
        failures=row["failures"],
        retry_at=row["retry_at"],
    )

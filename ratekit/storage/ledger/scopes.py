"""Who is rated, and how far: the rows of ``scopes``."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.domain.scope import Scope, State
from ratekit.interfaces import Observation
from ratekit.storage.db.dialects import insert_new
from ratekit.storage.db.engine import slices
from ratekit.storage.db.types import Instant, require_word, storable
from ratekit.storage.ledger import metric_sets
from ratekit.storage.ledger.gaps import Gaps
from ratekit.storage.schema import SCOPES

_STATE = (
    SCOPES.c.id,
    SCOPES.c.scope_id,
    SCOPES.c.name,
    SCOPES.c.rated_until,
    SCOPES.c.last_seen,
    SCOPES.c.active,
    SCOPES.c.failures,
    SCOPES.c.retry_at,
    SCOPES.c.resets,
)


class ScopeSource(NamedTuple):
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
    origin: ScopeSource,
    scopes: Collection[Scope],
    now: datetime.datetime,
    start: datetime.datetime,
    resume: datetime.datetime,
) -> Observation:
    """Note which scopes are listed at ``now``; see ``Ledger.observe``.

    All known scopes are locked first, in the order in which commits lock theirs: what is
    decided here stays true until it is written, and nobody waits in a circle. Two processors
    that see a scope for the first time at the same instant may both report it as added.
    """
    listed = {scope.id: scope for scope in scopes}
    query = _of(origin)
    locked = connection.execute(query.with_for_update(key_share=True)).mappings()
    known = {row["scope_id"]: row for row in locked}
    gaps = Gaps(connection, origin.scope_key)
    added = [scope for scope in listed.values() if scope.id not in known]
    seen = [(known[scope.id], scope) for scope in listed.values() if scope.id in known]
    missing = [row for id_, row in known.items() if id_ not in listed and row["last_seen"] < now]
    returned = [scope for row, scope in seen if gaps.close(row, resume)]
    for row in missing:
        gaps.open(row)
    over = {row["id"] for row in missing if row["rated_until"] > row["last_seen"]}
    _add(connection, origin, added, now, start)
    _refresh(connection, seen, now)
    gaps.write(connection)
    _move(connection, known.values(), listed, over, gaps)
    rated = query.where(SCOPES.c.active & SCOPES.c.deactivated_at.is_(None))
    return Observation(
        states=tuple(_state(row, gaps) for row in connection.execute(rated).mappings()),
        added=tuple(added),
        returned=tuple(returned),
        retired=tuple(_scope(row) for row in missing if row["active"] and row["id"] in over),
    )


def swap(
    connection: sa.Connection,
    states: Sequence[State],
    window: Window,
    metrics: metric_sets.MetricSet,
) -> frozenset[int]:
    """Advance those of ``states`` that still are at the window's begin; return their keys.

    They stay locked until the transaction ends, so nobody else can advance them. Those that
    were deactivated or reset since they were observed are left out. Of those that were rated
    by other metrics before, or in periods of another length, the change is noted.
    """
    won: set[int] = set()
    changed: list[int] = []
    resets = {state.scope_pk: state.resets for state in states}
    rated = SCOPES.c.active & SCOPES.c.deactivated_at.is_(None)
    # Everybody locks in this order.
    for keys in slices(sorted(resets)):
        mine = SCOPES.c.id.in_(keys) & (SCOPES.c.rated_until == window.begin) & rated
        columns = SCOPES.c.id, SCOPES.c.resets, SCOPES.c.period_seconds, metric_sets.IN_FORCE
        query = sa.select(*columns).where(mine).order_by(SCOPES.c.id)
        rows = connection.execute(query.with_for_update(key_share=True))
        for key, count, length, digest in rows:
            if count == resets[key]:
                won.add(key)
                if (length, digest) != (metric_sets.seconds(window), metrics.digest):
                    changed.append(key)
    values = _rated(window)
    if changed:
        number = metric_sets.change(connection, metrics, changed, window)
        values["metric_set_id"] = number
    for keys in slices(sorted(won)):
        connection.execute(
            SCOPES.update()
            .where(SCOPES.c.id.in_(keys) & (SCOPES.c.rated_until == window.begin))
            .values(values)
        )
    return frozenset(won)


def _rated(window: Window) -> dict[str, Any]:
    """Return what a scope's columns are when it has been rated over ``window``."""
    end = sa.literal(window.end, Instant)
    return {
        "rated_until": end,
        # After a reset, periods are rated that had been before.
        "last_rated": sa.case((SCOPES.c.last_rated > end, SCOPES.c.last_rated), else_=end),
        "period_seconds": metric_sets.seconds(window),
        "failures": 0,
        "last_error": None,
        "retry_at": None,
    }


def unmoved(
    connection: sa.Connection, keys: Collection[int], seen: datetime.datetime
) -> frozenset[int]:
    """Return those of ``keys`` that are at ``seen``, waiting for who holds them locked."""
    found: set[int] = set()
    for some in slices(sorted(keys)):
        query = sa.select(SCOPES.c.id, SCOPES.c.rated_until).where(SCOPES.c.id.in_(some))
        rows = connection.execute(query.order_by(SCOPES.c.id).with_for_update(key_share=True))
        found.update(row.id for row in rows if row.rated_until == seen)
    return frozenset(found)


def postpone(
    connection: sa.Connection,
    states: Collection[State],
    error: str,
    retry_at: datetime.datetime,
) -> None:
    """Note a failure of ``states``, but not of one that another processor has rated since.

    Noting it twice counts it once.
    """
    line = storable(error)
    statement = (
        SCOPES.update()
        .where(SCOPES.c.id == sa.bindparam("key"))
        .where(SCOPES.c.rated_until == sa.bindparam("seen"))
        .values(failures=sa.bindparam("count"), last_error=line, retry_at=retry_at)
    )
    rows = [
        {"key": state.scope_pk, "seen": state.rated_until, "count": state.failures + 1}
        for state in sorted(states, key=lambda state: state.scope_pk)
    ]
    if rows:
        connection.execute(statement, rows)


def _of(origin: ScopeSource) -> sa.Select[Any]:
    return sa.select(*_STATE).where(SCOPES.c.scope_key == origin.scope_key).order_by(SCOPES.c.id)


def _add(
    connection: sa.Connection,
    origin: ScopeSource,
    scopes: Sequence[Scope],
    now: datetime.datetime,
    start: datetime.datetime,
) -> None:
    common = {
        **origin._asdict(),
        "rated_since": start,
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
            {"scope_id": one.id, "name": storable(one.name), **common} for one in sorted(scopes)
        ]
        insert_new(connection, SCOPES, rows)


def _refresh(
    connection: sa.Connection,
    seen: Sequence[tuple[sa.RowMapping, Scope]],
    now: datetime.datetime,
) -> None:
    """Move ``last_seen`` forward, and correct names that have changed."""
    for keys in slices([row["id"] for row, _ in seen if row["last_seen"] < now]):
        connection.execute(SCOPES.update().where(SCOPES.c.id.in_(keys)).values(last_seen=now))
    names = [
        {"key": row["id"], "label": name}
        for row, scope in seen
        if row["name"] != (name := storable(scope.name))
    ]
    if names:
        statement = SCOPES.update().where(SCOPES.c.id == sa.bindparam("key"))
        connection.execute(statement.values(name=sa.bindparam("label")), names)


def _move(
    connection: sa.Connection,
    known: Iterable[sa.RowMapping],
    listed: Collection[str],
    over: Collection[int],
    gaps: Gaps,
) -> None:
    """Take scopes over their gaps; activate who is listed, and retire who is rated to the end."""
    moves = []
    for row in known:
        active = row["scope_id"] in listed or (row["active"] and row["id"] not in over)
        until = gaps.across(row["id"], row["rated_until"])
        if (active, until) != (row["active"], row["rated_until"]):
            moves.append({"key": row["id"], "is_active": active, "until": until})
    if moves:
        statement = SCOPES.update().where(SCOPES.c.id == sa.bindparam("key"))
        columns: dict[str, Any] = {
            "active": sa.bindparam("is_active"),
            "rated_until": sa.bindparam("until"),
        }
        connection.execute(statement.values(columns), moves)


def _scope(row: sa.RowMapping) -> Scope:
    return Scope(row["scope_id"], row["name"])


def _state(row: sa.RowMapping, gaps: Gaps) -> State:
    return State(
        scope_pk=row["id"],
        scope=_scope(row),
        rated_until=row["rated_until"],
        last_seen=gaps.seen(row["id"], row["rated_until"], row["last_seen"]),
        failures=row["failures"],
        retry_at=row["retry_at"],
        resets=row["resets"],
    )

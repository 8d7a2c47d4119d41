"""The rows of ``scopes``: who is rated, and until when."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.domain.scope import Scope, State
from ratekit.interfaces import Observation
from ratekit.storage.db.commit import Outcome
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


class ScopeOrigin(NamedTuple):
    """Configured origin of scopes; stored with each of them.

    :ivar scope_key: name of the attribute whose values are the scopes' ids
    :ivar fetcher: name of the fetcher plug-in
    :ivar collector: name of the collector plug-in
    """

    scope_key: str
    fetcher: str
    collector: str


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
    they are written, and no deadlock occurs. Two processors that see a new scope at the same
    instant may both report it as new.
    """
    scopes_by_id = {scope.id: scope for scope in scopes}
    query = _select_states(origin)
    locked_rows = connection.execute(query.with_for_update(key_share=True)).mappings()
    rows = {row["scope_id"]: row for row in locked_rows}
    gaps = Gaps(connection, origin.scope_key)
    new = [scope for scope in scopes_by_id.values() if scope.id not in rows]
    current = [(rows[scope.id], scope) for scope in scopes_by_id.values() if scope.id in rows]
    missing = [
        row for id_, row in rows.items() if id_ not in scopes_by_id and row["last_seen"] < now
    ]
    returned = tuple(scope for row, scope in current if gaps.close(row, resume))
    for row in missing:
        gaps.open(row)
    complete_pks = {row["id"] for row in missing if row["rated_until"] > row["last_seen"]}
    _add(connection, origin, new, now, start)
    _refresh(connection, current, now)
    gaps.write(connection)
    _move(connection, rows.values(), scopes_by_id.keys(), complete_pks, gaps)
    active = query.where(SCOPES.c.active & SCOPES.c.deactivated_at.is_(None))
    return Observation(
        states=tuple(_state(row, gaps) for row in connection.execute(active).mappings()),
        new_scopes=tuple(new),
        returned_scopes=returned,
        retired_scopes=tuple(
            _scope(row) for row in missing if row["active"] and row["id"] in complete_pks
        ),
    )


def refresh(connection: sa.Connection, states: Sequence[State]) -> list[State]:
    """Return the current states of scopes, without those that are no longer rated."""
    columns = (
        SCOPES.c.id, SCOPES.c.rated_until, SCOPES.c.failures, SCOPES.c.retry_at, SCOPES.c.resets
    )  # fmt: skip
    active = SCOPES.c.active & SCOPES.c.deactivated_at.is_(None)
    rows = {
        row.id: row
        for pks in slices([state.scope_pk for state in states])
        for row in connection.execute(sa.select(*columns).where(SCOPES.c.id.in_(pks) & active))
    }
    return [
        dataclasses.replace(
            state,
            rated_until=row.rated_until,
            failures=row.failures,
            retry_at=row.retry_at,
            resets=row.resets,
        )
        for state in states
        if (row := rows.get(state.scope_pk)) is not None
    ]


def swap(
    connection: sa.Connection,
    states: Sequence[State],
    window: Window,
    metrics: metric_sets.MetricSet,
    writer: int,
) -> frozenset[int]:
    """Advance those of ``states`` that still are at the window's begin; return their row ids.

    They stay locked until the transaction ends, so no other processor can advance them. Scopes
    that were deactivated or reset since they were observed are not advanced. A change of the
    metrics or of the length of the periods is recorded.

    :param writer: see :func:`ratekit.storage.db.commit.new_writer`
    """
    advanced_pks: set[int] = set()
    changed_pks: list[int] = []
    resets = {state.scope_pk: state.resets for state in states}
    active = SCOPES.c.active & SCOPES.c.deactivated_at.is_(None)
    # All transactions lock in this order.
    for pks in slices(sorted(resets)):
        at_begin = SCOPES.c.id.in_(pks) & (SCOPES.c.rated_until == window.begin) & active
        columns = SCOPES.c.id, SCOPES.c.resets, SCOPES.c.period_seconds, metric_sets.IN_FORCE
        query = sa.select(*columns).where(at_begin).order_by(SCOPES.c.id)
        rows = connection.execute(query.with_for_update(key_share=True))
        for scope_pk, count, length, digest in rows:
            if count == resets[scope_pk]:
                advanced_pks.add(scope_pk)
                if (length, digest) != (metric_sets.seconds(window), metrics.digest):
                    changed_pks.append(scope_pk)
    values = {**_values_after(window), "writer": writer}
    if changed_pks:
        values["metric_set_id"] = metric_sets.change(connection, metrics, changed_pks, window)
    for pks in slices(sorted(advanced_pks)):
        connection.execute(
            SCOPES.update()
            .where(SCOPES.c.id.in_(pks) & (SCOPES.c.rated_until == window.begin))
            .values(values)
        )
    return frozenset(advanced_pks)


def _values_after(window: Window) -> dict[str, Any]:
    """Return the values of a scope's columns after ``window`` was rated."""
    end = sa.literal(window.end, Instant)
    return {
        "rated_until": end,
        # After a reset, periods are rated a second time.
        "last_rated": sa.case((SCOPES.c.last_rated > end, SCOPES.c.last_rated), else_=end),
        "period_seconds": metric_sets.seconds(window),
        "failures": 0,
        "last_error": None,
        "retry_at": None,
    }


def read_outcome(
    connection: sa.Connection, scope_pks: Collection[int], begin: datetime.datetime, writer: int
) -> Outcome:
    """Return what became of the transaction ``writer``, which advanced these scopes.

    It waits for transactions that lock them. A scope that others have rated further since no
    longer tells who was first; that counts as lost.

    :param begin: until when they were rated before it
    """
    is_pending = False
    for pks in slices(sorted(scope_pks)):
        query = sa.select(SCOPES.c.rated_until, SCOPES.c.writer).where(SCOPES.c.id.in_(pks))
        for row in connection.execute(
            query.order_by(SCOPES.c.id).with_for_update(key_share=True)
        ).all():
            if row.writer == writer:
                return Outcome.WRITTEN
            is_pending = is_pending or row.rated_until == begin
    return Outcome.PENDING if is_pending else Outcome.LOST


def postpone(
    connection: sa.Connection,
    states: Collection[State],
    error: str,
    retry_at: datetime.datetime,
) -> None:
    """Record a failure of ``states``, except of scopes that were rated since.

    A failure that is recorded twice is counted once.
    """
    statement = (
        SCOPES.update()
        .where(SCOPES.c.id == sa.bindparam("scope_pk"))
        .where(SCOPES.c.rated_until == sa.bindparam("until"))
        .values(failures=sa.bindparam("count"), last_error=storable(error), retry_at=retry_at)
    )
    rows = [
        {
            "scope_pk": state.scope_pk,
            "until": state.rated_until,
            "count": state.failures + 1,
        }
        for state in sorted(states, key=lambda state: state.scope_pk)
    ]
    if rows:
        connection.execute(statement, rows)


def _select_states(origin: ScopeOrigin) -> sa.Select[Any]:
    return sa.select(*_STATE).where(SCOPES.c.scope_key == origin.scope_key).order_by(SCOPES.c.id)


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
    if scopes:
        # Sorted: processors that add the same scopes at the same time cannot deadlock.
        rows = [
            {"scope_id": scope.id, "name": storable(scope.name), **values}
            for scope in sorted(scopes)
        ]
        insert_new(connection, SCOPES, rows)


def _refresh(
    connection: sa.Connection,
    scopes: Sequence[tuple[sa.RowMapping, Scope]],
    now: datetime.datetime,
) -> None:
    """Move ``last_seen`` forward, and correct names that have changed.

    :param scopes: the row of each listed scope, and what the fetcher lists
    """
    for pks in slices([row["id"] for row, _ in scopes if row["last_seen"] < now]):
        connection.execute(SCOPES.update().where(SCOPES.c.id.in_(pks)).values(last_seen=now))
    names = [
        {"scope_pk": row["id"], "new_name": name}
        for row, scope in scopes
        if row["name"] != (name := storable(scope.name))
    ]
    if names:
        statement = SCOPES.update().where(SCOPES.c.id == sa.bindparam("scope_pk"))
        connection.execute(statement.values(name=sa.bindparam("new_name")), names)


def _move(
    connection: sa.Connection,
    rows: Iterable[sa.RowMapping],
    current_ids: Collection[str],
    complete_pks: Collection[int],
    gaps: Gaps,
) -> None:
    """Move scopes across their gaps; activate listed scopes, and retire complete ones.

    :param current_ids: ids of the listed scopes
    :param complete_pks: row ids of missing scopes that are rated to their end
    """
    moves = []
    for row in rows:
        is_current = row["scope_id"] in current_ids
        active = is_current or (row["active"] and row["id"] not in complete_pks)
        until = gaps.skip_from(row["id"], row["rated_until"])
        if (active, until) != (row["active"], row["rated_until"]):
            moves.append({"scope_pk": row["id"], "is_active": active, "until": until})
    if moves:
        statement = SCOPES.update().where(SCOPES.c.id == sa.bindparam("scope_pk"))
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
        last_seen=gaps.rate_to(row["id"], row["rated_until"], row["last_seen"]),
        failures=row["failures"],
        retry_at=row["retry_at"],
        resets=row["resets"],
    )

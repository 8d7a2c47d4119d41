"""The rows of ``scopes``: who is rated, and until when."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.domain.scope import State
from ratekit.storage.db.commit import Outcome
from ratekit.storage.db.lists import in_list
from ratekit.storage.db.types import Instant, storable
from ratekit.storage.ledger import metric_sets
from ratekit.storage.schema import SCOPES


class ScopeOrigin(NamedTuple):
    """Configured origin of scopes; stored with each of them.

    :ivar scope_key: name of the attribute whose values are the scopes' ids
    :ivar fetcher: name of the fetcher plug-in
    :ivar collector: name of the collector plug-in
    """

    scope_key: str
    fetcher: str
    collector: str


def refresh(connection: sa.Connection, states: Sequence[State]) -> list[State]:
    """Return the current states of scopes, without those that are no longer rated."""
    columns = (
        SCOPES.c.id, SCOPES.c.rated_until, SCOPES.c.failures, SCOPES.c.retry_at, SCOPES.c.resets
    )  # fmt: skip
    active = SCOPES.c.active & SCOPES.c.deactivated_at.is_(None)
    pks = [state.scope_pk for state in states]
    query = sa.select(*columns).where(in_list(SCOPES.c.id, pks) & active)
    rows = {row.id: row for row in connection.execute(query)}
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
    advanced_pks: list[int] = []
    changed_pks: list[int] = []
    is_stored = True
    # The id, too: in a database that was restored meanwhile the row may be another scope's.
    observed = {state.scope_pk: (state.scope.id, state.resets) for state in states}
    for scope_pk, scope_id, count, length, digest, set_id in connection.execute(
        _select_at_begin(sorted(observed), window, metrics)
    ):
        if (scope_id, count) == observed[scope_pk]:
            advanced_pks.append(scope_pk)
            is_stored = set_id is not None
            if (length, digest) != (metric_sets.seconds(window), metrics.digest):
                changed_pks.append(scope_pk)
    values = {**_values_after(window), "writer": writer}
    if changed_pks:
        metric_sets.change(connection, metrics, is_stored, changed_pks, window)
        values["metric_set_id"] = metric_sets.id_of(metrics)
    if advanced_pks:
        at_begin = in_list(SCOPES.c.id, advanced_pks) & (SCOPES.c.rated_until == window.begin)
        connection.execute(SCOPES.update().where(at_begin).values(values))
    return frozenset(advanced_pks)


def _select_at_begin(
    scope_pks: Sequence[int], window: Window, metrics: metric_sets.MetricSet
) -> sa.Select[Any]:
    """Return a query that locks the active scopes that are rated until the window's begin."""
    columns = SCOPES.c.id, SCOPES.c.scope_id, SCOPES.c.resets, SCOPES.c.period_seconds
    query = sa.select(*columns, metric_sets.IN_FORCE, metric_sets.id_of(metrics)).where(
        in_list(SCOPES.c.id, scope_pks)
        & (SCOPES.c.rated_until == window.begin)
        & SCOPES.c.active
        & SCOPES.c.deactivated_at.is_(None)
    )
    # All transactions lock in this order.
    return query.order_by(SCOPES.c.id).with_for_update(key_share=True)


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
    query = sa.select(SCOPES.c.rated_until, SCOPES.c.writer)
    query = query.where(in_list(SCOPES.c.id, sorted(scope_pks))).order_by(SCOPES.c.id)
    for row in connection.execute(query.with_for_update(key_share=True)).all():
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

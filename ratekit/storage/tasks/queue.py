"""What operators do with tasks: queue, look at and cancel them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.reprocessing.task import (
    Account,
    Order,
    PeriodOutcome,
    PeriodRecord,
    RatedRange,
    Swap,
    Task,
    TaskKind,
    TaskNote,
    TaskState,
)
from ratekit.interfaces import Tasks
from ratekit.storage.db.engine import Database, slices
from ratekit.storage.db.types import storable
from ratekit.storage.ledger import metric_sets
from ratekit.storage.schema import SCOPES, TASK_PERIODS, TASKS, TOTALS
from ratekit.storage.tasks import rows as task_rows
from ratekit.storage.tasks.rows import OPEN


class _Scope(NamedTuple):
    """A scope's row: its id, and how far it is rated."""

    scope_pk: int
    rated_until: datetime.datetime


class SqlTasks(Tasks):
    """Queues tasks with the scopes' rows locked, as commits and resets lock them.

    :param database: at the newest revision
    :param scope_key: only scopes of this key are known
    """

    def __init__(self, database: Database, scope_key: str) -> None:
        self._database = database
        self._scope_key = scope_key

    def rated(self) -> Mapping[str, RatedRange]:
        """Return how far each scope has been rated; from totals where its begin was not noted."""
        first = sa.func.min(TOTALS.c.begin, type_=TOTALS.c.begin.type)
        oldest = sa.select(first).where(TOTALS.c.scope_id == SCOPES.c.id).scalar_subquery()
        since = sa.func.coalesce(SCOPES.c.rated_since, oldest, type_=SCOPES.c.rated_since.type)
        columns = SCOPES.c.scope_id, since, SCOPES.c.rated_until, SCOPES.c.period_seconds
        query = sa.select(*columns).where(SCOPES.c.scope_key == self._scope_key)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return {
            id_: RatedRange(begin, until, seconds and datetime.timedelta(seconds=seconds))
            for id_, begin, until, seconds in rows
            if begin is not None and begin < until
        }

    def add(self, orders: Sequence[Order], note: TaskNote) -> Sequence[int]:
        """Queue tasks in one transaction; who queues another of the same scope waits for it."""
        with self._database.writing() as connection:
            scopes = self._locked(connection, orders)
            _require_rated(orders, scopes)
            _require_alone(connection, orders, scopes)
            _require_length(connection, orders, scopes)
            connection.execute(
                TASKS.insert(), [_row(one, scopes[one.scope.id].scope_pk, note) for one in orders]
            )
            # An open task's scope and begin are its own: no other overlaps.
            ids = {
                (row.scope_id, row.begin): row.id
                for keys in slices([row.scope_pk for row in scopes.values()])
                for row in connection.execute(_open_of(keys))
            }
        return [ids[scopes[one.scope.id].scope_pk, one.begin] for one in orders]

    def tasks(self, ended: bool = False) -> Sequence[tuple[Task, Account]]:
        """Return tasks and what they have done, all of one snapshot."""
        return self._accounted(sa.true() if ended else OPEN)

    def task(self, task_id: int) -> tuple[Task, Account]:
        """Return a task and what it has done, of one snapshot."""
        for found in self._accounted(TASKS.c.id == task_id):
            return found
        raise _no_task(task_id)

    def _accounted(self, which: sa.ColumnElement[bool]) -> Sequence[tuple[Task, Account]]:
        with self._database.reading() as connection:
            query = task_rows.select(self._scope_key).where(which)
            tasks = [task_rows.task(row) for row in connection.execute(query).mappings()]
            accounts = task_rows.accounts(connection, which)
        return [(one, accounts.get(one.id, Account({}))) for one in tasks]

    def periods(self, task_id: int) -> Sequence[PeriodRecord]:
        """Return the records of a task's periods."""
        query = sa.select(TASK_PERIODS).where(TASK_PERIODS.c.task_id == task_id)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(TASK_PERIODS.c.begin)).all()
        return [task_rows.record(row) for row in rows]

    def swapped(self, scope_id: str, instant: datetime.datetime) -> Swap | None:
        """Return the last swap, found among the tasks of the scope that hold the instant."""
        holds = (TASKS.c.begin <= instant) & (instant < TASKS.c.end)
        mine = task_rows.select(self._scope_key).where((SCOPES.c.scope_id == scope_id) & holds)
        with self._database.reading() as connection:
            tasks = {row["id"]: task_rows.task(row) for row in connection.execute(mine).mappings()}
            swaps = [
                Swap(tasks[row.task_id], task_rows.record(row))
                for ids in slices(list(tasks))
                for row in connection.execute(_swaps(ids, tasks, instant))
            ]
        return max(swaps, key=lambda one: (one.record.at, one.task.id), default=None)

    def cancel(self, task_id: int, now: datetime.datetime) -> bool:
        """End an open task; a processor's batch of it comes before, or is not written."""
        mine = task_rows.select(self._scope_key).where(TASKS.c.id == task_id)
        cancelled = {"state": TaskState.CANCELLED.value, "ended_at": now, "retry_at": None}
        with self._database.writing() as connection:
            if connection.execute(mine).first() is None:
                raise _no_task(task_id)
            statement = TASKS.update().where((TASKS.c.id == task_id) & OPEN)
            return connection.execute(statement.values(cancelled)).rowcount == 1

    def _locked(self, connection: sa.Connection, orders: Sequence[Order]) -> Mapping[str, _Scope]:
        """Return the scopes' rows by their ids, locked in the order in which commits do.

        :raises ratekit.errors.OperatorError: there is no such scope
        """
        mine = SCOPES.c.scope_key == self._scope_key
        keys: dict[str, int] = {}
        for ids in slices([one.scope.id for one in orders]):
            query = sa.select(SCOPES.c.scope_id, SCOPES.c.id).where(mine)
            rows = connection.execute(query.where(SCOPES.c.scope_id.in_(ids)))
            keys.update((id_, key) for id_, key in rows)
        for one in orders:
            if one.scope.id not in keys:
                raise errors.OperatorError(f"no scope {one.scope.id!r}")
        found: dict[str, _Scope] = {}
        columns = SCOPES.c.scope_id, SCOPES.c.id, SCOPES.c.rated_until
        for some in slices(sorted(keys.values())):
            locking = sa.select(*columns).where(SCOPES.c.id.in_(some)).order_by(SCOPES.c.id)
            for id_, key, until in connection.execute(locking.with_for_update(key_share=True)):
                found[id_] = _Scope(key, until)
        return found


def _no_task(task_id: int) -> errors.OperatorError:
    return errors.OperatorError(f"no task {task_id}; see ratekit reprocess list --all")


def _require_rated(orders: Sequence[Order], scopes: Mapping[str, _Scope]) -> None:
    for one in orders:
        until = scopes[one.scope.id].rated_until
        if one.end > until:
            raise errors.OperatorError(
                f"scope {one.scope.id} is rated until {until:%Y-%m-%dT%H:%M:%SZ} only: nothing "
                "was queued"
            )


def _require_length(
    connection: sa.Connection, orders: Sequence[Order], scopes: Mapping[str, _Scope]
) -> None:
    """Refuse to collect anew what was rated in periods of another length."""
    collected = [
        (scopes[one.scope.id].scope_pk, one.window(one.begin, (one.end - one.begin) // one.step))
        for one in orders
        if one.kind is TaskKind.COLLECT
    ]
    for length in {stretch.step for _, stretch in collected}:
        alike = [key for key, stretch in collected if stretch.step == length]
        seconds = int(length.total_seconds())
        # Few are: of these alone it is asked when.
        doubtful = metric_sets.ever_otherwise(connection, alike, seconds)
        for key, stretch in collected:
            if key in doubtful and stretch.step == length:
                metric_sets.require_length(connection, key, stretch)


def _require_alone(
    connection: sa.Connection, orders: Sequence[Order], scopes: Mapping[str, _Scope]
) -> None:
    """:raises ratekit.errors.OperatorError: open tasks of some scopes overlap, a line each."""
    wanted = {scopes[one.scope.id].scope_pk: one for one in orders}
    conflicts = []
    for keys in slices(sorted(wanted)):
        for row in connection.execute(_open_of(keys)):
            one = wanted[row.scope_id]
            if row.begin < one.end and one.begin < row.end:
                conflicts.append(
                    f"task {row.id} is open for scope {one.scope.id} from "
                    f"{row.begin:%Y-%m-%dT%H:%M:%SZ} to {row.end:%Y-%m-%dT%H:%M:%SZ}: nothing "
                    f"was queued; wait for it, or see ratekit reprocess cancel {row.id}"
                )
    if conflicts:
        raise errors.OperatorError("\n".join(conflicts))


def _swaps(
    ids: Sequence[int], tasks: Mapping[int, Task], instant: datetime.datetime
) -> sa.Select[Any]:
    """Return a query for the periods that tasks swapped and that ``instant`` is in."""
    table = TASK_PERIODS.c
    by_begin: dict[datetime.datetime, list[int]] = {}
    for id_ in ids:
        by_begin.setdefault(period.floor(instant, tasks[id_].order.step), []).append(id_)
    places = [(table.begin == at) & table.task_id.in_(own) for at, own in by_begin.items()]
    return sa.select(TASK_PERIODS).where(
        sa.or_(*places) & (table.outcome == PeriodOutcome.SWAPPED.value)
    )


def _open_of(keys: Sequence[int]) -> sa.Select[Any]:
    columns = TASKS.c.id, TASKS.c.scope_id, TASKS.c.begin, TASKS.c.end
    return sa.select(*columns).where(OPEN & TASKS.c.scope_id.in_(keys)).order_by(TASKS.c.id)


def _row(order: Order, key: int, note: TaskNote) -> dict[str, Any]:
    return {
        "scope_id": key,
        "begin": order.begin,
        "end": order.end,
        "period_seconds": int(order.step.total_seconds()),
        "kind": order.kind.value,
        "accept_silence": order.accept_silence,
        "reason": storable(note.reason),
        "requested_by": storable(note.made_by),
        "requested_at": note.made_at,
        "next_begin": order.begin,
        "state": TaskState.QUEUED.value,
        "failures": 0,
    }

"""Queues, reads and cancels tasks for operators."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.reporting.reports import AllScopes, Page
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
    TaskPage,
    TaskSelection,
    TaskState,
)
from ratekit.interfaces import Tasks
from ratekit.storage.db.engine import Database
from ratekit.storage.db.lists import Words, in_list
from ratekit.storage.db.types import storable
from ratekit.storage.ledger import metric_sets, purge_mark
from ratekit.storage.reports.selection import of_scopes
from ratekit.storage.schema import SCOPES, TASK_PERIODS, TASKS, TOTALS
from ratekit.storage.tasks import rows as task_rows
from ratekit.storage.tasks.rows import OPEN
from ratekit.text import second_text

_CONDITIONS: Mapping[TaskSelection, sa.ColumnElement[bool]] = {
    TaskSelection.ALL: sa.true(),
    TaskSelection.OPEN: OPEN,
    TaskSelection.FAILING: OPEN & (TASKS.c.failures > 0),
    TaskSelection.DONE: TASKS.c.state == TaskState.DONE.value,
    TaskSelection.CANCELLED: TASKS.c.state == TaskState.CANCELLED.value,
}


class _Scope(NamedTuple):
    """A scope's row: its id, and until when it is rated."""

    scope_pk: int
    rated_until: datetime.datetime


class SqlTasks(Tasks):
    """Queues tasks with the scopes' rows locked, as commits and resets lock them.

    :param database: at the newest revision
    :param scope_key: scopes of other keys do not exist for it
    """

    def __init__(self, database: Database, scope_key: str) -> None:
        self._database = database
        self._scope_key = scope_key

    def rated_ranges(self) -> Mapping[str, RatedRange]:
        """Return rated ranges; they begin with the first total where no begin is recorded."""
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
        """Queue tasks in one transaction; other transactions for the same scopes wait for it."""
        with self._database.writing() as connection:
            mark = purge_mark.lock(connection)
            for order in orders:
                purge_mark.require_kept(mark, order.begin)
            scopes = self._lock_scopes(connection, orders)
            _require_rated(orders, scopes)
            _require_no_overlap(connection, orders, scopes)
            _require_length(connection, orders, scopes)
            rows = [_row(order, scopes[order.scope.id].scope_pk, note) for order in orders]
            connection.execute(TASKS.insert(), rows)
            # Scope and begin identify an open task, because open tasks do not overlap.
            ids = {
                (row.scope_id, row.begin): row.id
                for row in connection.execute(
                    _select_open([scope.scope_pk for scope in scopes.values()])
                )
            }
        return [ids[scopes[order.scope.id].scope_pk, order.begin] for order in orders]

    def tasks(self, ended: bool = False) -> Sequence[tuple[Task, Account]]:
        """Return tasks and what each has done, from one snapshot."""
        return self._read_tasks(sa.true() if ended else OPEN)

    def task_page(
        self,
        page: Page,
        selection: TaskSelection,
        scopes: AllScopes | frozenset[str],
        newest_first: bool = True,
    ) -> TaskPage:
        """Return a page of tasks, from one snapshot; accounts are added up for the page only."""
        query = task_rows.select(self._scope_key).where(
            _CONDITIONS[selection], *of_scopes(scopes, self._scope_key)
        )
        order = TASKS.c.id.desc() if newest_first else TASKS.c.id
        page_query = query.order_by(None).order_by(order).offset(page.offset)
        if page.limit is not None:
            page_query = page_query.limit(page.limit)
        with self._database.reading() as connection:
            tasks = [task_rows.task(row) for row in connection.execute(page_query).mappings()]
            ids = [task.id for task in tasks]
            accounts = task_rows.accounts(connection, in_list(TASKS.c.id, ids))
            counting = sa.select(sa.func.count()).select_from(query.order_by(None).subquery())
            total = connection.execute(counting).scalar_one()
        return TaskPage([(task, accounts.get(task.id, Account({}))) for task in tasks], total)

    def task(self, task_id: int) -> tuple[Task, Account]:
        """Return a task and what it has done, from one snapshot."""
        tasks = self._read_tasks(TASKS.c.id == task_id)
        if not tasks:
            raise _no_task(task_id)
        return tasks[0]

    def _read_tasks(self, condition: sa.ColumnElement[bool]) -> Sequence[tuple[Task, Account]]:
        with self._database.reading() as connection:
            query = task_rows.select(self._scope_key).where(condition)
            tasks = [task_rows.task(row) for row in connection.execute(query).mappings()]
            accounts = task_rows.accounts(connection, condition)
        return [(task, accounts.get(task.id, Account({}))) for task in tasks]

    def periods(self, task_id: int) -> Sequence[PeriodRecord]:
        """Return the records of a task's periods."""
        query = sa.select(TASK_PERIODS).where(TASK_PERIODS.c.task_id == task_id)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(TASK_PERIODS.c.begin)).all()
        return [task_rows.record(row) for row in rows]

    def swaps(self, scope_id: str, instant: datetime.datetime) -> Sequence[Swap]:
        """Return the swaps by the scope's tasks whose time range contains the instant."""
        query = task_rows.select(self._scope_key).where(SCOPES.c.scope_id == scope_id)
        query = query.where((TASKS.c.begin <= instant) & (instant < TASKS.c.end))
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings()
            tasks = {row["id"]: task_rows.task(row) for row in rows}
            swaps = [
                Swap(tasks[row.task_id], task_rows.record(row))
                for row in (connection.execute(_select_swaps(tasks, instant)) if tasks else ())
            ]
        return sorted(swaps, key=lambda swap: (swap.record.at, swap.task.id))

    def cancel(self, task_id: int, now: datetime.datetime) -> bool:
        """End an open task; a processor's batch of it is written before this, or never."""
        query = task_rows.select(self._scope_key).where(TASKS.c.id == task_id)
        values = {"state": TaskState.CANCELLED.value, "ended_at": now, "retry_at": None}
        with self._database.writing() as connection:
            if connection.execute(query).first() is None:
                raise _no_task(task_id)
            statement = TASKS.update().where((TASKS.c.id == task_id) & OPEN)
            return connection.execute(statement.values(values)).rowcount == 1

    def _lock_scopes(
        self, connection: sa.Connection, orders: Sequence[Order]
    ) -> Mapping[str, _Scope]:
        """Lock the orders' scopes in the same order as commits; return them by their ids.

        :raises ratekit.errors.OperatorError: there is no such scope
        """
        ids = [order.scope.id for order in orders]
        names = sa.select(SCOPES.c.scope_id, SCOPES.c.id)
        names = names.where(SCOPES.c.scope_key == self._scope_key)
        rows = connection.execute(names.where(in_list(SCOPES.c.scope_id, ids, Words)))
        scope_pks = {scope_id: scope_pk for scope_id, scope_pk in rows}
        for order in orders:
            if order.scope.id not in scope_pks:
                raise errors.OperatorError(f"no scope {order.scope.id!r}")
        query = sa.select(SCOPES.c.scope_id, SCOPES.c.id, SCOPES.c.rated_until)
        query = query.where(in_list(SCOPES.c.id, sorted(scope_pks.values()))).order_by(SCOPES.c.id)
        return {
            scope_id: _Scope(scope_pk, rated_until)
            for scope_id, scope_pk, rated_until in connection.execute(
                query.with_for_update(key_share=True)
            )
        }


def _no_task(task_id: int) -> errors.OperatorError:
    return errors.OperatorError(f"no task {task_id}; see ratekit reprocess list --all")


def _require_rated(orders: Sequence[Order], scopes: Mapping[str, _Scope]) -> None:
    for order in orders:
        rated_until = scopes[order.scope.id].rated_until
        if order.end > rated_until:
            raise errors.OperatorError(
                f"scope {order.scope.id} is only rated until {second_text(rated_until)}; nothing "
                "was queued"
            )


def _require_length(
    connection: sa.Connection, orders: Sequence[Order], scopes: Mapping[str, _Scope]
) -> None:
    """:raises ratekit.errors.OperatorError: an order collects in periods of another length."""
    windows = [
        (
            scopes[order.scope.id].scope_pk,
            order.window(order.begin, (order.end - order.begin) // order.step),
        )
        for order in orders
        if order.kind is TaskKind.COLLECT
    ]
    for length in {window.step for _, window in windows}:
        pks = [scope_pk for scope_pk, window in windows if window.step == length]
        seconds = int(length.total_seconds())
        # One query finds the few scopes that need a check of their own.
        candidates = metric_sets.find_other_lengths(connection, pks, seconds)
        for scope_pk, window in windows:
            if scope_pk in candidates and window.step == length:
                metric_sets.require_length(connection, scope_pk, window)


def _require_no_overlap(
    connection: sa.Connection, orders: Sequence[Order], scopes: Mapping[str, _Scope]
) -> None:
    """:raises ratekit.errors.TaskOverlap: open tasks overlap with orders; a line for each."""
    orders_by_pk = {scopes[order.scope.id].scope_pk: order for order in orders}
    conflicts = []
    for row in connection.execute(_select_open(sorted(orders_by_pk))):
        order = orders_by_pk[row.scope_id]
        if row.begin < order.end and order.begin < row.end:
            conflicts.append(
                f"task {row.id} is open for scope {order.scope.id} from "
                f"{second_text(row.begin)} to {second_text(row.end)}; nothing was queued; "
                f"wait for its end, or run ratekit reprocess cancel {row.id}"
            )
    if conflicts:
        raise errors.TaskOverlap(*conflicts)


def _select_swaps(tasks: Mapping[int, Task], instant: datetime.datetime) -> sa.Select[Any]:
    """Return a query for the records of swapped periods that contain ``instant``."""
    table = TASK_PERIODS.c
    ids_by_begin: dict[datetime.datetime, list[int]] = {}
    for task_id, task in tasks.items():
        begin = period.floor(instant, task.order.step)
        ids_by_begin.setdefault(begin, []).append(task_id)
    conditions = [
        (table.begin == begin) & in_list(table.task_id, task_ids)
        for begin, task_ids in ids_by_begin.items()
    ]
    return sa.select(TASK_PERIODS).where(
        sa.or_(*conditions) & (table.outcome != PeriodOutcome.KEPT.value)
    )


def _select_open(scope_pks: Sequence[int]) -> sa.Select[Any]:
    columns = TASKS.c.id, TASKS.c.scope_id, TASKS.c.begin, TASKS.c.end
    return (
        sa.select(*columns).where(OPEN & in_list(TASKS.c.scope_id, scope_pks)).order_by(TASKS.c.id)
    )


def _row(order: Order, scope_pk: int, note: TaskNote) -> dict[str, Any]:
    return {
        "scope_id": scope_pk,
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

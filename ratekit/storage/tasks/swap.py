"""Swaps periods: replaces their frames and totals by new ones, in one transaction."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.period import Window
from ratekit.domain.reprocessing.task import (
    Account,
    Charge,
    PeriodOutcome,
    RepricedWindow,
    Task,
    TaskState,
)
from ratekit.interfaces import TaskLedger
from ratekit.storage.db import commit
from ratekit.storage.db.engine import Database
from ratekit.storage.db.types import storable
from ratekit.storage.ledger import daily_totals, exclusions, frames, metric_sets, sums
from ratekit.storage.ledger.descriptors import Descriptors, Resolver
from ratekit.storage.rules import version
from ratekit.storage.schema import SCOPES, TASK_PERIODS, TASKS
from ratekit.storage.tasks import rows as task_rows
from ratekit.storage.tasks.rows import OPEN


class _Write(NamedTuple):
    """What the transaction of one window did.

    :ivar account: of the whole task, if the window was its last one
    """

    account: Account | None


class SqlTaskLedger(TaskLedger):
    """Swaps periods; safe beside any number of other processors, commits and resets.

    :param database: at the newest revision
    :param scope_key: only tasks of scopes of this key are executed
    """

    def __init__(self, database: Database, scope_key: str) -> None:
        self._database = database
        self._scope_key = scope_key
        self._descriptors = Descriptors()

    def open_tasks(self, now: datetime.datetime | None) -> Sequence[Task]:
        """Return open tasks, ordered by id."""
        query = task_rows.select(self._scope_key).where(OPEN)
        if now is not None:
            query = query.where(TASKS.c.retry_at.is_(None) | (TASKS.c.retry_at <= now))
        with self._database.reading() as connection:
            return [task_rows.task(row) for row in connection.execute(query).mappings()]

    def read(self, task_id: int) -> Task | None:
        """Return an open task."""
        query = task_rows.select(self._scope_key).where(OPEN & (TASKS.c.id == task_id))
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else task_rows.task(row)

    def swap(self, task: Task, repriced: RepricedWindow, now: datetime.datetime) -> Account | None:
        """Swap periods in one transaction.

        It locks what a commit locks, in the same order: rules, the scope, and then the task.
        If the reply to COMMIT does not tell the outcome, the scope and the task show it.
        """
        totals = sums.sum_up(repriced.series, {task.order.scope.id: task.scope_pk})

        writer = commit.new_writer()
        resolver = self._descriptors.resolver()

        def change(connection: sa.Connection) -> _Write:
            return _write(connection, task, repriced, totals, now, writer, resolver)

        def read_outcome(connection: sa.Connection, _write: _Write) -> commit.Outcome:
            return _read_outcome(connection, task, repriced.window.begin, writer)

        write = commit.write(self._database, change, read_outcome)
        if write is None:
            raise _advanced_elsewhere(task)
        resolver.remember()
        return write.account

    def postpone(self, task: Task, error: str, retry_at: datetime.datetime) -> None:
        """Record a failure of a task that no other processor has advanced meanwhile."""
        values = {
            "failures": task.failures + 1,
            "last_error": storable(error),
            "retry_at": retry_at,
        }
        statement = TASKS.update().where(_stands_at(task, task.next_begin))
        with self._database.writing() as connection:
            connection.execute(statement.values(values))


def _write(
    connection: sa.Connection,
    task: Task,
    repriced: RepricedWindow,
    totals: Sequence[sums.Total],
    now: datetime.datetime,
    writer: int,
    resolver: Resolver,
) -> _Write:
    if repriced.rules_version is not None:
        version.require(connection, repriced.rules_version)
    rated_until = _lock_scope(connection, task, repriced, writer)
    _advance(connection, task, repriced.window, now)
    old_totals = frames.read_totals(connection, task.scope_pk, repriced.window)
    for window in repriced.replacement_windows():
        frames.remove(connection, task.scope_pk, window)
        _record_basis(connection, task, repriced, window, rated_until)
    texts = frames.begin_texts({total.begin for total in totals})
    scope_pks = {task.order.scope.id: task.scope_pk}
    frames.write_frames(connection, repriced.series, scope_pks, resolver, texts)
    frames.write_totals(connection, totals, texts)
    daily_totals.refresh(connection, task.scope_pk, repriced.window.begin, repriced.window.end)
    _record_periods(connection, task, repriced, old_totals, totals, now)
    account = None
    if repriced.window.end >= task.order.end:
        account = task_rows.accounts(connection, TASKS.c.id == task.id).get(task.id)
    return _Write(account)


def _stands_at(task: Task, instant: datetime.datetime) -> sa.ColumnElement[bool]:
    return (TASKS.c.id == task.id) & OPEN & (TASKS.c.next_begin == instant)


def _read_outcome(
    connection: sa.Connection, task: Task, begin: datetime.datetime, writer: int
) -> commit.Outcome:
    """Return what became of the transaction ``writer``; wait for others that lock its rows.

    A scope that others have written since no longer tells who advanced the task; that counts as
    lost.
    """
    query = sa.select(SCOPES.c.writer).where(SCOPES.c.id == task.scope_pk)
    if connection.execute(query.with_for_update(key_share=True)).scalar() == writer:
        return commit.Outcome.WRITTEN
    task_query = sa.select(TASKS.c.id).where(_stands_at(task, begin)).with_for_update()
    is_pending = connection.execute(task_query).first() is not None
    return commit.Outcome.PENDING if is_pending else commit.Outcome.LOST


def _advanced_elsewhere(task: Task) -> errors.Conflict:
    return errors.Conflict(f"task {task.id} was advanced by another processor, or was cancelled")


def _lock_scope(
    connection: sa.Connection, task: Task, repriced: RepricedWindow, writer: int
) -> datetime.datetime:
    """Lock the scope as commits do; return until when it is rated.

    The nodes of a Galera cluster compare only rows that were changed, so it changes one, too.

    :raises ratekit.errors.Conflict: it was reset since the task was read
    :raises ratekit.errors.OperatorError: it was rated in periods of another length
    """
    query = sa.select(SCOPES.c.resets, SCOPES.c.rated_until).where(SCOPES.c.id == task.scope_pk)
    row = connection.execute(query.with_for_update(key_share=True)).one()
    rated_until: datetime.datetime = row.rated_until
    windows = repriced.replacement_windows()
    if row.resets != task.resets or (windows and windows[-1].end > rated_until):
        raise errors.Conflict(f"scope {task.order.scope.id} was reset meanwhile")
    if repriced.metrics is not None and windows:
        metric_sets.require_length(connection, task.scope_pk, repriced.window)
    scope = SCOPES.update().where(SCOPES.c.id == task.scope_pk)
    connection.execute(scope.values(writer=writer))
    return rated_until


def _advance(connection: sa.Connection, task: Task, window: Window, now: datetime.datetime) -> None:
    """:raises ratekit.errors.Conflict: another processor advanced the task, or it has ended."""
    values: dict[str, Any] = {
        "next_begin": window.end,
        "failures": 0,
        "last_error": None,
        "retry_at": None,
    }
    if window.end >= task.order.end:
        values |= {"state": TaskState.DONE.value, "ended_at": now}
    statement = TASKS.update().where(_stands_at(task, window.begin)).values(values)
    if connection.execute(statement).rowcount != 1:
        raise _advanced_elsewhere(task)


def _record_basis(
    connection: sa.Connection,
    task: Task,
    repriced: RepricedWindow,
    window: Window,
    rated_until: datetime.datetime,
) -> None:
    """Record the metrics that were collected for a window, and the excluded resources."""
    if repriced.metrics is None:
        return
    metrics = metric_sets.MetricSet.of(repriced.metrics)
    metric_sets.splice(connection, metrics, task.scope_pk, window, rated_until)
    exclusions.cut_out(connection, task.scope_pk, window)
    scope_pks = {task.order.scope.id: task.scope_pk}
    exclusions.record(connection, scope_pks, window, repriced.exclusions)


def _record_periods(
    connection: sa.Connection,
    task: Task,
    repriced: RepricedWindow,
    old_totals: Iterable[sums.Total],
    new_totals: Iterable[sums.Total],
    now: datetime.datetime,
) -> None:
    """Write a record of each period."""
    step = repriced.window.step
    old_periods, new_periods = _by_period(old_totals, step), _by_period(new_totals, step)
    rows = []
    for begin in repriced.window.begins():
        old, new = old_periods.get(begin, set()), new_periods.get(begin, set())
        outcome = PeriodOutcome.SAME if old == new else PeriodOutcome.SWAPPED
        reason = repriced.kept_reasons.get(begin)
        if reason is not None:
            outcome, new = PeriodOutcome.KEPT, old
        old_charge, new_charge = _charge(old), _charge(new)
        rows.append(
            {
                "task_id": task.id,
                "begin": begin,
                "outcome": outcome.value,
                "note": None if reason is None else storable(reason),
                "old_points": old_charge.points,
                "old_price": old_charge.price,
                "new_points": new_charge.points,
                "new_price": new_charge.price,
                "at": now,
            }
        )
    connection.execute(TASK_PERIODS.insert(), rows)


def _by_period(
    totals: Iterable[sums.Total], step: datetime.timedelta
) -> dict[datetime.datetime, set[sums.Total]]:
    """Group totals by the task's periods, which may be longer than those of the totals."""
    periods: dict[datetime.datetime, set[sums.Total]] = {}
    for total in totals:
        periods.setdefault(period.floor(total.begin, step), set()).add(total)
    return periods


def _charge(totals: Iterable[sums.Total]) -> Charge:
    points, price = 0, ZERO
    for total in totals:
        points += total.points
        price = EXACT.add(price, total.price)
    return Charge(points, price)

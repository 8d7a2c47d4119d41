"""Periods that are swapped: new frames and totals in place of old ones, in one transaction."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
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
from ratekit.storage.db.engine import Database
from ratekit.storage.db.errors import CommitUnconfirmed
from ratekit.storage.db.types import storable
from ratekit.storage.ledger import exclusions, frames, metric_sets
from ratekit.storage.ledger.descriptors import Descriptors
from ratekit.storage.rules import version
from ratekit.storage.schema import SCOPES, TASK_PERIODS, TASKS, TOTALS
from ratekit.storage.tasks import rows as task_rows
from ratekit.storage.tasks.rows import OPEN

LOG = logging.getLogger(__name__)


class _Total(NamedTuple):
    """A row of ``totals`` without its scope."""

    begin: datetime.datetime
    metric: str
    unit: str
    points: int
    quantity: Decimal
    price: Decimal


class SqlTaskLedger(TaskLedger):
    """Swaps periods; safe beside any number of other processors, commits and resets.

    :param database: at the newest revision
    :param scope_key: only tasks of scopes of this key are carried out
    """

    def __init__(self, database: Database, scope_key: str) -> None:
        self._database = database
        self._scope_key = scope_key
        self._descriptors = Descriptors()

    def waiting(self, now: datetime.datetime | None) -> Sequence[Task]:
        """Return open tasks by id."""
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
        Where the database did not answer to COMMIT, the task tells what became of it.
        """
        entries = frames.prepare(repriced.series, {task.order.scope.id: task.scope_pk})
        begins = frames.texts({at for one in repriced.series for at, _ in one.series.points})
        totals = frames.sum_up(entries, begins)
        account: Account | None = None
        ids: Mapping[bytes, int] = {}
        lost_answer: CommitUnconfirmed | None = None
        try:
            with self._database.writing() as connection:
                if repriced.rules_version is not None:
                    version.require(connection, repriced.rules_version)
                rated_until = _hold(connection, task, repriced)
                _advance(connection, task, repriced.window, now)
                old = _stored(connection, task.scope_pk, repriced.window)
                for stretch in repriced.swapped():
                    frames.remove(connection, task.scope_pk, stretch)
                    _note_basis(connection, task, repriced, stretch, rated_until)
                ids = self._descriptors.resolve(connection, [one.descriptor for one in entries])
                frames.write_frames(connection, entries, ids, begins)
                frames.write_totals(connection, totals)
                _record(connection, task, repriced, old, _read(totals, begins), now)
                if repriced.window.end >= task.order.end:
                    mine = TASKS.c.id == task.id
                    account = task_rows.accounts(connection, mine).get(task.id)
        except CommitUnconfirmed as unknown:
            lost_answer = unknown
        if lost_answer is None:
            self._descriptors.remember(ids)
        else:
            self._require_written(task, repriced.window, lost_answer)
        return account

    def postpone(self, task: Task, error: str, retry_at: datetime.datetime) -> None:
        """Note a failure of a task that nobody else has taken further meanwhile."""
        values = {
            "failures": task.failures + 1,
            "last_error": storable(error),
            "retry_at": retry_at,
        }
        with self._database.writing() as connection:
            connection.execute(TASKS.update().where(_at(task, task.next_begin)).values(values))

    def _require_written(self, task: Task, window: Window, unknown: CommitUnconfirmed) -> None:
        """Find out what became of a transaction that got no answer to COMMIT.

        It had locked the task, so whoever locks that now comes after its end. One that was
        moved by somebody else meanwhile was swapped by somebody else, all the same.

        :raises ratekit.errors.TryLater: nothing was written, or that cannot be found out
        """
        query = sa.select(TASKS.c.id).where(_at(task, window.begin)).with_for_update()
        try:
            with self._database.writing() as connection:
                waiting = connection.execute(query).first()
        except errors.RatekitError as error:
            raise errors.TryLater(f"{unknown}; nor can it be found out: {error}") from error
        if waiting is not None:
            raise errors.TryLater(f"{unknown}: nothing was written") from unknown
        LOG.warning("%s: they were", unknown)


def _at(task: Task, instant: datetime.datetime) -> sa.ColumnElement[bool]:
    return (TASKS.c.id == task.id) & OPEN & (TASKS.c.next_begin == instant)


def _hold(connection: sa.Connection, task: Task, repriced: RepricedWindow) -> datetime.datetime:
    """Lock the scope as commits do; return how far it is rated.

    :raises ratekit.errors.Conflict: it was reset since the task was read
    :raises ratekit.errors.OperatorError: it was rated in periods of another length then
    """
    query = sa.select(SCOPES.c.resets, SCOPES.c.rated_until).where(SCOPES.c.id == task.scope_pk)
    row = connection.execute(query.with_for_update(key_share=True)).one()
    stretches = repriced.swapped()
    beyond = bool(stretches) and stretches[-1].end > row.rated_until
    if row.resets != task.resets or beyond:
        raise errors.Conflict(f"scope {task.order.scope.id} was reset meanwhile")
    if repriced.metrics is not None and stretches:
        metric_sets.require_length(connection, task.scope_pk, repriced.window)
    until: datetime.datetime = row.rated_until
    return until


def _advance(connection: sa.Connection, task: Task, window: Window, now: datetime.datetime) -> None:
    """:raises ratekit.errors.Conflict: somebody else has taken the task further, or ended it."""
    values: dict[str, Any] = {
        "next_begin": window.end,
        "failures": 0,
        "last_error": None,
        "retry_at": None,
    }
    if window.end >= task.order.end:
        values |= {"state": TaskState.DONE.value, "ended_at": now}
    statement = TASKS.update().where(_at(task, window.begin)).values(values)
    if connection.execute(statement).rowcount != 1:
        raise errors.Conflict(
            f"task {task.id} was taken further by another processor, or was cancelled"
        )


def _note_basis(
    connection: sa.Connection,
    task: Task,
    repriced: RepricedWindow,
    stretch: Window,
    rated_until: datetime.datetime,
) -> None:
    """Note by which metrics a stretch was collected, and without which resources."""
    if repriced.metrics is None:
        return
    metrics = metric_sets.MetricSet.of(repriced.metrics)
    metric_sets.splice(connection, metrics, task.scope_pk, stretch, rated_until)
    exclusions.cut_out(connection, task.scope_pk, stretch)
    exclusions.note(connection, {task.order.scope.id: task.scope_pk}, stretch, repriced.excluded)


def _stored(connection: sa.Connection, key: int, window: Window) -> list[_Total]:
    columns = [TOTALS.c[name] for name in _Total._fields]
    mine = (TOTALS.c.scope_id == key) & (TOTALS.c.begin >= window.begin)
    query = sa.select(*columns).where(mine & (TOTALS.c.begin < window.end))
    return [_Total(*row) for row in connection.execute(query)]


def _read(totals: Iterable[frames.Total], begins: frames.Begins) -> list[_Total]:
    """Return totals as values again."""
    instants = {text: begin for begin, text in begins.items()}
    return [
        _Total(
            instants[one.begin],
            one.metric,
            one.unit,
            one.points,
            Decimal(one.quantity),
            Decimal(one.price),
        )
        for one in totals
    ]


def _record(
    connection: sa.Connection,
    task: Task,
    repriced: RepricedWindow,
    old: Sequence[_Total],
    new: Sequence[_Total],
    now: datetime.datetime,
) -> None:
    """Write what became of each period."""
    before, after = (_by_period(totals, repriced.window.step) for totals in (old, new))
    rows = []
    for begin in repriced.window.begins():
        was, is_ = before.get(begin, set()), after.get(begin, set())
        note = repriced.kept.get(begin)
        outcome = PeriodOutcome.SAME if was == is_ else PeriodOutcome.SWAPPED
        if note is not None:
            outcome, is_ = PeriodOutcome.KEPT, was
        charged, charge = _charge(was), _charge(is_)
        rows.append(
            {
                "task_id": task.id,
                "begin": begin,
                "outcome": outcome.value,
                "note": None if note is None else storable(note),
                "old_points": charged.points,
                "old_price": charged.price,
                "new_points": charge.points,
                "new_price": charge.price,
                "at": now,
            }
        )
    connection.execute(TASK_PERIODS.insert(), rows)


def _by_period(
    totals: Iterable[_Total], step: datetime.timedelta
) -> dict[datetime.datetime, set[_Total]]:
    found: dict[datetime.datetime, set[_Total]] = {}
    for one in totals:
        found.setdefault(period.floor(one.begin, step), set()).add(one)
    return found


def _charge(totals: Iterable[_Total]) -> Charge:
    points, price = 0, ZERO
    for one in totals:
        points += one.points
        price = EXACT.add(price, one.price)
    return Charge(points, price)

"""Converts rows of ``tasks`` and ``task_periods`` to values."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reprocessing.task import (
    Account,
    Charge,
    Order,
    PeriodOutcome,
    PeriodRecord,
    Task,
    TaskKind,
    TaskNote,
    TaskState,
)
from ratekit.domain.scope import Scope
from ratekit.storage.db.dialects import exact_sum
from ratekit.storage.db.types import tidy
from ratekit.storage.schema import SCOPES, TASK_PERIODS, TASKS

#: Whether a task has not ended.
OPEN = TASKS.c.state == TaskState.QUEUED.value


def select(scope_key: str) -> sa.Select[Any]:
    """Return a query for tasks of the scopes of one scope key, ordered by id."""
    scope = SCOPES.c.scope_id.label("scope"), SCOPES.c.name, SCOPES.c.resets
    joined = TASKS.join(SCOPES, SCOPES.c.id == TASKS.c.scope_id)
    query = sa.select(TASKS, *scope).select_from(joined)
    return query.where(SCOPES.c.scope_key == scope_key).order_by(TASKS.c.id)


def task(row: sa.RowMapping) -> Task:
    """Return the task in a row of :func:`select`."""
    return Task(
        id=row["id"],
        order=Order(
            scope=Scope(row["scope"], row["name"]),
            begin=row["begin"],
            end=row["end"],
            step=datetime.timedelta(seconds=row["period_seconds"]),
            kind=TaskKind(row["kind"]),
            accept_silence=row["accept_silence"],
        ),
        note=TaskNote(row["reason"], row["requested_by"], row["requested_at"]),
        scope_pk=row["scope_id"],
        next_begin=row["next_begin"],
        state=TaskState(row["state"]),
        failures=row["failures"],
        last_error=row["last_error"],
        retry_at=row["retry_at"],
        ended_at=row["ended_at"],
        resets=row["resets"],
    )


def record(row: sa.Row[Any]) -> PeriodRecord:
    """Return the record in a row of ``task_periods``."""
    return PeriodRecord(
        begin=row.begin,
        outcome=PeriodOutcome(row.outcome),
        note=row.note,
        old=Charge(row.old_points, row.old_price),
        new=Charge(row.new_points, row.new_price),
        at=row.at,
    )


def accounts(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Mapping[int, Account]:
    """Return what each task has done, by its id, without tasks that have done nothing yet.

    :param condition: selects rows of ``tasks``
    """
    table = TASK_PERIODS.c
    query = (
        sa.select(
            table.task_id,
            table.outcome,
            sa.func.count(),
            sa.func.sum(table.old_points),
            exact_sum(table.old_price),
            sa.func.sum(table.new_points),
            exact_sum(table.new_price),
        )
        .join(TASKS, TASKS.c.id == table.task_id)
        .where(condition)
        .group_by(table.task_id, table.outcome)
    )
    accounts_by_id: dict[int, Account] = {}
    for task_id, outcome, count, *sums in connection.execute(query):
        account = accounts_by_id.get(task_id, Account({}))
        accounts_by_id[task_id] = Account(
            {**account.periods, PeriodOutcome(outcome): count},
            _add(account.old, *sums[:2]),
            _add(account.new, *sums[2:]),
        )
    if any(account.kept_periods for account in accounts_by_id.values()):
        for task_id, reason in connection.execute(_select_first_kept(condition)):
            account = accounts_by_id[task_id]
            accounts_by_id[task_id] = dataclasses.replace(account, first_kept_reason=reason)
    return accounts_by_id


def _select_first_kept(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Return a query for task ids, and the reason why the task's first kept period was kept."""
    table = TASK_PERIODS.c
    first = (
        sa.select(table.task_id, sa.func.min(table.begin, type_=table.begin.type).label("begin"))
        .join(TASKS, TASKS.c.id == table.task_id)
        .where(condition & (table.outcome == PeriodOutcome.KEPT.value))
        .group_by(table.task_id)
        .subquery()
    )
    same = (first.c.task_id == table.task_id) & (first.c.begin == table.begin)
    return sa.select(table.task_id, table.note).join(first, same)


def _add(charge: Charge, points: Any, price: Any) -> Charge:
    return Charge(charge.points + int(points), tidy(EXACT.add(charge.price, price or ZERO)))

"""Rows of ``tasks`` and ``task_periods``, as what they stand for."""

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

#: Whether a task is waiting or at work.
OPEN = TASKS.c.state == TaskState.QUEUED.value


def select(scope_key: str) -> sa.Select[Any]:
    """Return a query over tasks of scopes of a key, by id."""
    scope = SCOPES.c.scope_id.label("scope"), SCOPES.c.name, SCOPES.c.resets
    joined = TASKS.join(SCOPES, SCOPES.c.id == TASKS.c.scope_id)
    query = sa.select(TASKS, *scope).select_from(joined)
    return query.where(SCOPES.c.scope_key == scope_key).order_by(TASKS.c.id)


def task(row: sa.RowMapping) -> Task:
    """Return what a row of :func:`select` says."""
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
    """Return what a row of ``task_periods`` says."""
    return PeriodRecord(
        begin=row.begin,
        outcome=PeriodOutcome(row.outcome),
        note=row.note,
        old=Charge(row.old_points, row.old_price),
        new=Charge(row.new_points, row.new_price),
        at=row.at,
    )


def accounts(connection: sa.Connection, which: sa.ColumnElement[bool]) -> Mapping[int, Account]:
    """Return what tasks have done, by their ids; those that have done nothing are absent.

    :param which: of their rows
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
        .where(which)
        .group_by(table.task_id, table.outcome)
    )
    found: dict[int, Account] = {}
    for id_, outcome, count, *sums in connection.execute(query):
        before = found.get(id_, Account({}))
        found[id_] = Account(
            {**before.periods, PeriodOutcome(outcome): count},
            _plus(before.old, *sums[:2]),
            _plus(before.new, *sums[2:]),
        )
    if any(one.kept for one in found.values()):
        for id_, note in connection.execute(_first_kept(which)):
            found[id_] = dataclasses.replace(found[id_], first_kept=note)
    return found


def _first_kept(which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Return a query for why the first period that a task kept was kept, by the task's id."""
    table = TASK_PERIODS.c
    first = (
        sa.select(table.task_id, sa.func.min(table.begin, type_=table.begin.type).label("begin"))
        .join(TASKS, TASKS.c.id == table.task_id)
        .where(which & (table.outcome == PeriodOutcome.KEPT.value))
        .group_by(table.task_id)
        .subquery()
    )
    same = (first.c.task_id == table.task_id) & (first.c.begin == table.begin)
    return sa.select(table.task_id, table.note).join(first, same)


def _plus(charge: Charge, points: Any, price: Any) -> Charge:
    return Charge(charge.points + int(points), tidy(EXACT.add(charge.price, price or ZERO)))

"""``/dashboard/tasks``: reprocessing tasks, their progress, and what they changed."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Annotated, Any

import pydantic

from ratekit import errors
from ratekit.api.arguments import Count, Offset, first_text
from ratekit.api.faults import not_found
from ratekit.dashboard.operator import OperatorArguments, Paged, build_pager, read_page
from ratekit.dashboard.page import Page, PageCall, Section, Table, View
from ratekit.domain.exact import EXACT
from ratekit.domain.reprocessing.task import (
    Account,
    PeriodOutcome,
    Task,
    TaskSelection,
    TaskState,
)

PATH = "/dashboard/tasks"
_RULE = "schedule:get_task_reprocesses"
#: Periods on a page of one task.
_PERIODS = 100
_OUTCOMES = {
    PeriodOutcome.SWAPPED: "changed",
    PeriodOutcome.SAME: "with equal totals",
    PeriodOutcome.KEPT: "left unchanged",
}
_COLUMNS = (
    "task", "scope", "name", "kind", "state", "begin", "end", "periods", "done", "old price",
    "new price", "difference", "queued by", "queued at", "reason", "last error",
)  # fmt: skip


class TasksArguments(Paged):
    """Which tasks.

    :ivar state: default: all
    """

    state: Annotated[TaskSelection, pydantic.BeforeValidator(first_text)] = TaskSelection.ALL


class TaskArguments(OperatorArguments):
    """A task, and a part of its periods.

    :ivar task: its number
    """

    task: Count
    offset: Offset = 0


@dataclasses.dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as pages show it.

    :ivar state: in words
    :ivar periods: number of all of them
    :ivar progress: number of those that have been processed
    :ivar link: address of its page
    """

    task: Task
    account: Account
    state: str
    periods: int
    progress: int
    link: str

    @property
    def difference(self) -> Decimal:
        """How much more the periods cost that have been processed, exactly."""
        return EXACT.subtract(self.account.new.price, self.account.old.price)


def show_tasks(call: PageCall[TasksArguments]) -> View:
    """Show tasks, the newest first."""
    query = call.arguments
    page = call.parts.storage.tasks.task_page(read_page(query), query.state, call.scopes)
    rows = [_row(call, *entry) for entry in page.entries]
    return View(
        {
            "rows": rows,
            "chosen": query,
            "selections": list(TaskSelection),
            "pager": build_pager(call, PATH, page.total, "task"),
        },
        Table("tasks", _COLUMNS, [_cells(row) for row in rows]),
    )


def show_task(call: PageCall[TaskArguments]) -> View:
    """Show a task and what it did to each period."""
    query, tasks = call.arguments, call.parts.storage.tasks
    try:
        row = _row(call, *tasks.task(query.task))
    except errors.OperatorError:
        raise not_found("Task", str(query.task)) from None
    records = tasks.periods(query.task)
    link = f"{PATH}/{query.task}"
    before, after = query.offset - _PERIODS, query.offset + _PERIODS
    return View(
        {
            "row": row,
            "records": [
                (
                    record,
                    _OUTCOMES[record.outcome],
                    call.link(
                        "/dashboard/costs",
                        scope=row.task.order.scope.id,
                        begin=record.begin,
                        end=record.begin + row.task.order.step,
                    ),
                )
                for record in records[query.offset : after]
            ],
            "total": len(records),
            "outcomes": [
                (words, row.account.periods.get(outcome, 0)) for outcome, words in _OUTCOMES.items()
            ],
            "previous": call.link(link, offset=max(0, before) or None) if query.offset else None,
            "next": call.link(link, offset=after) if after < len(records) else None,
            "list_link": call.link(PATH),
            "project_link": call.link("/dashboard/overview", scope=row.task.order.scope.id),
        },
        Table(
            f"task-{query.task}",
            ("begin", "outcome", "note", "frames", "new frames", "price", "new price", "at"),
            [
                (
                    record.begin, _OUTCOMES[record.outcome], record.note, record.old.points,
                    record.new.points, record.old.price, record.new.price, record.at,
                )
                for record in records
            ],
        ),
    )  # fmt: skip


def _row(call: PageCall[Any], task: Task, account: Account) -> TaskRow:
    failing = task.state is TaskState.QUEUED and task.failures
    return TaskRow(
        task,
        account,
        "failing" if failing else task.state.value,
        (task.order.end - task.order.begin) // task.order.step,
        sum(account.periods.values()),
        call.link(f"{PATH}/{task.id}"),
    )


def _cells(row: TaskRow) -> tuple[object, ...]:
    task, account = row.task, row.account
    return (
        task.id, task.order.scope.id, task.order.scope.name, task.order.kind, row.state,
        task.order.begin, task.order.end, row.periods, row.progress, account.old.price,
        account.new.price, row.difference, task.note.made_by, task.note.made_at, task.note.reason,
        task.last_error,
    )  # fmt: skip


PAGES = [
    Page(PATH, show_tasks, _RULE, "Tasks", "tasks.html", TasksArguments, Section.OPERATOR),
    Page(f"{PATH}/{{task}}", show_task, _RULE, "Task", "task.html", TaskArguments, None),
]

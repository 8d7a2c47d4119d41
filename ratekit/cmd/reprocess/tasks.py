"""ratekit reprocess list, show, cancel: the tasks and their progress."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells
from ratekit.cmd.output.table import Style
from ratekit.domain.exact import EXACT
from ratekit.domain.reprocessing.task import Account, PeriodOutcome, PeriodRecord, Task, TaskState
from ratekit.text import count_text, second_text, utc_text

#: The words for what became of a period; those of the help and of messages.
_OUTCOMES = {
    PeriodOutcome.SWAPPED: "changed",
    PeriodOutcome.SAME: "with equal totals",
    PeriodOutcome.KEPT: "left unchanged",
}


class ReprocessList(command_types.Listing):
    """List open tasks and their progress.

    A table lacks the columns Scope, Kind, Left unchanged and Reason unless --column names columns.
    """

    table_columns = ("Task", "Name", "Begin", "End", "State", "Periods", "Done", "Difference")
    style = Style(keys=2)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--all", action="store_true", help="list also tasks that have ended")
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the tasks, sorted by ID."""
        tasks = self.app.open_storage(self.app.load_conf()).tasks.tasks(parsed_args.all)
        self.empty_note = (
            "no tasks; ratekit reprocess queues them"
            if parsed_args.all
            else "no open tasks; --all lists those that have ended, too"
        )
        return (
            "Task", "Scope", "Name", "Begin", "End", "Kind", "State", "Periods", "Done",
            "Left unchanged", "Difference", "Reason",
        ), [
            (
                task.id,
                task.order.scope.id,
                cells.optional(task.order.scope.name),
                utc_text(task.order.begin),
                utc_text(task.order.end),
                task.order.kind.value,
                cells.optional(_state_text(task)),
                _period_count(task),
                sum(account.periods.values()),
                account.periods.get(PeriodOutcome.KEPT, 0),
                _difference(account),
                cells.optional(task.note.reason),
            )
            for task, account in tasks
        ]  # fmt: skip


class ReprocessShow(command_types.Showing):
    """Show a task and its result for each period.

    A table does not list periods whose totals did not change; it counts them.
    """

    arguments = " TASK"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        return _with_task(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the fields."""
        tasks = self.app.open_storage(self.app.load_conf()).tasks
        task, account = tasks.task(parsed_args.task)
        order, note = task.order, task.note
        fields = {
            "Task": task.id,
            "Scope": order.scope.id,
            "Name": cells.optional(order.scope.name),
            "Begin": utc_text(order.begin),
            "End": utc_text(order.end),
            "Kind": order.kind.value,
            "Accept silence": order.accept_silence,
            "Reason": cells.optional(note.reason),
            "Queued by": cells.optional(note.made_by),
            "Queued at": cells.instant(note.made_at),
            "State": cells.optional(task.state.value),
            "Ended at": cells.instant(task.ended_at),
            "Failures": task.failures,
            "Last error": cells.optional(task.last_error),
            "Retry at": cells.instant(task.retry_at),
            "Periods": _period_count(task),
            **{
                f"Periods {words}": account.periods.get(outcome, 0)
                for outcome, words in _OUTCOMES.items()
            },
            "Frames": account.old.points,
            "New frames": account.new.points,
            "Price": cells.amount(account.old.price),
            "New price": cells.amount(account.new.price),
            "Difference": _difference(account),
            "Results": _results(tasks.periods(task.id)),
        }
        return tuple(fields), tuple(fields.values())


class ReprocessCancel(command_types.Action):
    """Stop a task. Periods that it has already replaced stay replaced."""

    arguments = " TASK"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        return _with_task(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Make the change."""
        tasks = self.app.open_storage(self.app.load_conf()).tasks
        if not tasks.cancel(parsed_args.task, self.app.clock()):
            self.print_line(f"nothing to do: task {parsed_args.task} has ended")
            return 0
        task, account = tasks.task(parsed_args.task)
        finished = (
            f"{sum(account.periods.values()):,} of {count_text(_period_count(task), 'period')}"
        )
        self.print_line(f"task {task.id} is cancelled; it had finished {finished}")
        return 0


def _with_task(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("task", metavar="TASK", type=options.whole_number(1), help="task ID")
    return parser


def _state_text(task: Task) -> str:
    if task.state is not TaskState.QUEUED or not task.failures:
        return task.state.value
    retry = f", retry at {second_text(task.retry_at)}" if task.retry_at else ""
    return f"failing ({task.failures}): {task.last_error}{retry}"


def _period_count(task: Task) -> int:
    return (task.order.end - task.order.begin) // task.order.step


def _difference(account: Account) -> cells.Cell:
    return cells.amount(EXACT.subtract(account.new.price, account.old.price))


def _results(records: Sequence[PeriodRecord]) -> cells.Cell:
    """Show the periods without equal totals, a line each; to machines a list of all."""
    machine = [
        {
            "begin": utc_text(record.begin),
            "outcome": _OUTCOMES[record.outcome],
            "note": record.note,
            "frames": record.old.points,
            "new_frames": record.new.points,
            "price": cells.decimal_text(record.old.price),
            "new_price": cells.decimal_text(record.new.price),
            "at": second_text(record.at),
        }
        for record in records
    ]
    return cells.block(len(machine), _lines(records), machine)


def _lines(records: Sequence[PeriodRecord]) -> Iterator[str]:
    for record in records:
        begin = utc_text(record.begin)
        if record.outcome is PeriodOutcome.KEPT:
            yield f"{begin}: {_OUTCOMES[record.outcome]}: {record.note or ''}"
        elif record.outcome is PeriodOutcome.SWAPPED:
            old, new = map(cells.decimal_text, (record.old.price, record.new.price))
            frames = f"frames {record.old.points:,} to {record.new.points:,}"
            yield f"{begin}: price {old} to {new}, {frames}"

"""ratekit reprocess: what was queued, how far it has come, and what it changed."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ratekit.cmd import command_types
from ratekit.cmd.output import cells
from ratekit.domain.exact import EXACT
from ratekit.domain.reprocessing.task import Account, PeriodOutcome, PeriodRecord, Task, TaskState


class ReprocessList(command_types.Listing):
    """List tasks that are open, and how far they have come."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--all", action="store_true", help="list those that have ended as well")
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the tasks by id."""
        tasks = self.app.open_storage(self.app.load_conf()).tasks.tasks(parsed_args.all)
        return (
            "Task", "Scope", "Name", "Begin", "End", "Kind", "State", "Periods", "Done",
            "Kept", "Difference", "Reason",
        ), [
            (
                task.id,
                task.order.scope.id,
                cells.optional(task.order.scope.name),
                cells.instant_text(task.order.begin),
                cells.instant_text(task.order.end),
                task.order.kind.value,
                cells.optional(_state(task)),
                _periods(task),
                sum(account.periods.values()),
                account.periods.get(PeriodOutcome.KEPT, 0),
                _difference(account),
                cells.optional(task.note.reason),
            )
            for task, account in tasks
        ]  # fmt: skip


class ReprocessShow(command_types.Showing):
    """Show all that is known of a task, and what it did to each period.

    Periods with the same totals as before are counted, and listed for machines only.
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
            "Begin": cells.instant_text(order.begin),
            "End": cells.instant_text(order.end),
            "Kind": order.kind.value,
            "Accept silence": order.accept_silence,
            "Reason": cells.optional(note.reason),
            "Requested by": cells.optional(note.made_by),
            "Requested at": _instant(note.made_at),
            "State": cells.optional(task.state.value),
            "Ended at": _instant(task.ended_at),
            "Failures": task.failures,
            "Last error": cells.optional(task.last_error),
            "Retry at": _instant(task.retry_at),
            "Periods": _periods(task),
            **{
                f"Periods {outcome.value}": account.periods.get(outcome, 0)
                for outcome in PeriodOutcome
            },
            "Frames before": account.old.points,
            "Frames now": account.new.points,
            "Price before": cells.amount(account.old.price),
            "Price now": cells.amount(account.new.price),
            "Difference": _difference(account),
            "What was done": _done(tasks.periods(task.id)),
        }
        return tuple(fields), tuple(fields.values())


class ReprocessCancel(command_types.Action):
    """Have a task go no further. What it has swapped stays so."""

    arguments = " TASK"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        return _with_task(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Make the change."""
        tasks = self.app.open_storage(self.app.load_conf()).tasks
        if not tasks.cancel(parsed_args.task, self.app.clock()):
            self.say(f"nothing to do: task {parsed_args.task} has ended")
            return 0
        task, account = tasks.task(parsed_args.task)
        done = f"{sum(account.periods.values()):,} of {_periods(task):,} periods were dealt with"
        self.say(f"task {task.id} is cancelled; {done}")
        return 0


def _with_task(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("task", metavar="TASK", type=_number, help="number of the task")
    return parser


def _number(text: str) -> int:
    # More digits than a database has for it.
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise argparse.ArgumentTypeError(f"expected the number of a task, not {text!r}")
    return int(text)


def _state(task: Task) -> str:
    if task.state is not TaskState.QUEUED or not task.failures:
        return task.state.value
    retry = f", retry at {_text(task.retry_at)}" if task.retry_at else ""
    return f"failing ({task.failures}): {task.last_error}{retry}"


def _periods(task: Task) -> int:
    return (task.order.end - task.order.begin) // task.order.step


def _difference(account: Account) -> cells.Cell:
    return cells.amount(EXACT.subtract(account.new.price, account.old.price))


def _instant(instant: datetime.datetime | None) -> cells.Cell:
    return cells.optional(None if instant is None else _text(instant))


def _text(instant: datetime.datetime) -> str:
    return cells.instant_text(instant.replace(microsecond=0))


def _done(records: Sequence[PeriodRecord]) -> cells.Cell:
    """Show periods, a line each; to machines a list of objects."""
    machine = [
        {
            "begin": cells.instant_text(one.begin),
            "outcome": one.outcome.value,
            "note": one.note,
            "frames_before": one.old.points,
            "frames_now": one.new.points,
            "price_before": cells.decimal_text(one.old.price),
            "price_now": cells.decimal_text(one.new.price),
            "at": _text(one.at),
        }
        for one in records
    ]
    return cells.Cell(len(machine), "\n".join(_lines(records)), machine)


def _lines(records: Sequence[PeriodRecord]) -> Iterator[str]:
    for one in records:
        begin = cells.instant_text(one.begin)
        if one.outcome is PeriodOutcome.KEPT:
            yield f"{begin}: kept: {cells.printable(one.note or '')}"
        elif one.outcome is PeriodOutcome.SWAPPED:
            old, new = map(cells.decimal_text, (one.old.price, one.new.price))
            frames = f"frames {one.old.points:,} to {one.new.points:,}"
            yield f"{begin}: price {old} to {new}, {frames}"

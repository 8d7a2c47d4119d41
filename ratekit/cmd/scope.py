"""ratekit scope: who is rated, and how far."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from ratekit import errors
from ratekit.admin import scope
from ratekit.cmd import command_types, startup
from ratekit.cmd.output import cells, timeline
from ratekit.domain.reporting.reports import ResetPlan, StateRow
from ratekit.domain.reprocessing.task import Task
from ratekit.domain.schedule.calendar import Calendar, parse_instant
from ratekit.interfaces import Storage

#: More than a year of hours is a report's business.
_MOST_PERIODS = 10_000


class ScopeList(command_types.Listing):
    """List scopes and how far they have been rated.

    Lag is how long the newest period that is due has been waiting to be rated, 0 when none
    is; in seconds for machines.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--all", action="store_true", help="list those that are no longer rated as well"
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the scopes, by name and id."""
        from ratekit import composition

        conf = self.app.load_conf()
        calendar = composition.build_calendar(conf)
        now = self.app.clock()
        rows = self.app.open_storage(conf).reports.scopes()
        return (
            ("Scope", "Name", "Rated until", "Lag", "State"),
            [
                (
                    row.id,
                    cells.optional(row.name),
                    cells.instant_text(row.rated_until),
                    cells.duration(scope.lag(row, calendar, now)),
                    cells.optional(_state(row)),
                )
                for row in rows
                if row.active or row.deactivated_at is not None or parsed_args.all
            ],
        )


class ScopeShow(command_types.Showing):
    """Show all that is known of a scope, and what it was charged this month (UTC).

    Its last periods show, a line a metric, how many usages were rated in each, or why none.
    """

    arguments = " SCOPE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = _with_scope(super().get_parser(prog_name))
        parser.add_argument(
            "--periods",
            metavar="N",
            type=_periods,
            default=24,
            help=f"how many periods are shown, 1 to {_MOST_PERIODS}; default: 24",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the fields."""
        storage, row, calendar = _chosen(self, parsed_args)
        now = self.app.clock()
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        charged = scope.charged(storage.reports, row, month)
        window = scope.recent(row, calendar, now, parsed_args.periods)
        covered = scope.covered(storage.reports, row, window)
        fields = {
            "Scope": row.id,
            "Name": cells.optional(row.name),
            "State": cells.optional(_kind(row)),
            "Rated until": cells.instant_text(row.rated_until),
            "Lag": cells.duration(scope.lag(row, calendar, now)),
            "Failures": row.failures,
            "Last error": cells.optional(row.last_error),
            "Retry at": _instant(row.retry_at),
            "Deactivated since": _instant(row.deactivated_at),
            "Last seen": _instant(row.last_seen),
            "Fetcher": row.fetcher,
            "Collector": row.collector,
            "Frames this month": charged.frames,
            "Price this month": cells.amount(charged.price),
            "Last periods": timeline.timeline(window, covered.cells),
            "Gaps in them": timeline.gaps(covered.gaps, window.step),
            "Left out of them": timeline.left_out(covered.exclusions),
        }
        return tuple(fields), tuple(fields.values())


class ScopeDeactivate(command_types.Action):
    """Rate a scope no more, whatever the fetcher lists, until it is activated.

    What processors are rating of it at this moment is not written.
    """

    arguments = " SCOPE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        return _with_scope(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Make the change."""
        storage, row, _ = _chosen(self, parsed_args)
        changed = storage.scopes.deactivate(row.id, self.app.clock())
        self.say(
            f"{_called(row)} is not rated any more"
            if changed
            else f"nothing to do: {_called(row)} is deactivated already"
        )
        return 0


class ScopeActivate(command_types.Action):
    """Rate a scope again that was deactivated.

    From where it stopped, so that nothing is missing, or from a later time on; then what
    lies between is not charged. Its failures are forgotten.
    """

    arguments = " SCOPE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = _with_scope(super().get_parser(prog_name))
        parser.add_argument(
            "--from",
            dest="start",
            metavar="TIME",
            help="where to resume, ISO 8601, in UTC unless it says another zone; by default "
            "where it stopped",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Make the change."""
        start = _parsed("--from", parsed_args.start) if parsed_args.start is not None else None
        storage, row, calendar = _chosen(self, parsed_args)
        changed = scope.activate(storage.scopes, row, calendar, start, self.app.clock())
        if not changed:
            self.say(f"nothing to do: {_called(row)} is not deactivated")
            return 0
        resumed = cells.instant_text(start or row.rated_until)
        self.say(f"{_called(row)} is rated again, from {resumed} on")
        if not row.active:
            self.app.note("the fetcher does not list it, so it is rated when it does")
        return 0


class ScopeReset(command_types.Action):
    """Remove what a scope was charged since a time, to be rated again from there.

    With the price rules that were in force. What was not rated since the scope was not
    listed, or was activated from a later time on, is left out again.
    """

    arguments = " --to TIME SCOPE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = _with_scope(super().get_parser(prog_name))
        parser.add_argument(
            "--to",
            required=True,
            metavar="TIME",
            help="begin of the first period that is rated again, ISO 8601, in UTC unless it "
            "says another zone",
        )
        parser.add_argument(
            "--gaps", action="store_true", help="rate what was left out as well, from there on"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Plan, show, ask, and make the change."""
        since = _parsed("--to", parsed_args.to)
        storage, row, calendar = _chosen(self, parsed_args)
        plan = scope.plan_reset(storage.scopes, row, calendar, since)
        if plan.since == plan.rated_until and not parsed_args.gaps:
            self.say(f"nothing to do: {_called(row)} is rated until then")
            return 0
        self.say(f"{_called(row)}: {_removed(plan)}")
        if plan.rated_since is not None and since < plan.rated_since:
            first = cells.instant_text(plan.rated_since)
            self.say(f"its first period begins at {first}: what is before that is charged anew")
        for task in scope.reaching(storage.tasks, row, since):
            self.say(_left(task, since))
        if not parsed_args.yes and not self.confirmed("Remove them, to be rated again?"):
            self.say("nothing was changed")
            return startup.FAILED
        storage.scopes.reset(plan, gaps=parsed_args.gaps)
        done = f"done: it is rated again from {cells.instant_text(since)} on"
        if row.deactivated_at is None:
            self.say(f"{done}, in the processor's next cycle")
        else:
            self.say(done)
            self.app.note("it is deactivated, so it is rated when it is activated")
        return 0


def _periods(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0
    if not 1 <= number <= _MOST_PERIODS:
        raise argparse.ArgumentTypeError(
            f"expected a whole number of 1 to {_MOST_PERIODS}, not {text!r}"
        )
    return number


def _with_scope(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("scope", metavar="SCOPE", help="id or name")
    return parser


def _chosen(
    command: command_types.Action | command_types.Showing, parsed_args: argparse.Namespace
) -> tuple[Storage, StateRow, Calendar]:
    """Return the storage, the scope that was named, and the grid of periods."""
    from ratekit import composition

    conf = command.app.load_conf()
    storage = command.app.open_storage(conf)
    row = scope.find(storage.reports.scopes(), parsed_args.scope)
    return storage, row, composition.build_calendar(conf)


def _parsed(option: str, text: str) -> datetime.datetime:
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise errors.OperatorError(
            f"{option}: expected a date or time such as 2026-01-31 or 2026-01-31T12:00, "
            f"not {text!r}"
        ) from None


def _called(row: StateRow) -> str:
    name = f" ({cells.printable(row.name)})" if row.name else ""
    return f"scope {cells.printable(row.id)}{name}"


def _removed(plan: ResetPlan) -> str:
    begin, end = map(cells.instant_text, (plan.since, plan.rated_until))
    frames = f"{plan.frames:,} frame{'' if plan.frames == 1 else 's'}"
    return f"{frames} of {begin} to {end}, price {cells.decimal_text(plan.price)}"


def _left(task: Task, since: datetime.datetime) -> str:
    """Tell what becomes of an open task when its scope is reset."""
    order = task.order
    begin, end = map(cells.instant_text, (order.begin, order.end))
    rest = cells.instant_text(max(since, task.next_begin))
    return (
        f"task {task.id} is open over {begin} to {end}: what it still has to do from {rest} on is "
        "left to rating"
    )


def _instant(instant: datetime.datetime | None) -> cells.Cell:
    return cells.optional(None if instant is None else _text(instant))


def _text(instant: datetime.datetime) -> str:
    return cells.instant_text(instant.replace(microsecond=0))


def _kind(row: StateRow) -> str:
    if row.deactivated_at is not None:
        return "deactivated"
    if not row.active:
        return "inactive"
    return "failing" if row.failures else "active"


def _state(row: StateRow) -> str:
    kind = _kind(row)
    if row.deactivated_at is not None:
        return f"{kind} since {_text(row.deactivated_at)}"
    if kind != "failing":
        return kind
    text = f"{kind} ({row.failures}): {row.last_error or 'unknown error'}"
    return text + (f", retry at {_text(row.retry_at)}" if row.retry_at else "")

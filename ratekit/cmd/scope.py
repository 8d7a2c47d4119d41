"""ratekit scope: list, show, deactivate, activate and reset scopes."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ratekit.admin import lag
from ratekit.admin import scope as scope_admin
from ratekit.cmd import command_types, instants, options, startup
from ratekit.cmd.output import cells, timeline
from ratekit.domain.reporting.reports import ALL_SCOPES, ResetPlan, StateRow
from ratekit.domain.reporting.scope_report import ScopeReport
from ratekit.domain.reprocessing.task import Task
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from ratekit.text import count_text, second_text, utc_text

#: More than a year of hours is a case for ``ratekit summary``.
_MAX_PERIODS = 10_000


class ScopeList(command_types.Listing):
    """List scopes and until when they have been rated.

    Lag is the time between Rated until and the end of the newest period that is due; 0: all
    is rated. A scope that the fetcher no longer lists is due up to when it was last listed.
    In seconds, except in a table.
    """

    has_ids = True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--all", action="store_true", help="list also scopes that are no longer rated"
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the scopes, sorted by name and ID."""
        rows, lags = self._read_scopes()
        self.empty_note = _empty_note(len(rows))
        return (
            ("Scope", "Name", "Rated until", "Lag", "State"),
            [
                (
                    row.id,
                    cells.optional(row.name),
                    utc_text(row.rated_until),
                    cells.duration(lags.get(row.id)),
                    cells.optional(_state_text(row)),
                )
                for row in rows
                if row.active or row.deactivated_at is not None or parsed_args.all
            ],
        )

    def _read_scopes(self) -> tuple[Sequence[StateRow], Mapping[str, datetime.timedelta]]:
        """Return all scopes, and how far those that are rated are behind, by ID."""
        client = self.app.connect()
        if client is not None:
            from ratekit.remote.scopes import list_scopes

            return list_scopes(client)
        from ratekit.conf import collect

        conf = self.app.load_conf()
        rows = self.app.open_storage(conf).reports.scopes(ALL_SCOPES)
        return rows, lag.read_lags(rows, collect.build_calendar(conf), self.app.clock())


def _empty_note(hidden: int) -> str:
    if not hidden:
        return "no scopes yet; ratekit-processor adds those that the fetcher returns"
    scopes, pronoun = count_text(hidden, "scope is", "scopes are"), "it" if hidden == 1 else "them"
    return f"{scopes} no longer rated; --all lists {pronoun}, too"


class ScopeShow(command_types.Showing):
    """Show a scope, its recent periods, and its charges of this month (UTC).

    Last periods has a line for each metric with the number of rated usages in each period, or
    a sign for why there are none.
    """

    arguments = " SCOPE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = _with_scope(super().get_parser(prog_name))
        parser.add_argument(
            "--periods",
            metavar="N",
            type=options.whole_number(1, _MAX_PERIODS),
            default=24,
            help=f"number of periods to show, 1 to {_MAX_PERIODS}; default: 24",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the fields."""
        report = self._read_report(parsed_args)
        row, charges, coverage = report.row, report.charges, report.coverage
        places = self.app.load_conf().rating.decimals
        fields = {
            "Scope": row.id,
            "Name": cells.optional(row.name),
            "State": cells.optional(_state(row)),
            "Rated until": utc_text(row.rated_until),
            "Lag": cells.duration(report.lag),
            "Failures": row.failures,
            "Last error": cells.optional(row.last_error),
            "Retry at": cells.instant(row.retry_at),
            "Deactivated since": cells.instant(row.deactivated_at),
            "Last seen": cells.instant(row.last_seen),
            "Fetcher": row.fetcher,
            "Collector": row.collector,
            "Frames this month": charges.frames,
            "Price this month": cells.price(charges.price, places),
            "Last periods": timeline.timeline(report.window, coverage.cells),
            "Gaps": timeline.gaps(coverage.gaps, report.window.step),
            "Exclusions": timeline.exclusions(coverage.exclusions),
        }
        return tuple(fields), tuple(fields.values())

    def _read_report(self, parsed_args: argparse.Namespace) -> ScopeReport:
        client = self.app.connect()
        if client is not None:
            from ratekit.remote.scopes import list_scopes, read_report

            rows, _ = list_scopes(client)
            return read_report(
                client, scope_admin.find(rows, parsed_args.scope).id, parsed_args.periods
            )
        from ratekit.conf import collect

        conf = self.app.load_conf()
        reports = self.app.open_storage(conf).reports
        rows = reports.scopes(ALL_SCOPES)
        row = scope_admin.find(rows, parsed_args.scope)
        calendar = collect.build_calendar(conf)
        return scope_admin.read_report(
            reports, row, rows, calendar, self.app.clock(), parsed_args.periods
        )


class ScopeDeactivate(command_types.Action):
    """Stop rating a scope until it is activated, even if the fetcher returns it.

    If a processor is rating the scope at this moment, its result is not stored.
    """

    arguments = " SCOPE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        return _with_scope(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Make the change."""
        storage, row, _ = _find(self, parsed_args, self.app.load_conf())
        changed = storage.scopes.deactivate(row.id, self.app.clock())
        self.print_line(
            f"{_title(row)} is no longer rated"
            if changed
            else f"nothing to do: {_title(row)} is already deactivated"
        )
        return 0


class ScopeActivate(command_types.Action):
    """Resume rating a deactivated scope.

    By default from where rating stopped, so that nothing is missing. With --from the time in
    between is not charged. The failure count is reset.
    """

    arguments = " SCOPE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = _with_scope(super().get_parser(prog_name))
        parser.add_argument(
            "--from",
            dest="start",
            metavar="TIME",
            help=f"where to resume, {instants.TIME}; default: where rating stopped",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Make the change."""
        start = None
        if parsed_args.start is not None:
            start = instants.read_instant("--from", parsed_args.start, self.app.clock())
        storage, row, calendar = _find(self, parsed_args, self.app.load_conf())
        changed = scope_admin.activate(storage.scopes, row, calendar, start, self.app.clock())
        if not changed:
            self.print_line(f"nothing to do: {_title(row)} is not deactivated")
            return 0
        self.print_line(f"{_title(row)} is rated again from {utc_text(start or row.rated_until)}")
        if not row.active:
            self.app.note("the fetcher does not return this scope; rating resumes when it does")
        return 0


class ScopeReset(command_types.Action):
    """Remove the charges of a scope since a time, so that it is rated again from there.

    Each period is priced by the rules that were in force then. Gaps are left out again: the
    periods in which the fetcher did not return the scope, or which activate --from skipped.
    """

    arguments = " --to TIME SCOPE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = _with_scope(super().get_parser(prog_name))
        parser.add_argument(
            "--to",
            required=True,
            metavar="TIME",
            help=f"start of the first period to rate again, {instants.TIME}",
        )
        parser.add_argument("--gaps", action="store_true", help="rate also the gaps since then")
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Plan, show, ask, and make the change."""
        since = instants.read_instant("--to", parsed_args.to, self.app.clock())
        storage, row, calendar = _find(self, parsed_args, self.app.load_conf())
        plan = scope_admin.plan_reset(storage.scopes, row, calendar, since)
        if plan.since == plan.rated_until and not parsed_args.gaps:
            self.print_line(f"nothing to do: {_title(row)} is rated until then")
            return 0
        self.print_line(f"{_title(row)}: {_removal(plan)}")
        if plan.rated_since is not None and since < plan.rated_since:
            self.print_line(
                f"the first rated period starts at {utc_text(plan.rated_since)}: earlier periods "
                "will be charged for the first time"
            )
        for task in scope_admin.find_overlapping_tasks(storage.tasks, row, since):
            self.print_line(_task_warning(task, since))
        if not parsed_args.yes and not self.confirm("Remove these frames and rate them again?"):
            self.print_line("nothing was changed")
            return startup.FAILED
        storage.scopes.reset(plan, gaps=parsed_args.gaps)
        message = f"done: the scope is rated again from {utc_text(since)}"
        if row.deactivated_at is None:
            self.print_line(f"{message}, in the next cycle of the processor")
        else:
            self.print_line(message)
            self.app.note("the scope is deactivated; it is rated again once it is activated")
        return 0


def _with_scope(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("scope", metavar="SCOPE", help="ID or name")
    return parser


def _find(
    command: command_types.Action | command_types.Showing,
    parsed_args: argparse.Namespace,
    conf: Any,
) -> tuple[Storage, StateRow, Calendar]:
    """Return the storage, the scope that the command names, and the grid of periods."""
    from ratekit.conf import collect

    storage = command.app.open_storage(conf)
    row = scope_admin.find(storage.reports.scopes(ALL_SCOPES), parsed_args.scope)
    return storage, row, collect.build_calendar(conf)


def _title(row: StateRow) -> str:
    name = f" ({row.name})" if row.name else ""
    return f"scope {row.id}{name}"


def _removal(plan: ResetPlan) -> str:
    frames = count_text(plan.frames, "frame")
    price = cells.decimal_text(plan.price)
    return f"{frames} from {utc_text(plan.since)} to {utc_text(plan.rated_until)}, price {price}"


def _task_warning(task: Task, since: datetime.datetime) -> str:
    """Return what a reset means for an open task of the scope."""
    order = task.order
    return (
        f"task {task.id} is open for {utc_text(order.begin)} to {utc_text(order.end)}: its "
        f"periods from {utc_text(max(since, task.next_begin))} will be rated instead of "
        "reprocessed"
    )


def _state(row: StateRow) -> str:
    if row.deactivated_at is not None:
        return "deactivated"
    if not row.active:
        return "inactive"
    return "failing" if row.failures else "active"


def _state_text(row: StateRow) -> str:
    state = _state(row)
    if row.deactivated_at is not None:
        return f"{state} since {second_text(row.deactivated_at)}"
    if state != "failing":
        return state
    text = f"{state} ({row.failures}): {row.last_error or 'unknown error'}"
    return text + (f", retry at {second_text(row.retry_at)}" if row.retry_at else "")

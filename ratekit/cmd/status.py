"""ratekit status: is everything rated, until when, and what is late or failing?"""

from __future__ import annotations

import argparse
import functools
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ratekit import errors
from ratekit.cmd import command_types, startup
from ratekit.cmd.output import cells, prometheus, status_gauges
from ratekit.domain.reporting.status import Issue, ProcessorStatus, Status, Verdict
from ratekit.text import count_text, second_text, utc_text

#: Seconds to wait for the coordination service.
_GROUP_SECONDS = 5.0
_VERDICTS = {
    Verdict.WELL: "well: all that is due is rated",
    Verdict.FAILING: "late or failing",
    Verdict.UNKNOWN: "cannot tell: no scope has been listed yet; start ratekit-processor",
}


class StatusShow(command_types.Showing):
    """Tell whether everything is rated, what is late or failing, why, and what to do.

    Needs the database only; names the group of daemons, too, if the coordination service
    answers. Exit codes: 0 well, 1 late or failing, 2 cannot tell.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--prometheus",
            metavar="FILE",
            help="write the result to a file for the textfile collector of node_exporter, such "
            "as /var/lib/node_exporter/ratekit.prom, and print nothing",
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Show the state, or write it to a file; return the verdict."""
        try:
            status = self._read()
        except errors.RatekitError as error:
            if parsed_args.prometheus is not None:
                prometheus.write(
                    parsed_args.prometheus, status_gauges.build_unknown(self.app.clock())
                )
            startup.complain(self.app.NAME, error)
            return Verdict.UNKNOWN
        if parsed_args.prometheus is not None:
            prometheus.write(parsed_args.prometheus, status_gauges.build(status, self.app.clock()))
            return status.verdict
        self._status = status
        super().run(parsed_args)
        return status.verdict

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the fields."""
        status = self._status
        fields = {
            "Verdict": cells.Cell(0, _VERDICTS[status.verdict], status.verdict.name.lower()),
            "Rated until": cells.instant(status.rated_until),
            "Due until": utc_text(status.due_until),
            "Lag": cells.duration(status.lag),
            "Scopes": cells.Cell(0, _count_text(status.scopes), dict(status.scopes)),
            "Problems": _issues(status.problems),
            "Notes": _issues(status.notes),
            "Open tasks": status.tasks,
            "Processors": _processors(status.processors),
        }
        group = self._read_group()
        if group is not None:
            fields["Group"] = group
        return tuple(fields), tuple(fields.values())

    def _read_group(self) -> cells.Cell | None:
        """Return the daemons that share the scopes; None: there is no coordination service."""
        url = self._conf.orchestrator.coordination_url
        if not url:
            return None
        from ratekit.coordination.service_url import ServiceUrl

        try:
            service = ServiceUrl.parse(url)
            if service.missing_package is not None:
                return _group([f"cannot tell: {service.scheme} needs {service.missing_package}"])
            # tooz imports eventlet where it is installed, which warns of itself.
            with warnings.catch_warnings(record=True):
                from ratekit.coordination.lookup import look_up

            members = look_up(service, _GROUP_SECONDS)
        except errors.RatekitError as error:
            return _group([f"cannot tell: {error}"])
        return _group(
            [
                f"{name}: {count_text(workers, 'worker')}"
                for name, workers in sorted(members.items())
            ],
            members,
        )

    def _read(self) -> Status:
        from ratekit import composition
        from ratekit.admin import status as status_admin
        from ratekit.conf import collect

        self._conf = conf = self.app.load_conf()
        return status_admin.read(
            self.app.open_storage(conf),
            collect.build_calendar(conf),
            functools.partial(composition.build_price_list, conf),
            composition.requires_rules(conf),
            self.app.clock(),
        )


def _count_text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in counts.items() if count) or "none"


def _issues(issues: Sequence[Issue]) -> cells.Cell:
    """Show a line for each issue; to machines a list of objects."""
    machine = [
        {
            "kind": issue.kind.value,
            "count": issue.count,
            "subject": issue.subject,
            "reason": issue.reason,
            "since": None if issue.since is None else second_text(issue.since),
            "remedy": issue.remedy,
        }
        for issue in issues
    ]
    return cells.block(len(machine), map(_issue_line, issues), machine)


def _issue_line(issue: Issue) -> str:
    since = "" if issue.since is None else f", since {second_text(issue.since)}"
    remedy = f"; {issue.remedy}" if issue.remedy else ""
    return f"{issue.kind.value}: {issue.subject}{since}: {issue.reason}{remedy}"


def _group(lines: Sequence[str], members: Mapping[str, int] | None = None) -> cells.Cell:
    """Show the members of the group; to machines a list of objects, or null."""
    machine = None
    if members is not None:
        machine = [{"name": name, "workers": members[name]} for name in sorted(members)]
    return cells.block(len(members or ()), lines or ["no daemon is in it"], machine)


def _processors(processors: Sequence[ProcessorStatus]) -> cells.Cell:
    machine = [
        {
            "name": status.record.name,
            "state": status.state.value,
            "started_at": second_text(status.record.started_at),
            "seen_at": second_text(status.record.seen_at),
            "next_cycle": status.record.next_cycle and second_text(status.record.next_cycle),
        }
        for status in processors
    ]
    lines = list(_processor_lines(processors)) or ["none is running"]
    return cells.block(len(machine), lines, machine)


def _processor_lines(processors: Sequence[ProcessorStatus]) -> Iterator[str]:
    for status in processors:
        record = status.record
        line = f"{record.name}: {status.state.value}, seen {second_text(record.seen_at)}"
        if record.next_cycle is not None:
            line += f", next cycle {second_text(record.next_cycle)}"
        yield line

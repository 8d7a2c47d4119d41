"""ratekit metric: list, check and sample the metrics of metrics.yml."""

from __future__ import annotations

import argparse
import contextlib
import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ratekit import errors
from ratekit.admin import metric as metric_admin
from ratekit.admin import number_words
from ratekit.admin import scope as scope_admin
from ratekit.cmd import command_types, instants, options, startup
from ratekit.cmd.output import cells
from ratekit.domain.reporting.findings import Severity
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.trace import TraceStep
from ratekit.text import count_text, utc_text

if TYPE_CHECKING:
    from ratekit.cmd.ratekit import Ratekit

#: How many values a table shows one by one; of more it shows the number.
_VALUE_LIMIT = 4


class MetricList(command_types.Listing):
    """List the metrics: a line for each definition in metrics.yml.

    Does not contact the metering back end; metric check does. Needs no configuration file.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        return _with_file(super().get_parser(prog_name))

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the metrics in the file's order."""
        from ratekit import composition

        conf = self.app.load_conf(optional=True)
        metrics, collector = composition.read_metrics(conf, parsed_args.file, offline=True)
        return (
            ("Metric", "Name", "Unit", "Reads", "Conversion", "Labels", "Description"),
            [
                (
                    metric.public_name,
                    metric.name,
                    metric.unit,
                    _labels(metric_admin.describe(metric, collector), parsed_args.formatter),
                    metric_admin.conversion(metric),
                    ", ".join((*metric.groupby, *metric.metadata)),
                    cells.optional(metric.description),
                )
                for metric in metrics
            ],
        )


class MetricCheck(command_types.Listing):
    """Check metrics.yml for mistakes, and compare each metric with the metering back end.

    A table has a line for each problem; other formats have all checks. Exit code: 0 everything
    can be rated; 1 something cannot; 2 the file is wrong.
    """

    _exit_code = 0
    _summary = ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = _with_file(super().get_parser(prog_name))
        parser.add_argument(
            "--offline",
            action="store_true",
            help="check the file only; needs neither credentials nor a configuration file",
        )
        rows = parser.add_mutually_exclusive_group()
        rows.add_argument("--all", action="store_true", help="show every check; default with -f")
        rows.add_argument(
            "--problems", action="store_true", help="show only problems; default in a table"
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return the exit code: cliff returns 0 for every list."""
        return super().run(parsed_args) or self._exit_code

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the findings of each metric, then those of the back end as a whole."""
        from ratekit import composition

        conf = self.app.load_conf(optional=parsed_args.offline)
        metrics, collector = composition.read_metrics(conf, parsed_args.file, parsed_args.offline)
        columns = ("Metric", "Check", "Verdict", "Detail", "Remedy")
        if parsed_args.offline:
            self._summary = f"{count_text(len(metrics), 'metric')}, no mistakes"
            return columns, ()
        entries = metric_admin.check(metrics, collector)
        if not entries:
            self._summary = (
                f"{count_text(len(metrics), 'metric')}, no mistakes; this collector cannot compare "
                "them with its back end"
            )
        problems = [entry for entry in entries if entry.finding.verdict is not Severity.OK]
        if any(entry.finding.verdict is Severity.ERROR for entry in problems):
            self._exit_code = startup.FAILED
        shows_all = parsed_args.all or (
            parsed_args.formatter != "table" and not parsed_args.problems
        )
        if entries and not shows_all:
            self.footer = [_ok_text(len(entries) - len(problems), len(metrics))]
        return columns, [
            (
                cells.optional(entry.metric),
                entry.finding.check,
                entry.finding.verdict.value,
                entry.finding.detail,
                entry.finding.remedy,
            )
            for entry in (entries if shows_all else problems)
        ]

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Print the findings; without findings, people get one line instead."""
        if self._summary and parsed_args.formatter == "table":
            self.app.stdout.write(f"{self._summary}\n")
            return 0
        if parsed_args.formatter != "table":
            self.empty_note = self._summary or "no problems"
        return super().produce_output(parsed_args, column_names, data)


class MetricSample(command_types.Listing):
    """Show the quantities of a metric in one period and their calculation. Writes nothing.

    A line for each resource and set of labels. Reducer turns Values into Value; Value is
    converted, then multiplied by Share (part of the period, or of what several labels share).
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.usage = "%(prog)s [options] NAME"
        parser.add_argument("name", metavar="NAME", help="public name of the metric")
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            metavar="SCOPE",
            help="only this scope, by ID or name; may be repeated; default: all scopes of the "
            "fetcher",
        )
        parser.add_argument(
            "--period",
            metavar="TIME",
            help=f"start of the period, {instants.TIME}; default: the newest period that is due",
        )
        parser.add_argument(
            "--records-until",
            metavar="TIME",
            help="count records about resources that were made before this time, as ratekit "
            f"reprocess at that time did, {instants.TIME}; default: only those that were made "
            "before the period became due, as live rating does",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the steps, sorted by scope."""
        from ratekit import composition
        from ratekit.conf import collect

        begin, until = (
            None if text is None else instants.read_instant(option, text, self.app.clock())
            for option, text in (
                ("--period", parsed_args.period),
                ("--records-until", parsed_args.records_until),
            )
        )
        conf = self.app.load_conf()
        metrics, collector = composition.read_metrics(conf)
        metric = metric_admin.find(metrics, parsed_args.name)
        calendar = collect.build_calendar(conf)
        window = metric_admin.sample_period(calendar, begin, self.app.clock())
        scopes = _find_scopes(self.app, conf, parsed_args.scope)
        steps = list(metric_admin.sample(metric, collector, window, scopes, until))
        self.app.note(_title(metric, window.begin, scopes, steps))
        description = metric_admin.describe(metric, collector)
        return (
            "Scope", "Labels", "Values", "Reducer", "Value", "Conversion", "Share", "Quantity",
            "Unit",
        ), [
            (
                step.scope,
                _labels({**step.metadata, **step.groupby}, parsed_args.formatter),
                _values(step, parsed_args.formatter),
                description.get("re_aggregation_method", ""),
                number_words.ratio_text(step.trace.value),
                metric_admin.conversion(metric),
                number_words.ratio_text(step.trace.share),
                cells.amount(step.trace.quantity),
                metric.unit,
            )
            for step in steps
        ]  # fmt: skip


def _ok_text(checks: int, metrics: int) -> str:
    verb = "is" if checks == 1 else "are"
    subject = f"{count_text(checks, 'check')} of {count_text(metrics, 'metric')}"
    return f"{subject} {verb} OK; --all lists every check"


def _find_scopes(app: Ratekit, conf: Any, words: Sequence[str]) -> Sequence[str]:
    """Return the IDs of the scopes that ``--scope`` names; without words those of the fetcher.

    The fetcher is asked for scopes that are not stored: a metric can be sampled before the first
    rating.
    """
    from ratekit import composition

    candidates: list[scope_admin.Named] = []
    if words:
        # Without a database there are no stored scopes.
        with contextlib.suppress(errors.RatekitError):
            candidates += app.open_storage(conf).reports.scopes(ALL_SCOPES)
    names = {text for scope in candidates for text in (scope.id, scope.name)}
    if not words or not names.issuperset(words):
        ids = {scope.id for scope in candidates}
        scopes = composition.build_fetcher(conf).scopes()
        candidates += [scope for scope in scopes if scope.id not in ids]
    if not words:
        return [scope.id for scope in candidates]
    return list(dict.fromkeys(options.find_scope(candidates, word).id for word in words))


def _with_file(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.usage = "%(prog)s [options] [FILE]"
    parser.add_argument("file", metavar="FILE", nargs="?", help="default: [collect] metrics_conf")
    return parser


def _title(
    metric: Metric, begin: datetime.datetime, scopes: Collection[str], steps: Sequence[TraceStep]
) -> str:
    title = f"{metric.public_name}, period starting at {utc_text(begin)}"
    if steps:
        return f"{title}; nothing is stored"
    return f"{title}: no usage of {count_text(len(scopes), 'scope')}"


def _labels(labels: Mapping[str, str | None], formatter: str) -> Any:
    """Return labels as an object if the format has them, else as text."""
    return dict(labels) if formatter in ("json", "yaml") else cells.label_text(labels)


def _values(step: TraceStep, formatter: str) -> Any:
    """Return all values; in a table their number if there are many."""
    values = step.trace.values
    if formatter in ("json", "yaml"):
        return [cells.decimal_text(value) for value in values]
    return number_words.value_text(values, _VALUE_LIMIT if formatter == "table" else len(values))

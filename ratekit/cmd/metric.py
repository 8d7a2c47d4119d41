"""ratekit metric: what is rated, whether it can be, and what it would yield."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ratekit import errors
from ratekit.admin import metric as metric_admin
from ratekit.cmd import command_types, startup
from ratekit.cmd.output import cells
from ratekit.domain.reporting.findings import Severity
from ratekit.domain.schedule.calendar import parse_instant
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.trace import TraceStep
from ratekit.interfaces import Collector

#: Values that people are shown one by one; of more they are told the number.
_INLINE = 4


class MetricList(command_types.Listing):
    """List what is rated: a line for each definition in metrics.yml.

    Asks nobody: names are not compared with what there is; metric check does that.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        return _with_file(super().get_parser(prog_name))

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the metrics in the file's order."""
        conf = self.app.load_conf()
        metrics, collector = _loaded(conf, parsed_args.file, offline=True)
        return (
            ("Metric", "Name", "Unit", "Reads", "Conversion", "Labels", "Description"),
            [
                (
                    metric.public_name,
                    metric.name,
                    metric.unit,
                    _pairs(metric_admin.describe(metric, collector), parsed_args.formatter),
                    metric_admin.conversion(metric),
                    ", ".join((*metric.groupby, *metric.metadata)),
                    cells.optional(metric.description),
                )
                for metric in metrics
            ],
        )


class MetricCheck(command_types.Listing):
    """Look for mistakes in metrics.yml, and hold each metric against the back end.

    Ends with 0 when nothing would be left unrated, with 1 when something would, and with 2
    when the file itself is wrong.
    """

    _code = 0
    _sound = ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = _with_file(super().get_parser(prog_name))
        parser.add_argument(
            "--offline", action="store_true", help="look at the file only; needs no credentials"
        )
        parser.add_argument("--problems", action="store_true", help="hide what is well")
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return how it ended: cliff takes every listing for a success."""
        return super().run(parsed_args) or self._code

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return what was found, metric by metric, and of the back end as a whole."""
        conf = self.app.load_conf()
        metrics, collector = _loaded(conf, parsed_args.file, parsed_args.offline)
        columns = ("Metric", "Check", "Verdict", "Detail", "Remedy")
        if parsed_args.offline:
            count = f"{len(metrics)} metric{'' if len(metrics) == 1 else 's'}"
            self._sound = f"{count}, no mistake"
            return columns, ()
        found = metric_admin.check(metrics, collector)
        if any(one.finding.verdict is Severity.ERROR for one in found):
            self._code = startup.FAILED
        return columns, [
            (
                cells.optional(one.metric),
                one.finding.what,
                one.finding.verdict.value,
                cells.printable(one.finding.detail),
                one.finding.remedy,
            )
            for one in found
            if one.finding.verdict is not Severity.OK or not parsed_args.problems
        ]

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Print the findings; where there can be none, people are told so in a line."""
        if self._sound and parsed_args.formatter == "table":
            self.app.stdout.write(f"{self._sound}\n")
            return 0
        return super().produce_output(parsed_args, column_names, data)


class MetricSample(command_types.Listing):
    """Show what one period of a metric would yield, and how. Rates and writes nothing.

    A line for each resource and set of labels: Values, reduced to Value by Reducer, then
    converted, times Share (of the period, or of what several labels share), is Quantity.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.usage = "%(prog)s [options] NAME"
        parser.add_argument("name", metavar="NAME", help="the metric's public name")
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            metavar="ID",
            help="id of a scope, may be repeated; by default all that the fetcher lists",
        )
        parser.add_argument(
            "--period",
            metavar="BEGIN",
            help="begin of the period, ISO 8601, in UTC unless it says another zone; by default "
            "that of the newest that is due",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the steps by scope."""
        from ratekit import composition

        begin = _instant(parsed_args.period)
        conf = self.app.load_conf()
        metrics, collector = _loaded(conf, None)
        metric = metric_admin.find(metrics, parsed_args.name)
        calendar = composition.build_calendar(conf)
        window = metric_admin.sampled_period(calendar, begin, self.app.clock())
        scopes = parsed_args.scope or [one.id for one in composition.build_fetcher(conf).scopes()]
        steps = list(metric_admin.sample(metric, collector, window, scopes))
        self.app.note(_told(metric, window.begin, scopes, steps))
        reads = metric_admin.describe(metric, collector)
        return (
            "Scope", "Labels", "Values", "Reducer", "Value", "Conversion", "Share", "Quantity",
            "Unit",
        ), [
            (
                step.scope,
                _pairs({**step.metadata, **step.groupby}, parsed_args.formatter),
                _values(step, parsed_args.formatter),
                reads.get("re_aggregation_method", ""),
                cells.ratio_text(step.trace.value),
                metric_admin.conversion(metric),
                cells.ratio_text(step.trace.share),
                cells.amount(step.trace.quantity),
                metric.unit,
            )
            for step in steps
        ]  # fmt: skip


def _with_file(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.usage = "%(prog)s [options] [FILE]"
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="by default what [collect] metrics_conf names"
    )
    return parser


def _loaded(
    conf: Any, path: str | None, offline: bool = False
) -> tuple[Sequence[Metric], Collector]:
    from ratekit import composition
    from ratekit.files import metrics_file

    collector = composition.build_collector(conf, offline)
    return metrics_file.load(path or conf.collect.metrics_conf, collector), collector


def _instant(text: str | None) -> datetime.datetime | None:
    try:
        return None if text is None else parse_instant(text)
    except (ValueError, OverflowError):
        raise errors.OperatorError(
            f"--period: expected a date or time such as 2026-01-31T12:00, not {text!r}"
        ) from None


def _told(
    metric: Metric, begin: datetime.datetime, scopes: Collection[str], steps: Sequence[TraceStep]
) -> str:
    what = f"{metric.public_name}, the period from {cells.instant_text(begin)} on"
    if steps:
        return f"{what}; nothing is stored"
    return f"{what}: {len(scopes)} scope{'' if len(scopes) == 1 else 's'} used nothing"


def _pairs(labels: Mapping[str, str | None], formatter: str) -> Any:
    """Objects where the format has them, else ``key=value``."""
    if formatter in ("json", "yaml"):
        return dict(labels)
    pairs = (f"{key}={value}" for key, value in labels.items() if value is not None)
    return cells.printable(", ".join(pairs))


def _values(step: TraceStep, formatter: str) -> Any:
    """All values to machines; to people their number where they are many."""
    texts = [cells.decimal_text(value) for value in step.trace.values]
    if formatter in ("json", "yaml"):
        return texts
    if formatter == "table" and len(texts) > _INLINE:
        return f"{len(texts)} values"
    return ", ".join(texts)

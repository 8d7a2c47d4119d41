"""ratekit explain: why a frame costs what it costs."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from ratekit import errors
from ratekit.admin import explain
from ratekit.admin import scope as scope_admin
from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells, price_breakdown, quantity_trace
from ratekit.domain import exact
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.task import Swap
from ratekit.domain.usage.metric import Metric
from ratekit.interfaces import Collector


class Explain(command_types.Showing):
    """Show why a rated usage costs what it costs: its quantity, its rules, its price.

    Scope, metric and period are those that frame list shows. How the quantity came about is
    asked of the metering back end, as far as that still has it. Where today's rules would
    charge another price for the same quantity, it is shown as well.
    """

    arguments = " --scope SCOPE --metric NAME --period TIME"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--scope", required=True, metavar="SCOPE", help="who was charged, by id or name"
        )
        parser.add_argument(
            "--metric", required=True, metavar="NAME", help="the metric's public name"
        )
        parser.add_argument(
            "--period",
            required=True,
            metavar="TIME",
            help="begin of the period or a time in it, ISO 8601, in UTC unless it says another "
            "zone",
        )
        parser.add_argument(
            "--resource",
            metavar="ID",
            help="only the usage that has this as a label, where there are several",
        )
        parser.add_argument(
            "--label",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="only the usage with this label, where there are several; may be repeated; "
            "without a value: where it is empty or absent",
        )
        parser.add_argument(
            "--offline",
            action="store_true",
            help="do not ask the metering back end how the quantity came about",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the frame and what led to it."""
        from ratekit import composition

        begin = options.instant("--period", parsed_args.period)
        labels = options.labels(parsed_args.label)
        conf = self.app.load_conf()
        storage = self.app.open_storage(conf)
        options.require_known(storage.reports, conf.collect, [parsed_args.metric])
        try:
            scope = scope_admin.find(storage.reports.scopes(), parsed_args.scope)
        except errors.OperatorError as error:
            raise errors.OperatorError(f"--scope: {error}") from None
        wanted = explain.FrameQuery(
            scope.id, parsed_args.metric, begin, labels, parsed_args.resource
        )
        row = explain.find(storage.reports, wanted, composition.build_calendar(conf))
        rules = explain.PastRules(storage.rules, composition.build_modules(conf))
        origin = rules.origin(row)
        fields = {
            "Scope": row.scope,
            "Name": cells.optional(scope.name),
            "Metric": row.metric,
            "Period": cells.instant_text(row.begin),
            "Labels": price_breakdown.labels({**row.metadata, **row.groupby}),
            "Quantity": cells.amount(row.quantity),
            "Unit": row.unit,
            "Reduction": _reduction(conf, row, parsed_args.offline),
            "Breakdown": price_breakdown.cell(origin.explanation),
            "Price": cells.amount(row.price),
            "Rules": _rules(origin),
            "Today": _today(row, origin),
            "Reprocessed": _reprocessed(storage.tasks.swapped(row.scope, row.begin)),
        }
        return tuple(fields), tuple(fields.values())


def _reduction(conf: Any, row: FrameRow, offline: bool) -> cells.Cell:
    from ratekit import composition
    from ratekit.files import metrics_file

    if offline:
        return cells.optional(None)

    def source() -> tuple[Sequence[Metric], Collector]:
        collector = composition.build_collector(conf)
        return metrics_file.load(conf.collect.metrics_conf, collector), collector

    return quantity_trace.cell(row, source, composition.build_calendar(conf))


def _rules(origin: explain.PriceOrigin) -> cells.Cell:
    """Tell by which version of the rules the stored price came about."""
    version, change = origin.explanation.version, origin.change
    text = f"version {version}, the newest"
    changed = None
    if not origin.given:
        text = (
            "no version that is known gives this price: other rating modules did, or older rules; "
            "shown is what the newest version gives"
        )
    elif change is not None:
        made_at = cells.instant_text(change.made_at)
        comment = f": {change.comment}" if change.comment else ""
        text = f"version {version}, before {change.made_by} changed them at {made_at}{comment}"
        changed = {"by": change.made_by, "at": made_at, "comment": change.comment}
    machine = {"version": version if origin.given else None, "changed": changed}
    return cells.Cell(version, cells.printable(text), machine)


def _reprocessed(swap: Swap | None) -> cells.Cell:
    """Tell which task last swapped the frame's period."""
    if swap is None:
        return cells.optional(None)
    note, at = swap.task.note, cells.instant_text(swap.record.at.replace(microsecond=0))
    text = f"by task {swap.task.id} of {note.made_by} at {at}: {note.reason}"
    machine = {"task": swap.task.id, "at": at, "by": note.made_by, "reason": note.reason}
    return cells.Cell(swap.task.id, cells.printable(text), machine)


def _today(row: FrameRow, origin: explain.PriceOrigin) -> cells.Cell:
    """Tell what the newest rules charge for the stored quantity."""
    newest = origin.newest
    price = cells.decimal_text(newest.price)
    more = exact.EXACT.subtract(newest.price, row.price)
    difference = cells.decimal_text(more)
    text = "the same price"
    if more:
        text = (
            f"{price}, a difference of {difference}; ratekit reprocess --rates-only would charge it"
        )
    machine = {"version": newest.version, "price": price, "difference": difference}
    return cells.Cell(newest.price, text, machine)

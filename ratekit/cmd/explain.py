"""ratekit explain: how the price of a frame was calculated."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterable, Sequence
from typing import Any

from ratekit.admin import explain
from ratekit.cmd import command_types, instants, options
from ratekit.cmd.output import cells, price_breakdown, quantity_trace
from ratekit.domain import exact
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.task import Swap
from ratekit.text import second_text, utc_text


class Explain(command_types.Showing):
    """Show how the price of a rated usage was calculated: quantity, rules, price.

    Take scope, metric and period from frame list. The calculation of the quantity is read from
    the metering back end if that still has the data. If today's rules give another price for
    the same quantity, that price is shown, too.
    """

    arguments = " --scope SCOPE --metric NAME --period TIME"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--scope", required=True, metavar="SCOPE", help="scope that was charged, by ID or name"
        )
        parser.add_argument(
            "--metric", required=True, metavar="NAME", help="public name of the metric"
        )
        parser.add_argument(
            "--period",
            required=True,
            metavar="TIME",
            help=f"start of the period or a time in it, {instants.TIME}",
        )
        parser.add_argument(
            "--resource",
            metavar="ID",
            help="only the usage with this value in a groupby label, if there are several usages",
        )
        parser.add_argument(
            "--label",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="only the usage with this label, if there are several usages; may be repeated; "
            "without a value: the label is empty or absent",
        )
        options.add_null_label(
            parser, "only the usage whose label of this name is null; may be repeated"
        )
        parser.add_argument(
            "--offline",
            action="store_true",
            help="do not read the calculation of the quantity from the metering back end",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the frame and the calculation of its price."""
        from ratekit import composition
        from ratekit.conf import collect

        begin = instants.read_instant("--period", parsed_args.period, self.app.clock())
        labels = options.read_labels(parsed_args.label, parsed_args.null_label)
        conf = self.app.load_conf()
        storage = self.app.open_storage(conf)
        options.require_known(storage.reports, conf.collect, [parsed_args.metric])
        scope = options.find_scope(storage.reports.scopes(), parsed_args.scope)
        query = explain.FrameQuery(
            scope.id, parsed_args.metric, begin, labels, parsed_args.resource
        )
        row = explain.find(storage, query, collect.build_calendar(conf))
        rules = explain.PastRules(storage.rules, composition.build_modules(conf))
        origin = rules.origin(row)
        swaps = storage.tasks.swaps(row.scope, row.begin)
        fields = {
            "Scope": row.scope,
            "Name": cells.optional(scope.name),
            "Metric": row.metric,
            "Period": utc_text(row.begin),
            "Labels": cells.labels({**row.metadata, **row.groupby}),
            "Quantity": cells.amount(row.quantity),
            "Unit": row.unit,
            **cells.shared_fields(row.shared),
            "Reduction": _reduction(conf, row, swaps, parsed_args.offline),
            "Breakdown": price_breakdown.cell(origin.explanation),
            "Price": cells.amount(row.price),
            "Rules": _rules(origin),
            "Today": _today(row, origin),
            "Reprocessed": _last_change(explain.last_change(swaps)),
        }
        return tuple(fields), tuple(fields.values())


def _reduction(conf: Any, row: FrameRow, swaps: Sequence[Swap], offline: bool) -> cells.Cell:
    from ratekit import composition
    from ratekit.conf import collect

    if offline:
        return cells.optional(None)
    source = functools.partial(composition.read_metrics, conf)
    collection = explain.last_collection(swaps)
    return quantity_trace.cell(row, source, collect.build_calendar(conf), collection)


def _rules(origin: explain.PriceOrigin) -> cells.Cell:
    """Show which version of the rules gave the stored price."""
    version, change = origin.explanation.version, origin.change
    text = f"version {version}, the newest"
    next_change = None
    if not origin.matches:
        text = (
            "no recorded version gives this price: it came from other rating modules or older "
            "rules; the breakdown uses the newest version"
        )
    elif change is not None:
        made_at = utc_text(change.made_at)
        comment = f": {change.comment}" if change.comment else ""
        text = f"version {version}, before {change.made_by} changed them at {made_at}{comment}"
        next_change = {"by": change.made_by, "at": made_at, "comment": change.comment}
    machine = {"version": version if origin.matches else None, "changed": next_change}
    return cells.Cell(version, text, machine)


def _last_change(swap: Swap | None) -> cells.Cell:
    """Show which task last changed what the period costs."""
    if swap is None:
        return cells.optional(None)
    note, at = swap.task.note, second_text(swap.record.at)
    text = f"by task {swap.task.id} of {note.made_by} at {at}: {note.reason}"
    machine = {"task": swap.task.id, "at": at, "by": note.made_by, "reason": note.reason}
    return cells.Cell(swap.task.id, text, machine)


def _today(row: FrameRow, origin: explain.PriceOrigin) -> cells.Cell:
    """Show what the newest rules charge for the stored quantity."""
    newest = origin.newest
    price = cells.decimal_text(newest.price)
    difference = cells.decimal_text(exact.EXACT.subtract(newest.price, row.price))
    text = "the same price"
    if newest.price != row.price:
        text = (
            f"{price}, a difference of {difference}; ratekit reprocess --rates-only would charge it"
        )
    machine = {"version": newest.version, "price": price, "difference": difference}
    return cells.Cell(newest.price, text, machine)

"""ratekit explain: how the price of a frame was calculated."""

from __future__ import annotations

import argparse
import datetime
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ratekit.admin import explain
from ratekit.admin import price_facts as facts
from ratekit.cmd import command_types, instants, options
from ratekit.cmd.output import cells, price_breakdown, price_facts, quantity_trace
from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow
from ratekit.domain.reprocessing.task import Swap
from ratekit.text import utc_text

if TYPE_CHECKING:
    from ratekit.remote.client import Client


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
        client = self.app.connect()
        if client is not None:
            return self._ask(client, parsed_args, begin, labels)
        conf = self.app.load_conf()
        storage = self.app.open_storage(conf)
        options.require_known(storage.reports, conf.collect, [parsed_args.metric])
        scope = options.find_scope(storage.reports.scopes(ALL_SCOPES), parsed_args.scope)
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
            "Rules": price_facts.cell(facts.rules(origin)),
            "Today": price_facts.cell(facts.today(row, origin)),
            "Reprocessed": price_facts.cell(facts.reprocessing(explain.last_change(swaps))),
        }
        return tuple(fields), tuple(fields.values())

    def _ask(
        self,
        client: Client,
        parsed_args: argparse.Namespace,
        begin: datetime.datetime,
        labels: Mapping[str, str | None],
    ) -> tuple[Sequence[str], Iterable[Any]]:
        """Return what the API explains; the quantity only to administrators."""
        from ratekit.cmd import remote_fields
        from ratekit.remote.pairs import encode_pairs

        rows = self.app.open_storage(None).reports.scopes(ALL_SCOPES)
        scope = options.find_scope(rows, parsed_args.scope) if rows else None
        texts = {name: [value] for name, value in labels.items() if value is not None}
        content, pairs = encode_pairs("labels", texts)
        query: dict[str, Any] = {
            **pairs,
            "scope": parsed_args.scope if scope is None else scope.id,
            "metric": parsed_args.metric,
            "begin": utc_text(begin),
            "null_labels": [name for name, value in labels.items() if value is None],
            "resource": parsed_args.resource,
            # Only administrators list scopes.
            "trace": "true" if scope is not None and not parsed_args.offline else None,
        }
        body = client.get("/v2/explain", content, **query)
        fields = remote_fields.explain_fields(body, None if scope is None else scope.name)
        return tuple(fields), tuple(fields.values())


def _reduction(conf: Any, row: FrameRow, swaps: Sequence[Swap], offline: bool) -> cells.Cell:
    from ratekit import composition
    from ratekit.conf import collect

    if offline:
        return cells.optional(None)
    source = functools.partial(composition.read_metrics, conf)
    collection = explain.last_collection(swaps)
    return quantity_trace.cell(row, source, collect.build_calendar(conf), collection)

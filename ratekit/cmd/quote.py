"""ratekit quote: the price of a described usage."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ratekit import errors
from ratekit.admin import quote
from ratekit.cmd import command_types, instants, options
from ratekit.cmd.output import cells, price_breakdown
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.rules.rule import RuleBook
from ratekit.interfaces import Storage
from ratekit.text import utc_text


class QuoteUsage(command_types.Showing):
    """Show what a usage would cost by the price rules in force at a time.

    The quantity is for one period. The prices of an hour, a day and 30 days assume the same
    usage in every period.
    """

    arguments = " --service NAME"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--service", required=True, metavar="NAME", help="public name of a metric"
        )
        parser.add_argument(
            "--qty",
            default="1",
            metavar="NUMBER",
            help="quantity in one period, in the unit of the metric; default: 1",
        )
        parser.add_argument(
            "--share",
            default="1",
            metavar="FRACTION",
            help="part of the period that is charged under these labels, such as 1/3 or 0.25, as "
            "for an instance that was resized; --qty is then what the whole period would have; "
            "default: 1",
        )
        parser.add_argument(
            "--label",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="label of the usage, such as flavor_name=m1.small; may be repeated",
        )
        options.add_null_label(
            parser, "label of the usage that is null, which is not empty; may be repeated"
        )
        parser.add_argument(
            "--scope",
            metavar="SCOPE",
            help="scope that uses it, by ID or name (over the API: ID); default: a scope without "
            "rules of its own, over the API the project of the token",
        )
        parser.add_argument(
            "--at",
            metavar="TIME",
            help=f"a time in the period, {instants.TIME}; default: now",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the usage and its prices."""
        from ratekit import composition
        from ratekit.conf import collect
        from ratekit.files import metrics_file

        quantity = quote.read_quantity("--qty", parsed_args.qty)
        share = quote.read_share("--share", parsed_args.share)
        labels = options.read_labels(parsed_args.label, parsed_args.null_label)
        at = self.app.clock()
        if parsed_args.at is not None:
            at = instants.read_instant("--at", parsed_args.at, at)
        client = self.app.connect()
        if client is not None:
            from ratekit.cmd import remote_fields

            body = client.post(
                "/v2/rating/quote",
                {
                    "service": parsed_args.service,
                    "quantity": str(quantity),
                    "share": str(share),
                    "labels": labels,
                    "at": utc_text(at),
                    **({} if parsed_args.scope is None else {"scope": parsed_args.scope}),
                },
            )
            remote = remote_fields.quote_fields(body)
            return tuple(remote), tuple(remote.values())
        conf = self.app.load_conf()
        period = quote.period_of(collect.build_calendar(conf), at)
        storage = self.app.open_storage(conf)
        book = storage.rules.read()
        section = conf.collect
        label_names = metrics_file.read_labels(section.metrics_conf, section.scope_key)
        quote.require_metric(parsed_args.service, book, label_names)
        scope = self._find_scope(parsed_args.scope, book, storage)
        scope_label = {section.scope_key: scope} if scope != quote.NO_SCOPE else {}
        price_list = composition.build_price_list(conf, book)
        all_labels = {**scope_label, **labels}
        usage_quote = quote.quote(
            price_list, period, parsed_args.service, quantity, all_labels, scope, share
        )
        for hint in quote.hints(usage_quote, labels, book, label_names):
            self.app.note(hint)
        fields = _fields(usage_quote)
        return tuple(fields), tuple(fields.values())

    def _find_scope(self, word: str | None, book: RuleBook, storage: Storage) -> str:
        """Return the ID of the scope that ``--scope`` names; note if only rules have this ID."""
        if word is None:
            return quote.NO_SCOPE
        rows = storage.reports.scopes(ALL_SCOPES)
        try:
            scope = quote.scope_id(word, book, rows)
        except errors.OperatorError as error:
            raise errors.OperatorError(f"--scope: {error}") from None
        if all(row.id != scope for row in rows):
            self.app.note(f"no scope {scope!r} exists yet; using it as a scope ID, as the rules do")
        return scope


def _fields(usage_quote: quote.Quote) -> Mapping[str, Any]:
    series, period = usage_quote.series, usage_quote.period
    return {
        "Service": series.metric,
        "Quantity": cells.amount(series.points[0][1]),
        **cells.shared_fields(series.shared.get(period.begin)),
        "Labels": cells.labels(series.groupby),
        "Scope": cells.optional(series.scope or None),
        "Period begin": utc_text(period.begin),
        "Period end": utc_text(period.end),
        "Breakdown": price_breakdown.cell(usage_quote.explanation),
        "Price of the period": cells.amount(usage_quote.explanation.price),
        "Price of an hour": cells.amount(usage_quote.over(quote.HOUR)),
        "Price of a day": cells.amount(usage_quote.over(quote.DAY)),
        "Price of 30 days": cells.amount(usage_quote.over(quote.MONTH)),
    }

"""ratekit quote: what a usage would cost."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ratekit import errors
from ratekit.admin import quote
from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells, price_breakdown
from ratekit.domain.rules.rule import RuleBook
from ratekit.interfaces import Storage


class QuoteUsage(command_types.Showing):
    """Show what a usage would cost, by the rules that are in force at a time.

    The quantity is that of one period; the prices of an hour, a day and 30 days are those of
    the same usage in period after period.
    """

    arguments = " --service NAME"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--service", required=True, metavar="NAME", help="a metric's public name"
        )
        parser.add_argument(
            "--qty",
            default="1",
            metavar="NUMBER",
            help="quantity of one period, in the metric's unit; by default 1",
        )
        parser.add_argument(
            "--label",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a label of the usage, such as flavor_name=m1.small; may be repeated",
        )
        parser.add_argument(
            "--scope",
            metavar="SCOPE",
            help="who uses it, by id or name; by default nobody who has rules of their own",
        )
        parser.add_argument(
            "--at",
            metavar="TIME",
            help="a time in the period, ISO 8601, in UTC unless it says another zone; by default "
            "now",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the prices."""
        from ratekit import composition
        from ratekit.domain.rules import calendar_fields
        from ratekit.files import metrics_file
        from ratekit.pricing.price_list import PriceList

        quantity = options.quantity("--qty", parsed_args.qty)
        labels = options.labels(parsed_args.label)
        at = self.app.clock()
        if parsed_args.at is not None:
            at = options.instant("--at", parsed_args.at)
        conf = self.app.load_conf()
        period = quote.period_of(composition.build_calendar(conf), at)
        storage = self.app.open_storage(conf)
        book = storage.rules.read()
        section = conf.collect
        known = metrics_file.labels(section.metrics_conf, section.scope_key)
        quote.require_service(parsed_args.service, book, known)
        scope = self._scope(parsed_args.scope, book, storage)
        own = {section.scope_key: scope} if scope != quote.NOBODY else {}
        price_list = PriceList(composition.build_modules(conf), book)
        quoted = quote.quote(
            price_list, period, parsed_args.service, quantity, {**own, **labels}, scope
        )
        for hint in quote.hints(quoted, labels, book, known, calendar_fields.NAMES):
            self.app.note(cells.printable(hint))
        fields = _fields(quoted)
        return tuple(fields), tuple(fields.values())

    def _scope(self, word: str | None, book: RuleBook, storage: Storage) -> str:
        """Return the id of the scope that is meant; say so where only rules know it."""
        if word is None:
            return quote.NOBODY
        rows = storage.reports.scopes()
        try:
            scope = quote.scope_id(word, book, rows)
        except errors.OperatorError as error:
            raise errors.OperatorError(f"--scope: {error}") from None
        if all(row.id != scope for row in rows):
            called = cells.printable(scope)
            self.app.note(f"no scope {called!r} is known; it is taken as the id that rules have")
        return scope


def _fields(quoted: quote.Quote) -> Mapping[str, Any]:
    series, period = quoted.series, quoted.period
    return {
        "Service": cells.printable(series.metric),
        "Quantity": cells.amount(series.points[0][1]),
        "Labels": price_breakdown.labels(series.groupby),
        "Scope": cells.optional(series.scope or None),
        "Period begin": cells.instant_text(period.begin),
        "Period end": cells.instant_text(period.end),
        "Breakdown": price_breakdown.cell(quoted.explanation),
        "Price of the period": cells.amount(quoted.explanation.price),
        "Price of an hour": cells.amount(quoted.over(quote.HOUR)),
        "Price of a day": cells.amount(quoted.over(quote.DAY)),
        "Price of 30 days": cells.amount(quoted.over(quote.MONTH)),
    }

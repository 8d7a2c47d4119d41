"""ratekit summary: what was used, and what it cost."""

from __future__ import annotations

import argparse
import datetime
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells as formatting
from ratekit.domain.exact import EXACT, PRICE_PLACES, ZERO
from ratekit.domain.reporting.reports import Selection, SummaryRow

#: Keys that are no labels, with their columns.
_KEYS = {"scope": "Scope", "metric": "Metric", "hour": "Hour", "day": "Day", "month": "Month"}
_SUMS = ("Frames", "Quantity", "Unit", "Price")
#: Letters of an ISO 8601 time that name a day or a month.
_LENGTHS = {"day": 10, "month": 7}


class Summary(command_types.Listing):
    """Add up frames, quantities and prices.

    Prices are exact. Tables end with a total; other formats have rows of groups only.
    """

    _total = ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        options.add_options(parser)
        parser.add_argument(
            "--groupby",
            action="append",
            metavar="KEYS",
            help="scope, metric, hour, day, month or any label; several separated by commas, "
            "may be repeated; by default scope,metric",
        )
        parser.add_argument(
            "--decimals",
            type=_places,
            metavar="N",
            help="round prices half-even to N places; by default they are exact",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the groups in their order."""
        zone = options.zone(parsed_args.timezone)
        keys = _groupby(parsed_args.groupby)
        conf = self.app.load_conf()
        reports = self.app.open_storage(conf).reports
        options.require_known(
            reports, conf.collect, parsed_args.metric, [key for key in keys if key not in _KEYS]
        )
        chosen = options.selection(parsed_args, reports, zone, self.app.clock())
        rows = reports.summary(chosen, keys, zone)
        names = {row.id: row.name for row in reports.scopes()} if "scope" in keys else {}
        self._warn_of_strangers(rows, keys)
        self._total = _total(rows, chosen, zone, parsed_args.decimals)
        return (
            (*_columns(keys), *_SUMS),
            [_shown(row, keys, names, parsed_args.decimals) for row in rows],
        )

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Print the groups, and below a table the total: elsewhere it would be added twice."""
        code = super().produce_output(parsed_args, column_names, data)
        if parsed_args.formatter == "table":
            self.app.stdout.write(f"{self._total}\n")
        return code

    def _warn_of_strangers(self, rows: Sequence[SummaryRow], keys: Sequence[str]) -> None:
        for key in keys:
            if rows and key not in _KEYS and all(row.group[key] is None for row in rows):
                self.app.note(f"warning: no frame here has a label {key!r}")


def _places(text: str) -> int:
    if not text.isdecimal() or int(text) > PRICE_PLACES:
        raise argparse.ArgumentTypeError(f"expected 0 to {PRICE_PLACES}, not {text!r}")
    return int(text)


def _groupby(words: Sequence[str] | None) -> Sequence[str]:
    if words is None:
        return ("scope", "metric")
    split = [key.strip() for word in words for key in word.split(",")]
    return tuple(dict.fromkeys(key for key in split if key))


def _columns(keys: Sequence[str]) -> Iterator[str]:
    taken = {name.lower() for name in (*_KEYS.values(), *_SUMS, "Name")}
    for key in keys:
        if key in _KEYS:
            yield _KEYS[key]
        else:
            yield f"{key} (label)" if key.lower() in taken else key
        if key == "scope":
            yield "Name"


def _shown(
    row: SummaryRow, keys: Sequence[str], names: Mapping[str, str], places: int | None
) -> Sequence[Any]:
    cells: list[Any] = []
    for key in keys:
        value = row.group[key]
        if isinstance(value, datetime.datetime):
            text = formatting.instant_text(value, value.tzinfo or datetime.UTC)
            cells.append(text[: _LENGTHS.get(key)])
        else:
            cells.append(formatting.optional(value))
        if key == "scope":
            cells.append(formatting.optional(names.get(str(value), "")))
    cells += [row.points, formatting.amount(row.quantity), formatting.optional(row.unit)]
    return [*cells, formatting.amount(row.price, places)]


def _total(
    rows: Sequence[SummaryRow], chosen: Selection, zone: datetime.tzinfo, places: int | None
) -> str:
    price = functools.reduce(EXACT.add, (row.price for row in rows), ZERO)
    begin, end = (
        formatting.instant_text(instant.replace(microsecond=0), zone)
        for instant in (chosen.begin, chosen.end)
        if instant is not None
    )
    return (
        f"Total: price {formatting.decimal_text(price, places)}, "
        f"{sum(row.points for row in rows):,} frames, {begin} to {end}"
    )

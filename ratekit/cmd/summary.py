"""ratekit summary: totals of usage and prices."""

from __future__ import annotations

import argparse
import datetime
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells
from ratekit.domain.exact import EXACT, PRICE_PLACES, ZERO
from ratekit.domain.reporting.reports import Selection, SummaryRow
from ratekit.text import count_text, local_text

_SUMS = ("Frames", "Quantity", "Unit", "Price")
#: How many characters of an ISO 8601 time name a day or a month.
_LENGTHS = {"day": 10, "month": 7}


class Summary(command_types.Listing):
    """Show totals of frames, quantities and prices by group.

    Prices are exact. A table ends with a total; other formats contain only the groups.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        options.add_selection_options(parser)
        parser.add_argument(
            "--groupby",
            action="append",
            metavar="KEYS",
            help="scope, metric, hour, day, month or any label; separate several by commas; may be "
            "repeated; default: scope,metric",
        )
        parser.add_argument(
            "--decimals",
            type=options.whole_number(0, PRICE_PLACES),
            metavar="N",
            help="round prices half-even to N decimal places; default: exact",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the groups, sorted by their keys."""
        zone = options.read_zone(parsed_args.timezone)
        keys = _groupby(parsed_args.groupby)
        conf = self.app.load_conf()
        reports = self.app.open_storage(conf).reports
        options.require_known(
            reports,
            conf.collect,
            parsed_args.metric,
            [key for key in keys if key not in options.KEYS],
        )
        selection = options.read_selection(parsed_args, reports, zone, self.app.clock())
        rows = reports.summary(selection, keys, zone)
        names = {row.id: row.name for row in reports.scopes()} if "scope" in keys else {}
        self._warn_of_absent_labels(rows, keys)
        self.footer = _total(rows, selection, zone, parsed_args.decimals)
        return (
            (*_columns(keys), *_SUMS),
            [_fields(row, keys, names, parsed_args.decimals) for row in rows],
        )

    def _warn_of_absent_labels(self, rows: Sequence[SummaryRow], keys: Sequence[str]) -> None:
        for key in keys:
            if rows and key not in options.KEYS and all(row.group[key] is None for row in rows):
                self.app.note(f"warning: none of these frames has a label {key!r}")


def _groupby(words: Sequence[str] | None) -> Sequence[str]:
    if words is None:
        return ("scope", "metric")
    keys = [key.strip() for word in words for key in word.split(",")]
    return tuple(dict.fromkeys(key for key in keys if key))


def _columns(keys: Sequence[str]) -> Iterator[str]:
    reserved = {*options.KEYS, "name", *map(str.lower, _SUMS)}
    for key in keys:
        if key in options.KEYS:
            yield key.capitalize()
        else:
            yield f"{key} (label)" if key.lower() in reserved else key
        if key == "scope":
            yield "Name"


def _fields(
    row: SummaryRow, keys: Sequence[str], names: Mapping[str, str], places: int | None
) -> Sequence[Any]:
    fields: list[Any] = []
    for key in keys:
        value = row.group[key]
        if isinstance(value, datetime.datetime):
            text = local_text(value, value.tzinfo or datetime.UTC)
            fields.append(text[: _LENGTHS.get(key)])
        else:
            fields.append(cells.optional(value))
        if key == "scope":
            fields.append(cells.optional(names.get(str(value), "")))
    fields += [row.points, cells.amount(row.quantity), cells.optional(row.unit)]
    return [*fields, cells.amount(row.price, places)]


def _total(
    rows: Sequence[SummaryRow], selection: Selection, zone: datetime.tzinfo, places: int | None
) -> str:
    price = functools.reduce(EXACT.add, (row.price for row in rows), ZERO)
    begin, end = (
        local_text(instant.replace(microsecond=0), zone)
        for instant in (selection.begin, selection.end)
        if instant is not None
    )
    return (
        f"Total: price {cells.decimal_text(price, places)}, "
        f"{count_text(sum(row.points for row in rows), 'frame')}, {begin} to {end}"
    )

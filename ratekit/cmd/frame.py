"""ratekit frame: list rated usages."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells
from ratekit.domain.reporting.reports import FrameRow
from ratekit.text import local_text

if TYPE_CHECKING:
    from ratekit.cmd.ratekit import Ratekit

_COLUMNS = ("Begin", "Scope", "Metric", "Quantity", "Unit", "Price", "Labels", "Whole", "Share")
#: The columns of a table: few frames are shared, and tables are wide.
_TABLE_COLUMNS = _COLUMNS[:-2]


class FrameList(command_types.Listing):
    """List rated usages (frames), sorted by period, scope, metric and labels.

    A table has the columns Whole and Share only if --column names columns. Other formats have
    them always: they are empty unless the quantity is a share of a whole period's.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        options.add_selection_options(parser)
        parser.add_argument(
            "--limit",
            type=options.whole_number(0),
            default=100,
            metavar="N",
            help="list at most N frames; 0: all; default: 100",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the frames, which are read while they are printed: there may be millions."""
        zone = options.read_zone(parsed_args.timezone)
        conf = self.app.load_conf()
        reports = self.app.open_storage(conf).reports
        options.require_known(reports, conf.collect, parsed_args.metric)
        selection = options.read_selection(parsed_args, reports, zone, self.app.clock())
        limit = parsed_args.limit
        # One frame beyond the limit shows whether there are more.
        frames = reports.frames(selection, limit + 1 if limit else None)
        rows = _take(frames, limit, self.app) if limit else frames
        short = parsed_args.formatter == "table" and not parsed_args.columns
        names = _TABLE_COLUMNS if short else _COLUMNS
        fields = (_fields(row, zone, parsed_args.formatter) for row in rows)
        return names, (values[: len(names)] for values in fields)


def _take(frames: Iterable[FrameRow], limit: int, app: Ratekit) -> Iterator[FrameRow]:
    for count, row in enumerate(frames):
        if count == limit:
            app.note(f"more than {limit} frames match; --limit 0 lists all")
            return
        yield row


def _fields(row: FrameRow, zone: datetime.tzinfo, formatter: str) -> Sequence[Any]:
    return (
        local_text(row.begin, zone),
        row.scope,
        row.metric,
        cells.amount(row.quantity),
        row.unit,
        cells.amount(row.price),
        _labels(row, formatter),
        *cells.shared_fields(row.shared).values(),
    )


def _labels(row: FrameRow, formatter: str) -> Any:
    """Return labels as an object if the format has them, else as JSON (CSV) or text."""
    labels = {**row.metadata, **row.groupby}
    if formatter in ("json", "yaml"):
        return labels
    return json.dumps(labels) if formatter == "csv" else cells.label_text(labels)

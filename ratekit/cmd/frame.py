"""ratekit frame: list rated usages."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells
from ratekit.cmd.output.scope_names import scope_names
from ratekit.cmd.output.table import Style
from ratekit.domain.reporting.reports import ALL_SCOPES, EVERYTHING, FrameRow, Page
from ratekit.text import local_text

if TYPE_CHECKING:
    from ratekit.cmd.ratekit import Ratekit

_COLUMNS = ("Begin", "Scope", "Metric", "Quantity", "Unit", "Price", "Labels", "Whole", "Share")


class FrameList(command_types.Listing):
    """List rated usages (frames), sorted by period, scope, metric and labels.

    A table has names of scopes and numbers of few digits, and lacks the columns Unit, Whole and
    Share unless --column names columns. Other formats have IDs, every digit and all columns;
    Whole and Share are empty unless the quantity is a share of a whole period's.
    """

    has_ids = True
    # Few frames are shared, and tables are wide.
    table_columns = ("Begin", "Scope", "Metric", "Quantity", "Price", "Labels")
    style = Style(keys=3)

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
        storage = self.app.open_storage(conf)
        reports = storage.reports
        options.require_known(reports, conf.collect, parsed_args.metric)
        selection = options.read_selection(parsed_args, reports, zone, self.app.clock())
        self.empty_note = options.empty_text(selection, zone)
        assert selection.begin is not None, "reports start somewhere"
        text = storage.purge.mark().explain_missing(selection.begin, from_totals=False)
        if text is not None:
            self.app.note(text)
        limit = parsed_args.limit
        # One frame beyond the limit shows whether there are more.
        frames = reports.frames(selection, Page(limit=limit + 1) if limit else EVERYTHING)
        rows = _take(frames, limit, self.app) if limit else frames
        names = scope_names(reports.scopes(ALL_SCOPES), ids=parsed_args.ids)
        view = _View(zone, parsed_args.formatter, names, conf.rating.decimals)
        return _COLUMNS, map(view.fields, rows)


def _take(frames: Iterable[FrameRow], limit: int, app: Ratekit) -> Iterator[FrameRow]:
    for count, row in enumerate(frames):
        if count == limit:
            app.note(f"more than {limit} frames match; --limit 0 lists all")
            return
        yield row


@dataclasses.dataclass(frozen=True, slots=True)
class _View:
    """How frames are shown.

    :ivar names: of scopes, by ID
    :ivar places: decimal places of numbers in a table
    """

    zone: datetime.tzinfo
    formatter: str
    names: Mapping[str, str]
    places: int

    def fields(self, row: FrameRow) -> Sequence[Any]:
        """Return the values of all columns."""
        return (
            local_text(row.begin, self.zone),
            cells.Cell(row.scope, self.names.get(row.scope, row.scope), row.scope),
            row.metric,
            cells.short_amount(row.quantity, self.places),
            row.unit,
            cells.short_amount(row.price, self.places),
            self._labels(row),
            *cells.shared_fields(row.shared).values(),
        )

    def _labels(self, row: FrameRow) -> Any:
        """Return labels as an object if the format has them, else as JSON (CSV) or text."""
        labels = {**row.metadata, **row.groupby}
        if self.formatter in ("json", "yaml"):
            return labels
        return json.dumps(labels) if self.formatter == "csv" else cells.label_text(labels)

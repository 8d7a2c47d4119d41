"""ratekit frame: rated usages, one by one."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells
from ratekit.domain.reporting.reports import FrameRow

if TYPE_CHECKING:
    from ratekit.cmd.ratekit import Ratekit

#: Of the largest limit: databases count to 2 ** 63.
_DIGITS = 18
_COLUMNS = ("Begin", "Scope", "Metric", "Quantity", "Unit", "Price", "Labels")


class FrameList(command_types.Listing):
    """List rated usages by begin, scope, metric and labels."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        options.add_options(parser)
        parser.add_argument(
            "--limit",
            type=_limit,
            default=100,
            metavar="N",
            help="list at most N frames; 0 lists all; by default 100",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Return the frames; all of them may be many, so they are read as they are printed."""
        zone = options.zone(parsed_args.timezone)
        conf = self.app.load_conf()
        reports = self.app.open_storage(conf).reports
        options.require_known(reports, conf.collect, parsed_args.metric)
        chosen = options.selection(parsed_args, reports, zone, self.app.clock())
        limit = parsed_args.limit
        # One more than asked for tells whether there are more.
        frames = reports.frames(chosen, limit + 1 if limit else None)
        rows = _first(frames, limit, self.app) if limit else frames
        return _COLUMNS, (_shown(row, zone, parsed_args.formatter) for row in rows)


def _limit(text: str) -> int:
    if not text.isdecimal() or len(text) > _DIGITS:
        raise argparse.ArgumentTypeError(f"expected a number of frames, 0 for all, not {text!r}")
    return int(text)


def _first(frames: Iterable[FrameRow], limit: int, app: Ratekit) -> Iterator[FrameRow]:
    for count, row in enumerate(frames):
        if count == limit:
            app.note(f"there are more frames than --limit {limit}; --limit 0 lists all")
            return
        yield row


def _shown(row: FrameRow, zone: datetime.tzinfo, formatter: str) -> Sequence[Any]:
    return (
        cells.instant_text(row.begin, zone),
        row.scope,
        row.metric,
        cells.amount(row.quantity),
        row.unit,
        cells.amount(row.price),
        _labels({**row.metadata, **row.groupby}, formatter),
    )


def _labels(labels: Mapping[str, str | None], formatter: str) -> Any:
    """Objects where the format has them, JSON in a CSV, ``key=value`` for people."""
    if formatter in ("json", "yaml"):
        return dict(labels)
    if formatter == "csv":
        return json.dumps(labels)
    pairs = (f"{key}={value}" for key, value in labels.items() if value is not None)
    return cells.printable(", ".join(pairs))

"""ratekit export: charges as files for accounting systems."""

from __future__ import annotations

import argparse
import importlib
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ratekit import errors
from ratekit.cmd import command_types, options, usage_options
from ratekit.cmd.output import cells
from ratekit.cmd.output.target import open_target, read_target
from ratekit.domain.reporting.reports import Selection
from ratekit.text import count_text

if TYPE_CHECKING:
    from decimal import Decimal

    from ratekit.remote.client import Client

_SUFFIXES = (".csv", ".parquet")
_GRANULARITIES = ("hour", "day", "month")


class ExportFocus(command_types.Action):
    """Write charges as FOCUS 1.2, the format of cost and usage of many accounting systems.

    The file tells the ledger of its time: after reprocessing, write it again. Its billed costs add
    up to the price of ratekit summary over the same time range, to the last digit.
    """

    arguments = " --output FILE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        options.add_selection_options(parser)
        parser.add_argument(
            "--granularity",
            choices=_GRANULARITIES,
            default="day",
            help="the time that one charge is for: rated periods of an hour, a day or a month with "
            "the same labels and price are added up; default: day",
        )
        parser.add_argument(
            "-o",
            "--output",
            required=True,
            metavar="FILE",
            help="file to write, which ends with .csv or .parquet; -: CSV to standard output",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Write the file, whole or not at all."""
        target = read_target("--output", parsed_args.output, _SUFFIXES)
        zone = options.read_zone(parsed_args.timezone)
        client = self.app.connect()
        if client is not None and _is_parquet(target):
            raise errors.OperatorError(
                "a Parquet file needs the database; over the API write a .csv file"
            )
        conf = self.app.load_conf()
        storage = self.app.open_storage(conf)
        selection = usage_options.select(self.app, parsed_args, conf, storage.reports, zone)
        if client is not None:
            self._copy(client, selection, parsed_args.granularity, zone, target)
            return
        writer = _load_parquet() if _is_parquet(target) else _load_csv()
        from ratekit.export.focus.bill import FocusBill, Order

        order = Order(selection, parsed_args.granularity, zone)
        bill = FocusBill(conf, storage, _read_settings(conf), order, writer.CELLS)
        with open_target(target) as file:
            if _is_parquet(target):
                writer.write(bill.rows(), file)
            else:
                for part in writer.write(bill.rows()):
                    file.write(part)
        total = bill.charges.total
        currency = conf.rating.currency
        self._tell(selection, bill.charges.count, total.frames, total.price, currency)
        if (text := bill.explain_unfinished()) is not None:
            self.app.note(text)

    def _copy(
        self,
        client: Client,
        selection: Selection,
        granularity: str,
        zone: Any,
        target: pathlib.Path | None,
    ) -> None:
        """Write what an API exports."""
        from ratekit.export.focus.csv_lines import Tally
        from ratekit.remote.client import reading_answers
        from ratekit.remote.export import read_focus

        tally = Tally()
        with (
            read_focus(client, selection, granularity, zone) as download,
            open_target(target) as file,
        ):
            for part in download.parts:
                file.write(part)
                with reading_answers():
                    tally.add(part)
            if tally.frames != download.frames:
                raise errors.TryLater(
                    f"the API's answer has {tally.frames:,} of {download.frames:,} frames: it ends "
                    "in the middle, or usage was rated meanwhile; export again"
                )
        self._tell(selection, tally.rows, tally.frames, tally.price, tally.currency)
        if download.warning is not None:
            self.app.note(download.warning)

    def _tell(
        self, selection: Selection, charges: int, frames: int, price: Decimal, currency: str
    ) -> None:
        """Say what the file adds up to."""
        if not frames:
            self.app.note(options.empty_text(selection, options.read_zone("UTC")))
        self.app.note(
            f"{count_text(charges, 'charge')} of {count_text(frames, 'frame')}, "
            f"{cells.decimal_text(price)} {currency}".rstrip()
        )


def _is_parquet(target: pathlib.Path | None) -> bool:
    return target is not None and target.suffix.lower() == ".parquet"


def _load_csv() -> Any:
    return importlib.import_module("ratekit.export.focus.csv_lines")


def _load_parquet() -> Any:
    try:
        return importlib.import_module("ratekit.export.focus.parquet_file")
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "pyarrow":
            raise
        raise errors.OperatorError(
            "Parquet files need pyarrow: install ratekit-openstack[parquet], or write a .csv file"
        ) from None


def _read_settings(conf: Any) -> Mapping[str, Any]:
    """Return what metrics.yml sets.

    :raises ratekit.errors.OperatorError: it has mistakes
    """
    from ratekit import composition
    from ratekit.files import metrics_file

    composition.read_metrics(conf, offline=True)
    return metrics_file.read_settings(conf.collect.metrics_conf)

"""ratekit export: charges as files for accounting systems."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ratekit import errors
from ratekit.cmd import command_types, options
from ratekit.cmd.output import cells
from ratekit.cmd.output.target import open_target, read_target
from ratekit.domain.reporting.reports import Selection
from ratekit.interfaces import Reports
from ratekit.text import count_text, second_text

if TYPE_CHECKING:
    from ratekit.export.focus.bill import FocusBill

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
        if self.app.is_remote():
            from ratekit.remote.refusal import refuse

            refuse()
        zone = options.read_zone(parsed_args.timezone)
        conf = self.app.load_conf()
        storage = self.app.open_storage(conf)
        reports = storage.reports
        options.require_known(reports, conf.collect, parsed_args.metric)
        selection = options.read_selection(parsed_args, reports, zone, self.app.clock())
        is_parquet = target is not None and target.suffix.lower() == ".parquet"
        writer = _load_parquet() if is_parquet else _load_csv()
        from ratekit.export.focus.bill import FocusBill, Order

        order = Order(selection, parsed_args.granularity, zone)
        bill = FocusBill(conf, storage, _read_settings(conf), order, writer.CELLS)
        with open_target(target) as file:
            if is_parquet:
                writer.write(bill.rows(), file)
            else:
                for part in writer.write(bill.rows()):
                    file.write(part)
        self._tell(bill, selection, reports, conf.rating.currency)

    def _tell(self, bill: FocusBill, selection: Selection, reports: Reports, currency: str) -> None:
        """Say what the file adds up to, and what may come."""
        total = bill.charges.total
        note = self.app.note
        if not total.frames:
            note(options.empty_text(selection, options.read_zone("UTC")))
        note(
            f"{count_text(bill.charges.count, 'charge')} of {count_text(total.frames, 'frame')}, "
            f"{cells.decimal_text(total.price)} {currency}"
        )
        end = selection.end
        assert end is not None, "exports end somewhere"
        behind = [
            row for row in reports.scopes(selection.scopes) if row.active and row.rated_until < end
        ]
        if behind:
            oldest = min(row.rated_until for row in behind)
            note(
                f"not final: {count_text(len(behind), 'scope')} not yet rated until "
                f"{second_text(end)}, the oldest until {second_text(oldest)}; "
                "see ratekit scope list"
            )


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

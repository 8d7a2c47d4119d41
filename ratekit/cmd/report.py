"""ratekit report: a bill as a file to hand on."""

from __future__ import annotations

import argparse
import datetime
from typing import Any

from ratekit import errors
from ratekit.cmd import command_types, options, startup, usage_options
from ratekit.cmd.output.target import open_target, read_target
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.interfaces import Storage

_HTML, _CSV = "html", "csv"
_SUFFIXES = {".html": _HTML, ".csv": _CSV}


class Report(command_types.Action):
    """Write a bill of all projects or of some as a file.

    HTML has pictures, needs no network and prints on A4. CSV, for spreadsheets, has a row for
    each project, metric and day, with all digits.
    """

    arguments = " --output FILE"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        options.add_selection_options(parser)
        parser.add_argument(
            "-o",
            "--output",
            required=True,
            metavar="FILE",
            help="file to write, which ends with .html or .csv; -: standard output",
        )
        parser.add_argument(
            "--format",
            choices=(_HTML, _CSV),
            help="with --output -: what is written; default: html",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Write the file, whole or not at all."""
        target = read_target("--output", parsed_args.output, _SUFFIXES)
        if target is not None and parsed_args.format is not None:
            raise errors.OperatorError("--format is for --output -; a file's name says what it is")
        form = parsed_args.format or _HTML
        if target is not None:
            form = _SUFFIXES[target.suffix.lower()]
        if form == _HTML and self.app.is_remote():
            raise errors.OperatorError(
                "a page needs the database; over the API write a .csv file, or look at the pages "
                "of the API"
            )
        zone = options.read_zone(parsed_args.timezone)
        conf = self.app.load_conf()
        storage = self.app.open_storage(conf)
        selection = usage_options.select(self.app, parsed_args, conf, storage.reports, zone)
        with open_target(target) as file:
            write = self._write_csv if form == _CSV else self._write_html
            has_usage = write(conf, storage, selection, zone, file)
        if not has_usage:
            self.app.note(options.empty_text(selection, zone))

    def _write_html(
        self, conf: Any, storage: Storage, selection: Selection, zone: datetime.tzinfo, file: Any
    ) -> bool:
        from ratekit.admin.bill import read_statement
        from ratekit.conf.collect import build_calendar
        from ratekit.export.bill_html import Issue, render_bill
        from ratekit.html.formats import Formats

        calendar = build_calendar(conf)
        statement = read_statement(storage, calendar, selection, zone)
        section = conf.rating
        issue = Issue(
            at=self.app.clock(),
            version=startup.version(),
            everything=selection.scopes is ALL_SCOPES,
            metrics=selection.metrics,
            step=calendar.step,
            has_rules="hashmap" in section.modules,
        )
        formats = Formats(zone, section.currency, section.decimals)
        file.write(render_bill(statement, formats, issue).encode())
        return statement.whole.points > 0

    def _write_csv(
        self, conf: Any, storage: Storage, selection: Selection, zone: datetime.tzinfo, file: Any
    ) -> bool:
        from ratekit.export.bill_csv import HEAD, write_bill

        reports = storage.reports
        assert selection.begin is not None, "reports start somewhere"
        missing = storage.purge.mark().explain_missing(selection.begin, from_totals=True)
        if missing is not None:
            self.app.note(missing)
        names = {row.id: row.name for row in reports.scopes(selection.scopes)}
        rows = 0
        for line in write_bill(reports, selection, zone, names, conf.rating.currency):
            file.write(line)
            rows += 1
        return rows > HEAD

"""ratekit summary: totals of usage and prices, by time, and compared."""

from __future__ import annotations

import argparse
import datetime
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from ratekit import errors
from ratekit.admin import summary
from ratekit.cmd import command_types, instants, options, usage_options
from ratekit.cmd.output import bill, cells
from ratekit.cmd.output.key_columns import KEYS, Group, KeyColumns, time_text
from ratekit.cmd.output.table import Style, terminal_width
from ratekit.domain.exact import EXACT, PRICE_PLACES
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.buckets import BUCKETS
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection, SummaryRow
from ratekit.interfaces import Storage
from ratekit.text import count_text, local_text

_SUMS = ("Frames", "Quantity", "Unit", "Price")
_CHANGES = ("Old", "New", "Difference", "Ratio", "Old quantity", "New quantity", "Unit")
#: Columns of a comparison that a table has only if ``-c`` names them.
_WIDE_CHANGES = _CHANGES[4:]
_LIMIT = 20
#: Columns of a terminal that does not say how many it has.
_WIDTH = 80
#: Why a name may select nothing.
_IDS_ONLY = "; this user may not list scopes, so --scope takes only IDs"
#: What of a column's time stands above it in a table.
_HEADINGS = {"hour": slice(8, 16), "day": slice(5, 10), "week": slice(5, 10)}

_Table = tuple[Sequence[str], Iterable[Sequence[Any]]]


class Summary(command_types.Listing):
    """Show totals of frames, quantities and prices by group, as a bill in a table.

    A table has names, rounded prices, subtotals and a total. Other formats have IDs, every
    digit, and only the groups; -c and --sort-column give a table the same rows.
    """

    has_ids = True
    chart: Sequence[str] = ()

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the command's options."""
        parser = super().get_parser(prog_name)
        options.add_selection_options(parser)
        parser.add_argument(
            "--groupby",
            action="append",
            metavar="KEYS",
            help="scope, metric, hour, day, week, month, year or any label; separate several by "
            "commas; may be repeated; default: scope,metric",
        )
        views = parser.add_mutually_exclusive_group()
        views.add_argument(
            "--pivot",
            choices=sorted(BUCKETS),
            help="show prices in a column for each hour, day, week, month or year, at most "
            f"{summary.MAX_COLUMNS}",
        )
        views.add_argument(
            "--compare",
            nargs=2,
            metavar=("MONTH", "MONTH"),
            help="compare the prices of two months, the older first; the largest differences "
            "are at the top",
        )
        views.add_argument(
            "--chart",
            action="store_true",
            help="draw prices as bars in place of the table: a bar for each time, or else for each "
            "value of the first key of --groupby, with parts by the other key; only on a "
            "terminal, elsewhere there is the table",
        )
        parser.add_argument(
            "--limit",
            type=options.whole_number(0),
            metavar="N",
            help=f"with --compare: list at most N groups; 0: all; default: {_LIMIT}",
        )
        parser.add_argument(
            "--decimals",
            type=options.whole_number(0, PRICE_PLACES),
            metavar="N",
            help="round prices half-even to N decimal places, in all formats; default: [rating] "
            "decimals in tables, exact in other formats",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> _Table:
        """Return the groups, sorted by their keys, or the largest difference first."""
        zone = options.read_zone(parsed_args.timezone)
        keys = _groupby(parsed_args.groupby)
        _require_fitting_options(parsed_args, keys)
        conf = self.app.load_conf()
        storage = self.app.open_storage(conf)
        reports = storage.reports
        labels = [key for key in keys if key not in KEYS]
        usage_options.check_names(self.app, conf, reports, parsed_args.metric, labels)
        ids_only = usage_options.takes_ids_only(self.app, parsed_args.scope, reports)
        plain = parsed_args.columns or parsed_args.sort_columns
        key_columns = KeyColumns(
            keys,
            reports.scopes(ALL_SCOPES) if "scope" in keys else (),
            bill=parsed_args.formatter == "table" and not plain,
            ids=parsed_args.ids,
        )
        places = parsed_args.decimals
        rounding = bill.Rounding(
            conf.rating.decimals if places is None else places,
            everywhere=places is not None,
            currency=conf.rating.currency,
        )
        report = _Report(self, storage, key_columns, rounding, zone, ids_only)
        if parsed_args.compare:
            self.empty_note = f"no frames match in either month{_IDS_ONLY * ids_only}"
            return report.compare(parsed_args)
        selection = options.read_selection(parsed_args, reports, zone, self.app.clock(), ids_only)
        self.empty_note = f"{options.empty_text(selection, zone)}{_IDS_ONLY * ids_only}"
        report.note_purge(selection)
        if parsed_args.pivot:
            return report.pivot(selection, parsed_args.pivot)
        if parsed_args.chart and parsed_args.formatter == "table" and self.app.stdout.isatty():
            return report.chart(selection, parsed_args.max_width)
        return report.totals(selection, streams=parsed_args.formatter != "table")

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Print the chart and the footer, or the table."""
        if not self.chart:
            return super().produce_output(parsed_args, column_names, data)
        for line in self.chart:
            self.app.stdout.write(f"{line}\n")
        self._print_footer(terminal_width(parsed_args.max_width))
        return 0


class _Report:
    """The views of a summary; each sets the command's style and footer.

    :param zone: of days and months
    :param ids_only: this user may not list scopes
    """

    def __init__(
        self,
        command: Summary,
        storage: Storage,
        keys: KeyColumns,
        rounding: bill.Rounding,
        zone: datetime.tzinfo,
        ids_only: bool,
    ) -> None:
        self._command = command
        self._reports = storage.reports
        self._purge = storage.purge
        self._keys = keys
        self._rounding = rounding
        self._zone = zone
        self._ids_only = ids_only

    def note_purge(self, selection: Selection) -> None:
        """Print what the report lacks because it was purged."""
        assert selection.begin is not None, "reports start somewhere"
        from_totals = set(self._keys.keys).issubset(KEYS)
        text = self._purge.mark().explain_missing(selection.begin, from_totals)
        if text is not None:
            self._command.app.note(text)

    def totals(self, selection: Selection, streams: bool) -> _Table:
        """Return the sums of each group.

        :param streams: the output has no footer, which needs all rows
        """
        columns = [*self._keys.columns(_SUMS), *_SUMS]
        stream = self._reports.summary(selection, self._keys.keys, self._zone)
        if streams and set(self._keys.keys).issubset(KEYS):
            # There may be millions of rows.
            return columns, bill.total_rows(stream, self._keys, self._rounding)
        rows = list(stream)
        self._add_footer(rows, selection)
        return columns, bill.bill_rows(rows, self._keys, self._rounding)

    def _add_footer(self, rows: Sequence[SummaryRow], selection: Selection) -> None:
        self._warn_of_absent_labels([row.group for row in rows])
        price = add_up(row.price for row in rows)
        self._command.footer = [
            self._total_line(price, sum(row.points for row in rows), selection),
            *self._rounding.notes(
                f"the exact total is {cells.decimal_text(price)}",
                [price],
                bill.total_sums(rows, self._keys),
            ),
        ]
        self._set_style({"Price": self._rounding.heading("Price")})

    def chart(self, selection: Selection, max_width: int) -> _Table:
        """Return the sums of each group, of which the command also has a chart."""
        from ratekit.cmd.output import bar_chart, summary_chart

        rows = list(self._reports.summary(selection, self._keys.keys, self._zone))
        self._add_footer(rows, selection)
        if rows:
            stdout = self._command.app.stdout
            screen = bar_chart.Screen.of(stdout, terminal_width(max_width) or _WIDTH)
            places = self._rounding.places
            chart = summary_chart.draw(rows, self._keys, self._zone, places, screen)
            self._command.chart = list(chart)
        columns = [*self._keys.columns(_SUMS), *_SUMS]
        return columns, bill.bill_rows(rows, self._keys, self._rounding)

    def pivot(self, selection: Selection, bucket: str) -> _Table:
        """Return the prices of each group in columns of time."""
        pivot = summary.pivot(self._reports, selection, self._keys.keys, bucket, self._zone)
        self._warn_of_absent_labels([row.group for row in pivot.rows])
        total = add_up(row.total for row in pivot.rows)
        self._command.footer = [
            self._total_line(total, pivot.points, selection),
            *self._rounding.notes(
                f"the exact total is {cells.decimal_text(total)}",
                [total],
                bill.pivot_sums(pivot, self._keys),
            ),
        ]
        times = [time_text(start.astimezone(self._zone), bucket) for start in pivot.starts]
        # The footer has the year.
        headings = {time: time[_HEADINGS.get(bucket, slice(None))] for time in times}
        self._set_style({**headings, "Total": self._rounding.heading("Total")})
        columns = self._keys.columns(("Total", *times))
        rows = bill.pivot_rows(pivot, self._keys, self._rounding)
        return [*columns, *times, "Total"], rows

    def compare(self, parsed_args: argparse.Namespace) -> _Table:
        """Return the prices of each group in two months."""
        (old, old_month), (new, new_month) = self._read_months(parsed_args)
        self.note_purge(old)
        changes = summary.compare(self._reports, old, new, self._keys.keys, self._zone)
        self._warn_of_absent_labels([change.group for change in changes])
        before, after = (
            add_up(change.old for change in changes),
            add_up(change.new for change in changes),
        )
        difference = EXACT.subtract(after, before)
        ratio = bill.ratio_text(before, after)
        text, exact = self._rounding.text, cells.decimal_text
        self._command.footer = [
            f"Total: price {text(before, currency=True)} in {old_month}, "
            f"{text(after, currency=True)} in {new_month}, difference {text(difference)}"
            + (f", ratio {ratio}" if ratio else ""),
            *self._rounding.notes(
                f"exactly {exact(before)}, {exact(after)} and {exact(difference)}",
                [before, after, difference],
                bill.change_sums(changes),
            ),
        ]
        limit = _LIMIT if parsed_args.limit is None else parsed_args.limit
        if 0 < limit < len(changes):
            count = count_text(len(changes) - limit, "more group")
            self._command.app.note(f"{count}; --limit 0 lists all")
            changes = changes[:limit]
        names = [*self._keys.columns(_CHANGES), *_CHANGES]
        self._command.table_columns = [name for name in names if name not in _WIDE_CHANGES]
        self._set_style({"Old": old_month, "New": new_month})
        return names, bill.change_rows(changes, self._keys, self._rounding)

    def _read_months(self, parsed_args: argparse.Namespace) -> list[tuple[Selection, str]]:
        """Return the two selections of ``--compare``, with the names of the months."""
        now = self._command.app.clock()
        scopes = options.read_scopes(parsed_args.scope, self._reports, self._ids_only)
        metrics = tuple(parsed_args.metric)
        months = []
        for word in parsed_args.compare:
            begin, end = instants.read_month("--compare", word, now, self._zone)
            name = time_text(begin.astimezone(self._zone), "month")
            if end > now:
                self._command.app.note(
                    f"{name} has not ended; it is compared as far as it is rated"
                )
            months.append((Selection(begin, end, scopes=scopes, metrics=metrics), name))
        if months[0] == months[1]:
            raise errors.OperatorError(f"--compare: both months are {months[0][1]}")
        return months

    def _total_line(self, price: Any, points: int, selection: Selection) -> str:
        begin, end = (
            local_text(instant.replace(microsecond=0), self._zone)
            for instant in (selection.begin, selection.end)
            if instant is not None
        )
        frames = count_text(points, "frame")
        return (
            f"Total: price {self._rounding.text(price, currency=True)}, {frames}, {begin} to {end}"
        )

    def _set_style(self, headings: dict[str, str]) -> None:
        self._command.style = Style(headings=headings, keys=len(self._keys.columns(())))

    def _warn_of_absent_labels(self, groups: Sequence[Group]) -> None:
        for key in itertools.filterfalse(KEYS.__contains__, self._keys.keys):
            if groups and all(group[key] is None for group in groups):
                self._command.app.note(f"warning: none of these frames has a label {key!r}")


def _groupby(words: Sequence[str] | None) -> tuple[str, ...]:
    if words is None:
        return ("scope", "metric")
    keys = [key.strip() for word in words for key in word.split(",")]
    return tuple(dict.fromkeys(key for key in keys if key))


def _require_fitting_options(parsed_args: argparse.Namespace, keys: Sequence[str]) -> None:
    """Refuse options that contradict one another.

    :raises ratekit.errors.OperatorError: some do
    """
    times = BUCKETS.intersection(keys)
    if parsed_args.chart and (len(keys) > 2 or len(times) > 1):
        raise errors.OperatorError(
            "--chart: expected one or two keys in --groupby, one of them a time at most, not "
            f"{','.join(keys)}"
        )
    if parsed_args.limit is not None and not parsed_args.compare:
        raise errors.OperatorError("--limit needs --compare")
    if parsed_args.pivot and times:
        raise errors.OperatorError(
            "--pivot and --groupby both have a time; remove that of --groupby"
        )
    if not parsed_args.compare:
        return
    if times:
        raise errors.OperatorError(f"--compare: expected no {min(times)} in --groupby")
    if any((parsed_args.month, parsed_args.begin, parsed_args.end)):
        raise errors.OperatorError("--compare names the months; remove --month, --begin and --end")

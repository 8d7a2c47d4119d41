"""The base classes of all commands: actions, lists and single records."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cliff import command, lister, show

from ratekit import errors
from ratekit.cmd.output import cells, layout
from ratekit.cmd.output.safe_formatter import SafeFormatter
from ratekit.cmd.output.table import FittingTable, Style, terminal_width
from ratekit.text import printable

if TYPE_CHECKING:
    from ratekit.cmd.ratekit import Ratekit


class _Command(command.Command):
    """A command with a short usage line and no epilog.

    :cvar arguments: required options and positional arguments, for the usage line
    """

    app: Ratekit
    arguments = ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return a parser that reports a wrong argument in two lines, without all options."""
        parser = super().get_parser(prog_name)
        parser.usage = f"%(prog)s [options]{self.arguments}"
        return parser

    def get_epilog(self) -> str:
        """Return no epilog: cliff would read the metadata of all installed packages for it."""
        return ""

    def confirm(self, question: str) -> bool:
        """Ask on the terminal; return whether the answer is yes.

        :raises ratekit.errors.OperatorError: there is no terminal
        """
        if not self.app.stdin.isatty():
            raise errors.OperatorError(
                "nothing was changed: confirmation needs a terminal; use --yes to confirm"
            )
        self.app.stdout.write(f"{printable(question)} [y/N] ")
        self.app.stdout.flush()
        return self.app.stdin.readline().strip().lower() in ("y", "yes")


class Action(_Command):
    """A command that makes a change or prints plain lines."""

    def print_line(self, line: str = "") -> None:
        """Print a line of output."""
        self.app.stdout.write(f"{printable(line)}\n")

    def print_table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print a table between lines of output."""
        options = argparse.Namespace(max_width=0, print_empty=True)
        formatter = SafeFormatter(FittingTable(Style()), "table")
        formatter.emit_list(columns, rows, self.app.stdout, options)


class Listing(_Command, lister.Lister):
    """A command that lists rows in the format of ``-f``.

    :cvar table_columns: the columns of a table unless ``-c`` chooses some; default: all
    :cvar has_ids: there is an option ``--ids``
    :ivar style: of a table
    :ivar footer: lines below a table, not in other formats: programs would add up a total twice
    :ivar empty_note: line on standard error if there are no rows, in all formats
    """

    table_columns: Sequence[str] = ()
    has_ids = False
    style = Style()
    footer: Sequence[str] = ()
    empty_note = ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the options of all lists."""
        parser = super().get_parser(prog_name)
        if self.has_ids:
            parser.add_argument(
                "--ids",
                action="store_true",
                help="show whole IDs in a table, and IDs of scopes in place of names",
            )
        return parser

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Print the rows, and below a table the footer.

        :raises ratekit.errors.OperatorError: ``-c`` or ``--sort-column`` names an unknown column
        """
        _require_columns((*parsed_args.columns, *parsed_args.sort_columns), column_names)
        rows = iter(data)
        first_rows = list(itertools.islice(rows, 1))
        if not first_rows and self.empty_note:
            self.app.note(self.empty_note)
        data = itertools.chain(first_rows, rows)
        if parsed_args.formatter == "table":
            whole_ids = self.has_ids and parsed_args.ids
            style = dataclasses.replace(self.style, whole_ids=whole_ids)
            self.formatter = FittingTable(style)
            parsed_args.columns = parsed_args.columns or list(self.table_columns)
        elif parsed_args.formatter == "csv":
            data = cells.fill_absent(data)
        self.formatter = SafeFormatter(self.formatter, parsed_args.formatter)
        code = super().produce_output(parsed_args, column_names, data)
        if parsed_args.formatter == "table":
            self._print_footer(terminal_width(parsed_args.max_width))
        return code

    def _print_footer(self, width: int | None) -> None:
        for text in map(printable, self.footer):
            for line in [text] if width is None else layout.wrap(text, width):
                self.app.stdout.write(f"{line}\n")


class Showing(_Command, show.ShowOne):
    """A command that shows the fields of one record in the format of ``-f``."""

    def produce_output(
        self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Sequence[Any]
    ) -> int:
        """Print the fields.

        :raises ratekit.errors.OperatorError: ``-c`` names an unknown field
        """
        _require_columns(parsed_args.columns, column_names)
        if parsed_args.formatter == "table":
            self.formatter = FittingTable(Style())
        elif parsed_args.formatter in ("shell", "value"):
            (data,) = cells.fill_absent([data])
        self.formatter = SafeFormatter(self.formatter, parsed_args.formatter)
        return super().produce_output(parsed_args, column_names, data)


def _require_columns(names: Iterable[str], columns: Sequence[str]) -> None:
    column_keys = set(map(_column_key, columns))
    for name in names:
        if _column_key(name) not in column_keys:
            raise errors.OperatorError(f"no column {name!r}; columns: {', '.join(columns)}")


def _column_key(name: str) -> str:
    """Return what cliff compares when it looks for a column."""
    return name.lower().strip().replace(" ", "_")

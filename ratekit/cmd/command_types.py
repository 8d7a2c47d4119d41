"""What the classes of commands have in common."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cliff import command, lister, show
from cliff.formatters import table

from ratekit import errors
from ratekit.cmd.output import cells

if TYPE_CHECKING:
    from ratekit.cmd.ratekit import Ratekit


class _Terse(command.Command):
    """A command that says no more than it is asked.

    :cvar arguments: its positional arguments, for the line that tells its usage
    """

    app: Ratekit
    arguments = ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return a parser that answers mistakes with two lines instead of all options."""
        parser = super().get_parser(prog_name)
        parser.usage = f"%(prog)s [options]{self.arguments}"
        return parser

    def get_epilog(self) -> str:
        """Return nothing: cliff would read the metadata of all that is installed."""
        return ""

    def confirmed(self, question: str) -> bool:
        """Ask on the terminal.

        :raises ratekit.errors.OperatorError: there is none
        """
        if not self.app.stdin.isatty():
            raise errors.OperatorError(
                "nothing was changed: there is no terminal to ask on; --yes makes the change"
            )
        self.app.stdout.write(f"{question} [y/N] ")
        self.app.stdout.flush()
        return self.app.stdin.readline().strip().lower() in ("y", "yes")


class Action(_Terse):
    """A command that does something."""

    def say(self, line: str) -> None:
        """Print a line of the answer."""
        self.app.stdout.write(f"{line}\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print a table as a part of the answer."""
        look = argparse.Namespace(max_width=0, fit_width=False, print_empty=True)
        aligned = cells.aligned(rows)
        table.TableFormatter().emit_list(columns, aligned, self.app.stdout, look)


class Listing(_Terse, lister.Lister):
    """A command that lists something, as ``-f`` says."""

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Print the rows.

        :raises ratekit.errors.OperatorError: ``-c`` or ``--sort-column`` names no column
        """
        _require_columns((*parsed_args.columns, *parsed_args.sort_columns), column_names)
        if parsed_args.formatter == "table":
            data = cells.aligned(data)
        elif parsed_args.formatter == "csv":
            data = cells.filled(data)
        return super().produce_output(parsed_args, column_names, data)


class Showing(_Terse, show.ShowOne):
    """A command that shows one thing, as ``-f`` says."""

    def produce_output(
        self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Sequence[Any]
    ) -> int:
        """Print the fields.

        :raises ratekit.errors.OperatorError: ``-c`` names none of them
        """
        _require_columns(parsed_args.columns, column_names)
        if parsed_args.formatter in ("shell", "value"):
            (data,) = cells.filled([data])
        return super().produce_output(parsed_args, column_names, data)


def _require_columns(asked: Iterable[str], known: Sequence[str]) -> None:
    names = {_plain(name) for name in known}
    for name in asked:
        if _plain(name) not in names:
            raise errors.OperatorError(f"no column {name!r}; there are: {', '.join(known)}")


def _plain(name: str) -> str:
    """Compare columns as cliff does."""
    return name.lower().strip().replace(" ", "_")

"""The last step of all output: texts from outside cannot act on a terminal, a shell or a sheet."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from cliff import columns
from cliff.formatters import base

from ratekit.text import printable, sheet_text

#: What a shell expands inside of double quotes; cliff escapes the quotes themselves.
_EXPANSION = re.compile(r"[\\$`]")


class SafeFormatter(base.ListFormatter, base.SingleFormatter):
    """Cleans what another formatter writes.

    :param inner: one of cliff's
    :param name: as in ``-f``; JSON and YAML escape by themselves and are left as they are
    """

    def __init__(self, inner: Any, name: str) -> None:
        self._inner = inner
        self._clean = _CLEANERS.get(name, _unchanged)

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of the inner formatter."""
        self._inner.add_argument_group(parser)

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write rows."""
        names = list(map(self._clean, column_names))
        # One by one: there may be millions.
        rows = (list(map(self._clean, row)) for row in data)
        self._inner.emit_list(names, rows, stdout, parsed_args)

    def emit_one(
        self,
        column_names: Sequence[str],
        data: Sequence[Any],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write one record."""
        self._inner.emit_one(column_names, list(map(self._clean, data)), stdout, parsed_args)


def _unchanged(value: Any) -> Any:
    return value


def _table_value(value: Any) -> Any:
    """Return a value for people; cells have cleaned their own text."""
    return printable(value) if isinstance(value, str) else value


def _plain_value(value: Any) -> Any:
    if isinstance(value, columns.FormattableColumn):
        # Python's notation of lists and dictionaries, which escapes the texts inside.
        value = str(value.machine_readable())
    return _table_value(value)


def _csv_value(value: Any) -> Any:
    plain = _plain_value(value)
    return sheet_text(plain) if isinstance(plain, str) else plain


def _shell_value(value: Any) -> Any:
    plain = _plain_value(value)
    return _EXPANSION.sub(r"\\\g<0>", plain) if isinstance(plain, str) else plain


_CLEANERS: Mapping[str, Callable[[Any], Any]] = {
    "table": _table_value,
    "value": _plain_value,
    "csv": _csv_value,
    "shell": _shell_value,
}

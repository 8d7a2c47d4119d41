"""Formats for programs are written row by row."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator

from cliff.formatters.commaseparated import CSVLister

from ratekit.cmd.output.safe_formatter import SafeFormatter


class Output(io.StringIO):
    """A stream that counts its lines."""

    def lines(self) -> int:
        """Return how many lines were written so far."""
        return self.getvalue().count("\n")


def test_a_row_is_written_before_the_next_but_one_is_read() -> None:
    output = Output()
    written = []

    def rows() -> Iterator[list[str]]:
        for number in range(5):
            written.append(output.lines())
            yield [str(number)]

    options = argparse.Namespace(quote_mode="minimal")
    SafeFormatter(CSVLister(), "csv").emit_list(["Number"], rows(), output, options)
    assert written == [1, 2, 3, 4, 5]

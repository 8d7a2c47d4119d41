"""CSV for spreadsheets, which must not take a text for a formula."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Generator, Iterable, Sequence
from decimal import Decimal
from typing import Any

from ratekit.text import number_text, printable, sheet_text

#: Media type.
CSV = "text/csv"


def write_rows(rows: Iterable[Sequence[Any]]) -> Generator[bytes, None, None]:
    """Yield lines of values: exact numbers, times, texts; None is empty."""
    for row in rows:
        line = io.StringIO()
        csv.writer(line).writerow(map(_cell, row))
        yield line.getvalue().encode()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return number_text(value)
        case datetime.datetime():
            return value.isoformat()
        case _:
            return sheet_text(printable(str(value)))

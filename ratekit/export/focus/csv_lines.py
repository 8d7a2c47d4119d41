"""CSV of charges."""

from __future__ import annotations

import csv
import datetime
import functools
import io
from collections.abc import Generator, Iterable, Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT, ZERO
from ratekit.export.focus.columns import COLUMNS
from ratekit.export.focus.usage_columns import Cells, Row
from ratekit.text import number_text, printable, sheet_text, utc_text

#: Characters that are written at once.
_CHUNK = 64 * 1024


def _text(text: str) -> str:
    """Write a text so that neither spreadsheets nor terminals obey it."""
    return sheet_text(printable(text))


@functools.lru_cache(maxsize=256)
def _time(instant: datetime.datetime) -> str:
    return utc_text(instant)


#: Exact numbers without exponents, times with ``Z``; null is empty.
CELLS = Cells(_text, number_text, _time)


def write(rows: Iterable[Row]) -> Generator[bytes, None, None]:
    """Yield the file in parts of limited size: names of the columns, and the rows.

    :param rows: with :data:`CELLS`
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([column.name for column in COLUMNS])
    for row in rows:
        writer.writerow(row)
        if buffer.tell() >= _CHUNK:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


class Tally:
    """Adds up a file that is read in parts.

    :ivar rows: number of charges
    :ivar frames: in them
    :ivar price: exact
    :ivar currency: of the last charge; empty: there is none
    """

    def __init__(self) -> None:
        self.rows = self.frames = 0
        self.price = ZERO
        self.currency = ""
        self._names: Sequence[str] = ()
        self._rest = b""

    def add(self, part: bytes) -> None:
        """Add the lines that end in a part; no text in a file has the end of a line.

        :raises ValueError: the file is another
        """
        *lines, self._rest = (self._rest + part).split(b"\r\n")
        for values in csv.reader(line.decode() for line in lines):
            if not self._names:
                self._names = values
                continue
            row = dict(zip(self._names, values, strict=True))
            self.rows += 1
            self.frames += int(row["x_FrameCount"])
            self.price = EXACT.add(self.price, Decimal(row["BilledCost"]))
            self.currency = row["BillingCurrency"]

"""How commands show numbers, times and texts: exactly to machines, legibly to people."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cliff import columns

from ratekit.domain import exact
from ratekit.domain.exact import ZERO
from ratekit.text import number_text

# Wide enough for every sum: only quantize() may round.
_ROUNDING = decimal.Context(prec=4000, rounding=decimal.ROUND_HALF_EVEN)

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


class Cell(columns.FormattableColumn[Any]):
    """A value that looks different to people and to machines, and sorts as what it is.

    :ivar text: what tables show
    :ivar machine: what other formats show
    :ivar point: place of the decimal point in ``text``; None where it has none
    """

    def __init__(self, key: Any, text: str, machine: Any, point: int | None = None) -> None:
        # Absent values sort last, whatever the others are.
        super().__init__((key is None, 0 if key is None else key))
        self.text = text
        self.point = point
        self.machine = machine

    def human_readable(self) -> str:
        """Return what tables show."""
        return self.text

    def machine_readable(self) -> Any:
        """Return what JSON, YAML, CSV and plain values show."""
        return self.machine


def amount(value: Decimal | None, places: int | None = None) -> Cell:
    """Show an amount to machines as text: JSON's numbers are binary to most who read them."""
    if value is None:
        return Cell(None, "", None, point=0)
    text = decimal_text(value, places)
    whole, _, _ = text.partition(".")
    return Cell(value, text, text, point=len(whole))


def optional(text: str | None) -> Cell:
    """Show a text that may be absent, and that others than operators may have chosen."""
    return Cell(text, "" if text is None else printable(text), text)


def duration(value: datetime.timedelta | None) -> Cell:
    """Show a length of time: ``1 d 4 h`` to people, seconds to machines."""
    if value is None:
        return Cell(None, "", None)
    rest = seconds = int(value.total_seconds())
    parts = []
    for unit, length in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return Cell(seconds, " ".join(parts[:2]) or "0", seconds)


def decimal_text(value: Decimal, places: int | None = None) -> str:
    """Write a number without exponent: exactly, or rounded half-even to ``places``."""
    if places is None:
        return number_text(value or ZERO)
    rounded = value.quantize(Decimal(1).scaleb(-places), context=_ROUNDING)
    return f"{rounded if rounded else rounded.copy_abs():f}"


def instant_text(instant: datetime.datetime, zone: datetime.tzinfo = datetime.UTC) -> str:
    """Write an instant as ISO 8601 in ``zone``; UTC as ``Z``."""
    local = instant.astimezone(zone)
    return local.isoformat().replace("+00:00", "Z") if not local.utcoffset() else local.isoformat()


def printable(text: str) -> str:
    """Replace letters that a terminal would obey."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def filled(rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Yield the rows with nothing in place of None, which cliff would spell out in a CSV."""
    for row in rows:
        for cell in row:
            if isinstance(cell, Cell) and cell.machine is None:
                cell.machine = ""
        yield row


def aligned(rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    """Return the rows with the decimal points of each column beneath one another."""
    table = list(rows)
    for column in zip(*table, strict=True):
        cells = [cell for cell in column if isinstance(cell, Cell) and cell.point is not None]
        width = max((cell.point or 0 for cell in cells), default=0)
        for cell in cells:
            cell.text = " " * (width - (cell.point or 0)) + cell.text
            cell.point = width
    return table


def ratio_text(value: Fraction) -> str:
    """Write a number exactly: as a decimal where it ends, else as a fraction."""
    ended = exact.ended(value)
    return str(value) if ended is None else decimal_text(ended)

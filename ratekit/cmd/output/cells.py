"""How commands show numbers, times and texts: exact for machines, readable for people."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cliff import columns

from ratekit.cmd.output import layout
from ratekit.domain import exact
from ratekit.domain.exact import ZERO
from ratekit.domain.series import Shared
from ratekit.text import duration_text, number_text, printable, second_text

#: Digits of a short amount that is below 1.
_SIGNIFICANT = 3


class Cell(columns.FormattableColumn[Any]):
    """A value with one form for tables and one for machines, sorted by its key.

    :ivar text: what tables show; safe for a terminal
    :ivar machine: what other formats show
    :ivar point: position of the decimal point in ``text``; None: it is not a number
    """

    def __init__(self, key: Any, text: str, machine: Any, point: int | None = None) -> None:
        # Absent values sort last, whatever the others are.
        super().__init__((key is None, 0 if key is None else key))
        self.text = printable(text)
        self.point = point
        self.machine = machine

    def human_readable(self) -> str:
        """Return what tables show."""
        return self.text

    def machine_readable(self) -> Any:
        """Return what JSON, YAML, CSV and plain values show."""
        return self.machine

    def lines(self, width: int | None) -> Sequence[str]:
        """Return what a record shows in so many columns of a terminal; None: as many as needed."""
        return (
            self.text.split("\n")
            if width is None
            else layout.wrap(self.text, width, parts=True, hanging=True)
        )


def block(key: Any, lines: Iterable[str], machine: Any) -> Cell:
    """Show several lines; line breaks inside of one are escaped."""
    cell = Cell(key, "", machine)
    cell.text = "\n".join(map(printable, lines))
    return cell


def amount(value: Decimal | None, places: int | None = None) -> Cell:
    """Show an amount; to machines as text, because most JSON parsers read numbers as binary."""
    if value is None:
        return Cell(None, "", None, point=0)
    text = decimal_text(value, places)
    whole, _, _ = text.partition(".")
    return Cell(value, text, text, point=len(whole))


def price(value: Decimal, places: int) -> Cell:
    """Show a price rounded in a table and exactly to machines."""
    cell = amount(value, places)
    cell.machine = decimal_text(value)
    return cell


def short_amount(value: Decimal | None, places: int) -> Cell:
    """Show an amount with few digits in a table and exactly to machines.

    :param places: digits after the point; small amounts have more, so that three are not 0
    """
    cell = amount(value)
    if value:
        places = max(places, _SIGNIFICANT - 1 - value.adjusted())
        cell.text = number_text(exact.round_places(value, places))
        cell.point = len(cell.text.partition(".")[0])
    return cell


def shared_fields(shared: Shared | None) -> Mapping[str, Cell]:
    """Show what a quantity is a share of, by names of columns; absent if it is not shared."""
    return {
        "Whole": amount(None if shared is None else shared.whole),
        "Share": amount(None if shared is None else shared.share),
    }


def optional(text: str | None) -> Cell:
    """Show a text that may be absent and may come from outside: a user or a back end."""
    return Cell(text, text or "", text)


def instant(value: datetime.datetime | None) -> Cell:
    """Show an instant that may be absent, in UTC, to the second."""
    return optional(None if value is None else second_text(value))


def labels(values: Mapping[str, str | None]) -> Cell:
    """Show labels as ``name=value``; to machines as an object."""
    return Cell(0, label_text(values), dict(values))


def label_text(values: Mapping[str, str | None]) -> str:
    """Write the labels that are present as ``name=value, name=value``."""
    return ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)


def duration(value: datetime.timedelta | None) -> Cell:
    """Show a length of time: ``1 d 4 h`` to people, seconds to machines."""
    if value is None:
        return Cell(None, "", None)
    seconds = int(value.total_seconds())
    return Cell(seconds, duration_text(value, limit=2) if seconds else "0", seconds)


def decimal_text(value: Decimal, places: int | None = None) -> str:
    """Write a number without exponent: exactly, or rounded half-even to ``places``."""
    if places is None:
        return number_text(value or ZERO)
    rounded = exact.round_places(value, places)
    return f"{rounded if rounded else rounded.copy_abs():f}"


def exact_texts(value: Any) -> Any:
    """Return a JSON value with its decimals as text, for the same reason as :func:`amount`."""
    match value:
        case Decimal():
            return decimal_text(value)
        case Mapping():
            return {key: exact_texts(entry) for key, entry in value.items()}
        case list() | tuple():
            return [exact_texts(entry) for entry in value]
        case _:
            return value


def fill_absent(rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Yield the rows with an empty text in place of None, which cliff would print as a word."""
    for row in rows:
        for cell in row:
            if isinstance(cell, Cell) and cell.machine is None:
                cell.machine = ""
        yield row

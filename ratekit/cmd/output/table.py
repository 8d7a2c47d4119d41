"""Tables that fit the terminal: IDs are shortened, texts wrapped, columns folded, in this order.

Numbers are never cut or wrapped.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import prettytable
from cliff import columns
from cliff.formatters import base

from ratekit.cmd.output import layout
from ratekit.cmd.output.cells import Cell

#: A column of texts is not made narrower than this.
_NARROWEST = 12
#: What the frame of a table takes: to the left of all columns, and for each column.
_FRAME, _FRAME_PER_COLUMN = 1, 3


@dataclasses.dataclass(frozen=True, slots=True)
class Style:
    """How a command wants its tables.

    :ivar headings: what stands above a column, by the column's name; default: its name
    :ivar keys: number of columns at the left that are repeated where the others are folded
    :ivar whole_ids: IDs are not shortened
    """

    headings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    keys: int = 1
    whole_ids: bool = False


def terminal_width(max_width: int) -> int | None:
    """Return how wide a table may be; None: the output is no terminal.

    :param max_width: of the option; 0: as wide as the terminal
    """
    return max_width if max_width > 0 else shutil.get_terminal_size((0, 0)).columns or None


class FittingTable(base.ListFormatter, base.SingleFormatter):
    """Draws tables as cliff does, as wide as the terminal at most."""

    def __init__(self, style: Style) -> None:
        self._style = style

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """Add no options: cliff's formatter, which this one replaces, has added its own."""

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write rows."""
        rows = list(data)
        headings = [self._style.headings.get(name, name) for name in column_names]
        table = [_Column.of(title, values) for title, values in _columns(headings, rows)]
        if rows or parsed_args.print_empty:
            for part in _fit(table, self._style, terminal_width(parsed_args.max_width)):
                stdout.write(f"{_draw(part)}\n")

    def emit_one(
        self,
        column_names: Sequence[str],
        data: Sequence[Any],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write one record."""
        width = terminal_width(parsed_args.max_width)
        if width is not None:
            names_width = max(map(layout.text_width, ("Field", *column_names)))
            width = max(_NARROWEST, width - names_width - _FRAME - 2 * _FRAME_PER_COLUMN)
        values = ["\n".join(_record_lines(value, width)) for value in data]
        stdout.write(f"{_draw([_Column('Field', column_names), _Column('Value', values)])}\n")


@dataclasses.dataclass(frozen=True)
class _Column:
    """A column as text.

    :ivar number: it contains numbers, which are aligned and never wrapped
    """

    title: str
    texts: Sequence[str]
    number: bool = False

    @classmethod
    def of(cls, title: str, values: Sequence[Any]) -> _Column:
        """Return a column of cells."""
        texts = list(map(_text, values))
        if not any(map(_is_number, values)):
            return cls(title, texts)
        return cls(title, _align(texts, values), number=True)

    @functools.cached_property
    def width(self) -> int:
        """How wide the column is without wraps."""
        return max(map(layout.text_width, (self.title, *self.texts)))

    @functools.cached_property
    def word_floor(self) -> int:
        """How narrow the column can be if words stay whole."""
        return self._floor(parts=False)

    @functools.cached_property
    def part_floor(self) -> int:
        """How narrow the column can be if words are wrapped at punctuation."""
        return self._floor(parts=True)

    def _floor(self, *, parts: bool) -> int:
        if self.number:
            return self.width
        words = (layout.longest_word(text, parts=parts) for text in self.texts)
        return min(self.width, max(_NARROWEST, layout.text_width(self.title), *words, 0))

    def with_short_ids(self) -> _Column:
        """Return the column with the starts of its IDs."""
        if self.number:
            return self
        return _Column(self.title, list(map(layout.shorten_ids, self.texts)))

    def wrap(self, width: int, *, parts: bool) -> _Column:
        """Return the column with wraps."""

        if self.number:
            return self
        texts = ["\n".join(layout.wrap(text, width, parts=parts)) for text in self.texts]
        return _Column(self.title, texts)


def _columns(
    headings: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, Sequence[Any]]]:
    for index, title in enumerate(headings):
        yield title, [row[index] for row in rows]


def _text(value: Any) -> str:
    if isinstance(value, columns.FormattableColumn):
        value = value.human_readable()
    return str(value)


def _record_lines(value: Any, width: int | None) -> Sequence[str]:
    cell = value if isinstance(value, Cell) else Cell(0, str(value), value)
    return cell.lines(width)


def _is_number(value: Any) -> bool:
    if isinstance(value, Cell):
        return value.point is not None
    return isinstance(value, int) and not isinstance(value, bool)


def _point(value: Any) -> int:
    """Return how many characters stand before the decimal point; 0: it is no number."""
    if not _is_number(value):
        return 0
    return value.point or 0 if isinstance(value, Cell) else len(str(value))


def _align(texts: Sequence[str], values: Sequence[Any]) -> list[str]:
    """Return numbers with their decimal points beneath one another, and words at the right."""
    point = max(map(_point, values))
    shifted = [
        " " * (point - _point(value)) + text if _is_number(value) and text else text
        for value, text in zip(values, texts, strict=True)
    ]
    width = max(map(len, shifted))
    return [
        text.ljust(width) if _is_number(value) else text.rjust(width)
        for value, text in zip(values, shifted, strict=True)
    ]


def _table_width(widths: Sequence[int]) -> int:
    return _FRAME + sum(widths) + _FRAME_PER_COLUMN * len(widths)


def _fit(table: Sequence[_Column], style: Style, width: int | None) -> list[Sequence[_Column]]:
    """Return one table, or several where the columns do not fit beside one another."""
    if width is None or _table_width([column.width for column in table]) <= width:
        return [table]
    if not style.whole_ids:
        table = [column.with_short_ids() for column in table]
    for parts in (False, True):
        if (wrapped := _shrink(table, width, parts=parts)) is not None:
            return [wrapped]
    return _fold(table, style.keys, width)


def _shrink(table: Sequence[_Column], width: int, *, parts: bool) -> Sequence[_Column] | None:
    """Return the table with its widest columns wrapped; None: it is still too wide."""
    widths = [column.width for column in table]
    floors = [column.part_floor if parts else column.word_floor for column in table]
    if _table_width(floors) > width:
        return None
    while _table_width(widths) > width:
        shrinkable = [index for index, floor in enumerate(floors) if widths[index] > floor]
        widths[max(shrinkable, key=widths.__getitem__)] -= 1
    return [column.wrap(limit, parts=parts) for column, limit in zip(table, widths, strict=True)]


def _fold(table: Sequence[_Column], keys: int, width: int) -> list[Sequence[_Column]]:
    """Return few tables that begin with the same columns and fit, if each column does."""
    if any(_shrink([*table[:keys], column], width, parts=True) is None for column in table[keys:]):
        keys = 1
    whole, parted = (list(_parts(table, keys, width, parts=parts)) for parts in (False, True))
    return parted if len(parted) < len(whole) else whole


def _parts(
    table: Sequence[_Column], keys: int, width: int, *, parts: bool
) -> Iterator[Sequence[_Column]]:
    """Yield tables with as many columns as fit; each has at least one besides the keys."""
    start = keys
    while start < len(table):
        for end in range(len(table), start, -1):
            section = [*table[:keys], *table[start:end]]
            if (wrapped := _shrink(section, width, parts=parts)) is not None:
                yield wrapped
                break
        else:
            end = start + 1
            yield _shrink(section, width, parts=True) or section
        start = end


def _draw(table: Sequence[_Column]) -> str:
    drawing = prettytable.PrettyTable()
    titles: set[str] = set()
    for column in table:
        title = column.title
        while title in titles:  # the library refuses equal titles
            title += " "
        titles.add(title)
        drawing.add_column(title, list(column.texts), "r" if column.number else "l")
    return str(drawing.get_string())

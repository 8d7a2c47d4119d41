"""Bars in a terminal: one for each line, with its name, its parts and its sum."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TextIO

import plotext

from ratekit.cmd.output import layout
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.bill import add_up

#: What parts are drawn with, by colour, and without: a character of its own for each.
_BLOCK, _BLOCKS, _LETTERS = "█", "█▒░▓#=", "#=+ox."
#: Bright colours of a terminal: blue, yellow, green, magenta, cyan, red.
_COLOURS = (12, 11, 10, 13, 14, 9)
#: Parts that can be told apart.
MAX_PARTS = len(_COLOURS)
#: Columns of the longest name, and of the shortest bars.
_NAME, _SHORTEST = 24, 10
_RESET = "\x1b[0m"


class Bar(NamedTuple):
    """A bar.

    :ivar parts: exact amounts by the parts' names, which may be below zero
    """

    name: str
    parts: Mapping[str, Decimal]

    @property
    def total(self) -> Decimal:
        """The exact sum."""
        return add_up(self.parts.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Screen:
    """What a terminal can show.

    :ivar width: columns
    :ivar blocks: it has letters beyond ASCII
    :ivar colours: it may be coloured
    """

    width: int
    blocks: bool
    colours: bool

    @classmethod
    def of(cls, stream: TextIO, width: int) -> Screen:
        """Return what the terminal behind a stream can show, and its user wants (NO_COLOR)."""
        try:
            _BLOCKS.encode(stream.encoding or "ascii")
            blocks = True
        except UnicodeEncodeError:
            blocks = False
        environ = os.environ
        colours = not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
        return cls(width, blocks, colours)


def draw(
    bars: Sequence[Bar], parts: Sequence[str], write: Callable[[Decimal], str], screen: Screen
) -> Iterator[str]:
    """Yield the lines of a chart: the legend if there are several parts, and the bars.

    :param bars: at least one; with printable names
    :param parts: their parts' names in order, at most :data:`MAX_PARTS`
    :param write: how a sum is written
    """
    markers = [_marker(index, screen) for index in range(len(parts))]
    if len(parts) > 1:
        yield from _write_legend(parts, markers, screen)
    names = [_fit(bar.name) for bar in bars]
    sums = [write(bar.total) for bar in bars]
    name_width = max(map(layout.text_width, names))
    sum_width = max(map(len, sums))
    width = max(_SHORTEST, screen.width - name_width - sum_width - 2)
    rows = _draw_bars(bars, parts, markers, width, screen)
    for name, row, total in zip(names, rows, sums, strict=True):
        indent = " " * (name_width - layout.text_width(name))
        yield f"{name}{indent} {row} {total:>{sum_width}}"


def _write_legend(parts: Sequence[str], markers: Sequence[str], screen: Screen) -> Iterator[str]:
    line, width = "", 0
    for index, (part, marker) in enumerate(zip(parts, markers, strict=True)):
        name = _fit(part)
        entry_width = layout.text_width(name) + 2
        if line and width + 2 + entry_width > screen.width:
            yield line
            line, width = "", 0
        separator = "  " if line else ""
        line += f"{separator}{_paint(marker, index, screen)} {name}"
        width += len(separator) + entry_width
    yield line


def _marker(index: int, screen: Screen) -> str:
    if screen.blocks and screen.colours:
        return _BLOCK
    return (_BLOCKS if screen.blocks else _LETTERS)[index]


def _paint(text: str, index: int, screen: Screen) -> str:
    return f"\x1b[38;5;{_COLOURS[index]}m{text}{_RESET}" if screen.colours else text


def _fit(name: str) -> str:
    while layout.text_width(name) > _NAME:
        name = name[: -1 - len(layout.ELLIPSIS)] + layout.ELLIPSIS
    return name


def _draw_bars(
    bars: Sequence[Bar], parts: Sequence[str], markers: Sequence[str], width: int, screen: Screen
) -> Iterator[str]:
    """Yield a line for each bar."""
    highest = max(_side(bar, 1) for bar in bars)
    lowest = min(_side(bar, -1) for bar in bars)
    # Of any size, so that no binary number is too large or too small.
    scale = max(highest, lowest.copy_abs()) or Decimal(1)
    limits = float(lowest / scale), float(highest / scale) if highest or lowest else 1.0
    pixels = [plotext.marker(marker, pixel=_COLOURS[index]) for index, marker in enumerate(markers)]
    # The width was chosen by whoever calls.
    plotext.terminal.limit(False, False)
    figure: Any = plotext.figure
    for bar in bars:
        figure.clear()
        figure.theme("simple")
        figure.axes(False)
        figure.plot_size(width, 1)
        for sign in (1, -1):
            lengths = [[_length(bar, part, sign, scale)] for part in parts]
            if any(map(any, lengths)):
                figure.draw(
                    figure.bar(
                        [1], lengths, stacked=True, orientation="h", marker=pixels, width=0.01,
                        fill=False,
                    )
                )  # fmt: skip
        for axis in ("x", "y"):
            figure.ruler(axis).ticks([], labels=[])
        figure.ruler("y").lim(0, 2)
        figure.ruler("x").lim(*limits)
        yield from figure.build().string(colorless=not screen.colours).splitlines()


def _side(bar: Bar, sign: int) -> Decimal:
    """Return the sum of the parts above zero, or of those below."""
    return add_up(value for value in bar.parts.values() if EXACT.multiply(value, sign) > 0)


def _length(bar: Bar, part: str, sign: int, scale: Decimal) -> float:
    value = bar.parts.get(part, ZERO)
    return float(value / scale) if EXACT.multiply(value, sign) > 0 else 0.0

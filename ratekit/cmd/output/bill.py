"""Bills: totals, columns of time and comparisons, with subtotals and what rounding did to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from ratekit.admin import summary
from ratekit.cmd.output import cells
from ratekit.cmd.output.key_columns import KeyColumns
from ratekit.domain.exact import ZERO, round_places, round_ratio
from ratekit.domain.reporting.bill import add_up, rounding_gap
from ratekit.domain.reporting.reports import SummaryRow
from ratekit.text import count_text

#: Decimal places of a ratio, for people and for programs.
_RATIO_PLACES, _RATIO_DIGITS = 2, 6
_SUBTOTAL, _TOTAL = "subtotal", "total"

Cells = Sequence[Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Rounding:
    """How prices are shown.

    :ivar places: decimal places in a table
    :ivar everywhere: programs get rounded prices, too
    :ivar currency: its name; empty: none
    """

    places: int
    everywhere: bool
    currency: str

    def cell(self, price: Decimal) -> cells.Cell:
        """Show a price."""
        if self.everywhere:
            return cells.amount(price, self.places)
        return cells.price(price, self.places)

    def text(self, price: Decimal, *, currency: bool = False) -> str:
        """Write a price for people."""
        text = cells.decimal_text(price, self.places)
        return f"{text} {self.currency}" if currency and self.currency else text

    def heading(self, name: str) -> str:
        """Return the heading of a column of prices."""
        return f"{name} ({self.currency})" if self.currency else name

    def notes(
        self, exact: str, totals: Iterable[Decimal], sums: Sequence[Sequence[Decimal]]
    ) -> Iterator[str]:
        """Yield what people must know of rounded totals; nothing if they are exact.

        :param exact: the totals, exactly, in words
        :param sums: the summands of all printed sums
        """
        if any(round_places(total, self.places) != total for total in totals):
            yield f"Rounded to {count_text(self.places, 'place')}; {exact}."
        if gap := rounding_gap(sums, self.places):
            text = cells.decimal_text(gap)
            yield f"Each price is rounded; sums of printed prices differ by up to {text}."


def total_rows(rows: Iterable[SummaryRow], keys: KeyColumns, rounding: Rounding) -> Iterator[Cells]:
    """Yield a row for each group, as they come."""
    for row, titles in _with_titles(rows, keys):
        quantity = cells.short_amount(row.quantity, rounding.places)
        yield [*titles, row.points, quantity, cells.optional(row.unit), rounding.cell(row.price)]


def bill_rows(rows: Sequence[SummaryRow], keys: KeyColumns, rounding: Rounding) -> Iterator[Cells]:
    """Yield a row for each group, and for people a subtotal for each scope of several."""
    for section in keys.sections(rows):
        yield from total_rows(section, keys, rounding)
        if keys.has_subtotals and len(section) > 1:
            points, price = sum(row.points for row in section), add_up(row.price for row in section)
            empty = cells.amount(None), cells.optional(None)
            yield [*keys.title(_SUBTOTAL, 1), points, *empty, rounding.cell(price)]


def total_sums(rows: Sequence[SummaryRow], keys: KeyColumns) -> list[list[Decimal]]:
    """Return the summands of each subtotal, and of the total from rows and from subtotals."""
    sections = [[row.price for row in section] for section in keys.sections(rows)]
    return [*sections, *_grand_totals(sections)]


def pivot_rows(pivot: summary.Pivot, keys: KeyColumns, rounding: Rounding) -> Iterator[Cells]:
    """Yield a row for each group, and for people subtotals and a total."""
    sections = keys.sections(pivot.rows)
    for section in sections:
        for row, titles in _with_titles(section, keys):
            yield [*titles, *_price_cells(pivot, [row], rounding)]
        if keys.has_subtotals and len(section) > 1:
            yield [*keys.title(_SUBTOTAL, 1), *_price_cells(pivot, section, rounding)]
    if keys.bill and len(pivot.rows) > 1:
        yield [*keys.title(_TOTAL, 0), *_price_cells(pivot, pivot.rows, rounding)]


def pivot_sums(pivot: summary.Pivot, keys: KeyColumns) -> list[list[Decimal]]:
    """Return the summands of each printed sum: of rows, of columns, and of both."""
    sums = [list(row.prices.values()) for row in pivot.rows]
    sections = keys.sections(pivot.rows)
    for section in sections:
        sums.append([price for _, price in _column_prices(pivot, section)])
    sums.append([price for _, price in _column_prices(pivot, pivot.rows)])
    for start in pivot.starts:
        column = [
            [row.prices[start] for row in section if start in row.prices] for section in sections
        ]
        sums += [*column, *_grand_totals(column)]
    totals = [[row.total for row in section] for section in sections]
    return [*sums, *totals, *_grand_totals(totals)]


def change_rows(
    changes: Iterable[summary.PriceChange], keys: KeyColumns, rounding: Rounding
) -> Iterator[Cells]:
    """Yield a row for each group."""
    for change in changes:
        yield [
            *keys.values(change.group),
            *map(rounding.cell, (change.old, change.new, change.difference)),
            _ratio_cell(change),
            cells.short_amount(change.old_quantity, rounding.places),
            cells.short_amount(change.new_quantity, rounding.places),
            cells.optional(change.unit),
        ]


def change_sums(changes: Sequence[summary.PriceChange]) -> list[list[Decimal]]:
    """Return the summands of each column; and of each new price, which is old and difference."""
    columns = [
        [change.old for change in changes],
        [change.new for change in changes],
        [change.difference for change in changes],
    ]
    total = [add_up(columns[0]), add_up(columns[2])]
    return [*columns, total, *([change.old, change.difference] for change in changes)]


def ratio_text(old: Decimal, new: Decimal) -> str | None:
    """Write how many times as much the new price is; None: the old one is 0."""
    ratio = summary.ratio(old, new)
    if ratio is None:
        return None
    return cells.decimal_text(round_ratio(*ratio.as_integer_ratio(), _RATIO_PLACES), _RATIO_PLACES)


def _ratio_cell(change: summary.PriceChange) -> cells.Cell:
    ratio = summary.ratio(change.old, change.new)
    text = ratio_text(change.old, change.new)
    if ratio is None or text is None:
        return cells.Cell(None, "new" if change.new else "", None)
    cell = cells.amount(round_ratio(*ratio.as_integer_ratio(), _RATIO_DIGITS))
    return cells.Cell(ratio, text, cell.machine, point=text.index("."))


def _with_titles(section: Iterable[Any], keys: KeyColumns) -> Iterator[tuple[Any, Cells]]:
    """Yield rows with the values of their key columns; a scope is named once."""
    for index, row in enumerate(section):
        titles = keys.values(row.group)
        if index and keys.has_subtotals:
            titles[0] = cells.optional(None)
        yield row, titles


def _column_prices(
    pivot: summary.Pivot, rows: Sequence[summary.PivotRow]
) -> Iterator[tuple[bool, Decimal]]:
    """Yield for each column whether the rows have frames there, and their price."""
    for start in pivot.starts:
        prices = [row.prices[start] for row in rows if start in row.prices]
        yield bool(prices), add_up(prices)


def _price_cells(
    pivot: summary.Pivot, rows: Sequence[summary.PivotRow], rounding: Rounding
) -> Cells:
    prices = list(_column_prices(pivot, rows))
    columns = [rounding.cell(price) if used else cells.amount(None) for used, price in prices]
    return [*columns, rounding.cell(add_up(price for _, price in prices))]


def _grand_totals(sections: Sequence[Sequence[Decimal]]) -> list[list[Decimal]]:
    """Return the summands of a total: all rows, and all subtotals."""
    return [
        [price for section in sections for price in section],
        [*map(add_up, sections)] or [ZERO],
    ]

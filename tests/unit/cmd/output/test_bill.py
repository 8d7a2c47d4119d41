"""Printed sums are exact sums that were rounded once."""

from __future__ import annotations

import datetime
import decimal
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ratekit.admin.summary import Pivot, PivotRow
from ratekit.cmd.output import bill
from ratekit.cmd.output.key_columns import KeyColumns
from ratekit.domain.reporting.reports import StateRow, SummaryRow

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
DAYS = [START + datetime.timedelta(days=day) for day in range(3)]
PRICES = st.decimals("-1e12", "1e12", allow_nan=False, places=28) | st.sampled_from(
    [Decimal("0.005"), Decimal("0.015"), Decimal("-0.005"), Decimal("1e-28"), Decimal(0)]
)
SCOPES = [
    StateRow(id_, name, START, True, 0, None, None, START, "static", "gnocchi", "project_id")
    for id_, name in (("1", "zoe"), ("2", "amy"), ("3", ""))
]
KEYS = KeyColumns(("scope", "metric"), SCOPES, bill=True, ids=False)
GROUPS = st.tuples(st.sampled_from("123"), st.sampled_from("abcd"))


def rounded_once(prices: list[Decimal], places: int) -> Decimal:
    """Return the sum by rational arithmetic, rounded half-even."""
    total = sum(map(Fraction, prices), Fraction(0))
    with decimal.localcontext(decimal.Context(prec=400)):
        return Decimal(round(total * 10**places)).scaleb(-places)


def printed(row: list[Any], column: int) -> Fraction:
    """Return a number as it is printed."""
    return Fraction(row[column].text)


def said_gap(notes: list[str]) -> Fraction:
    """Return by how much printed sums are said to differ."""
    match = re.search(r"differ by up to ([0-9.]+)\.$", notes[-1]) if notes else None
    return Fraction(match[1]) if match else Fraction(0)


@given(prices=st.dictionaries(GROUPS, PRICES, min_size=1), places=st.integers(0, 28))
def test_subtotals_and_the_total(prices: dict[tuple[str, str], Decimal], places: int) -> None:
    rounding = bill.Rounding(places, everywhere=False, currency="")
    rows = [
        SummaryRow({"scope": scope, "metric": metric}, 1, Decimal(1), "x", price)
        for (scope, metric), price in sorted(prices.items())
    ]
    subtotals = {}
    gaps = [Fraction(0)]
    summands: list[Fraction] = []
    name = ""
    table = [list(row) for row in bill.bill_rows(rows, KEYS, rounding)]
    for row in table:
        name = row[0].text or name
        price = printed(row, -1)
        if row[1].text == "subtotal":
            subtotals[name] = price
            gaps.append(abs(price - sum(summands)))
            summands = []
        else:
            summands = [*summands, price] if not row[0].text else [price]
    parts: dict[str, list[Decimal]] = {"zoe": [], "amy": [], "3": []}
    for (scope, _), group_price in prices.items():
        parts[{"1": "zoe", "2": "amy", "3": "3"}[scope]].append(group_price)
    assert subtotals == {
        name: Fraction(rounded_once(summands, places))
        for name, summands in parts.items()
        if len(summands) > 1
    }
    every = list(prices.values())
    assert Decimal(rounding.text(sum_exactly(every))) == rounded_once(every, places)
    notes = list(rounding.notes("", [sum_exactly(every)], bill.total_sums(rows, KEYS)))
    assert said_gap(notes) >= max(gaps)
    assert bool(notes) or sum_exactly(every) == rounded_once(every, places)


def sum_exactly(prices: list[Decimal]) -> Decimal:
    """Return the exact sum."""
    with decimal.localcontext(decimal.Context(prec=400, traps=[decimal.Inexact])):
        return sum(prices, Decimal(0))


@given(
    prices=st.dictionaries(
        GROUPS, st.dictionaries(st.sampled_from(DAYS), PRICES, min_size=1), min_size=2
    ),
    places=st.integers(0, 28),
)
def test_the_sums_of_a_pivot(
    prices: dict[tuple[str, str], dict[datetime.datetime, Decimal]], places: int
) -> None:
    rounding = bill.Rounding(places, everywhere=False, currency="")
    rows = [
        PivotRow({"scope": scope, "metric": metric}, columns)
        for (scope, metric), columns in sorted(prices.items())
    ]
    pivot = Pivot(DAYS, rows, len(rows))
    table = [list(row) for row in bill.pivot_rows(pivot, KEYS, rounding)]
    last = table[-1]
    assert last[0].text == "total"
    for index, day in enumerate(DAYS):
        column = [columns[day] for columns in prices.values() if day in columns]
        if column:
            assert printed(last, 2 + index) == Fraction(rounded_once(column, places))
    every = [price for columns in prices.values() for price in columns.values()]
    assert printed(last, -1) == Fraction(rounded_once(every, places))
    gap = max(
        abs(printed(row, -1) - sum(printed(row, index) for index in (2, 3, 4) if row[index].text))
        for row in table
    )
    notes = list(rounding.notes("", [], bill.pivot_sums(pivot, KEYS)))
    assert said_gap(notes) >= gap

"""Numbers and times for people to look at."""

from __future__ import annotations

import datetime
import zoneinfo
from decimal import Decimal

import pytest

from ratekit.html.formats import Formats

_BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        ("0", 2, "0.00 EUR"),
        ("1234.565", 2, "1,234.56 EUR"),
        ("-1234.575", 2, "-1,234.58 EUR"),
        ("0.004", 2, "<0.01 EUR"),
        ("-0.004", 2, ">-0.01 EUR"),
        ("0.005", 2, "<0.01 EUR"),
        ("0.4", 0, "<1 EUR"),
        ("1E+20", 2, "100,000,000,000,000,000,000.00 EUR"),
        ("12345678901234567890123456789012345678.999", 0,
         "12,345,678,901,234,567,890,123,456,789,012,345,679 EUR"),
    ],
)  # fmt: skip
def test_money(amount: str, decimals: int, text: str) -> None:
    assert Formats(currency="EUR", decimals=decimals).money(Decimal(amount)) == text


def test_without_a_currency_there_is_no_unit() -> None:
    assert Formats().money(Decimal(1)) == "1.00"
    assert Formats(currency="EUR").money(None) == "—"


@pytest.mark.parametrize(
    ("quantity", "text"),
    [("1234.5", "1,234.5 GiB"), ("1000", "1,000 GiB"), ("0.0001", "<0.001 GiB"), ("0", "0 GiB")],
)
def test_quantity(quantity: str, text: str) -> None:
    assert Formats().quantity(Decimal(quantity), "GiB") == text


def test_a_time_names_its_zone_so_that_no_hour_is_ambiguous() -> None:
    formats = Formats(_BERLIN)
    instant = datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.UTC)
    assert formats.instant(instant) == "2026-10-25 02:30 CEST"
    assert formats.instant(instant + datetime.timedelta(hours=1)) == "2026-10-25 02:30 CET"
    assert formats.zone_name == "Europe/Berlin"


@pytest.mark.parametrize(
    ("begin", "end", "text"),
    [
        ("2026-03-01T00:00+01:00", "2026-04-01T00:00+02:00", "2026-03-01 to 2026-03-31"),
        ("2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00", "2026-03-29"),
        ("2026-03-01T10:00+01:00", "2026-03-01T11:00+01:00", "2026-03-01 10:00 to 11:00 CET"),
        ("2026-03-01T10:00+01:00", "2026-03-02T11:00+01:00",
         "2026-03-01 10:00 CET to 2026-03-02 11:00 CET"),
        ("2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00",
         "2026-10-25 02:00 CEST to 2026-10-25 02:00 CET"),
    ],
)  # fmt: skip
def test_period(begin: str, end: str, text: str) -> None:
    first, last = map(datetime.datetime.fromisoformat, (begin, end))
    assert Formats(_BERLIN).period(first, last) == text


def test_hours_that_clocks_show_twice_are_told_apart() -> None:
    first = datetime.datetime(2026, 10, 24, 23, tzinfo=datetime.UTC)
    hours = [first + datetime.timedelta(hours=number) for number in range(4)]
    assert Formats(_BERLIN).starts(hours, "%H:%M") == ["01:00", "02:00 CEST", "02:00 CET", "03:00"]

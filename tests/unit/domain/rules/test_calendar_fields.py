import datetime

import pytest

from ratekit.domain.rules import calendar_fields


@pytest.mark.parametrize(
    ("begin", "year", "month", "day", "week"),
    [
        ("2026-01-01T00:00:00+00:00", "2026", "1", "1", "00"),
        ("2026-01-03T23:00:00+00:00", "2026", "1", "3", "00"),
        ("2026-01-04T00:00:00+00:00", "2026", "1", "4", "01"),
        ("2024-12-31T23:00:00+00:00", "2024", "12", "366", "52"),
        ("2023-12-31T23:00:00+00:00", "2023", "12", "365", "53"),
    ],
)
def test_fields_are_spelt_as_cloudkitty_spells_them(
    begin: str, year: str, month: str, day: str, week: str
) -> None:
    assert calendar_fields.fields(datetime.datetime.fromisoformat(begin)) == {
        "year": year,
        "month": month,
        "day_of_the_year": day,
        "week_of_the_year": week,
    }


def test_fields_are_those_of_utc_wherever_the_instant_was_written() -> None:
    newyear = datetime.datetime.fromisoformat("2026-01-01T00:30:00+01:00")
    assert calendar_fields.fields(newyear)["year"] == "2025"


def test_a_day_runs_from_midnight_to_midnight_utc() -> None:
    since, until = calendar_fields.day(datetime.datetime.fromisoformat("2026-03-29T23:59:59+00:00"))
    assert since.isoformat() == "2026-03-29T00:00:00+00:00"
    assert until.isoformat() == "2026-03-30T00:00:00+00:00"

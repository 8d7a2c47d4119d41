"""Labels of the calendar: how they are spelled, and which rules they never match."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from ratekit.domain.rules import calendar_labels
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms, ThresholdRule

TERMS = Terms(Decimal(1), CostType.FLAT)


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
def test_labels_are_spelled_as_cloudkitty_spells_them(
    begin: str, year: str, month: str, day: str, week: str
) -> None:
    assert calendar_labels.read(datetime.datetime.fromisoformat(begin)) == {
        "year": year,
        "month": month,
        "day_of_the_year": day,
        "week_of_the_year": week,
    }


def test_labels_are_those_of_utc_whatever_the_zone_of_the_instant() -> None:
    new_year = datetime.datetime.fromisoformat("2026-01-01T00:30:00+01:00")
    assert calendar_labels.read(new_year)["year"] == "2025"


def test_a_day_runs_from_midnight_to_midnight_utc() -> None:
    instant = datetime.datetime.fromisoformat("2026-03-29T23:59:59+00:00")
    since, until = calendar_labels.utc_day(instant)
    assert since.isoformat() == "2026-03-29T00:00:00+00:00"
    assert until.isoformat() == "2026-03-30T00:00:00+00:00"


# Rules that can never match -----------------------------------------------------------------


def mapping_mismatch(label: str | None, value: str | None) -> str | None:
    rule = MappingRule(RuleTarget("cpu", label), value, TERMS)
    return calendar_labels.explain_mismatch(rule)


def threshold_mismatch(label: str | None, level: Decimal) -> str | None:
    rule = ThresholdRule(RuleTarget("cpu", label), level, TERMS)
    return calendar_labels.explain_mismatch(rule)


def test_the_labels_of_every_day_can_match() -> None:
    day = datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC)
    while day.year < 2029:
        for label, value in calendar_labels.read(day).items():
            assert mapping_mismatch(label, value) is None, (label, value)
            assert threshold_mismatch(label, Decimal(value)) is None, (label, value)
        day += datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("label", "value", "spelling"),
    [
        *(("month", value, "months are 1 to 12, without") for value in ("03", "0", "13", "May")),
        *(("day_of_the_year", value, "days are 1 to 366") for value in ("0", "01", "367", "400")),
        *(("week_of_the_year", value, "weeks are 00 to 53") for value in ("5", "54", "053", "")),
        *(("year", value, "a year has four digits") for value in ("26", "02026", "1e3", "٢٠٢٦")),
    ],
)
def test_another_spelling_never_matches(label: str, value: str, spelling: str) -> None:
    reason = mapping_mismatch(label, value)
    assert reason is not None
    assert reason.startswith(f"{value!r} never matches: {spelling}")


@pytest.mark.parametrize(
    ("label", "highest"),
    [("month", 12), ("day_of_the_year", 366), ("week_of_the_year", 53), ("year", 9999)],
)
def test_a_level_above_the_highest_value_is_never_reached(label: str, highest: int) -> None:
    assert threshold_mismatch(label, Decimal(highest)) is None
    reason = threshold_mismatch(label, Decimal(highest) + Decimal("0.1"))
    assert reason == f"never reached: {label} is at most {highest}"


def test_other_labels_may_have_any_value() -> None:
    assert mapping_mismatch("flavor", "013") is None
    assert mapping_mismatch(None, None) is None
    assert threshold_mismatch(None, Decimal(10**9)) is None

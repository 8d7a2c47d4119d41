"""What a field of the calendar never is."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from ratekit.domain.rules import calendar_fields
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms, ThresholdRule

TERMS = Terms(Decimal(1), CostType.FLAT)


def mapping(field: str | None, value: str | None) -> str | None:
    """Return what is said of a mapping."""
    return calendar_fields.complaint(MappingRule(RuleTarget("cpu", field), value, TERMS))


def test_what_a_day_has_is_never_complained_of() -> None:
    day = datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC)
    while day.year < 2029:
        for field, value in calendar_fields.fields(day).items():
            assert mapping(field, value) is None, (field, value)
            level = Decimal(value)
            found = calendar_fields.complaint(ThresholdRule(RuleTarget("cpu", field), level, TERMS))
            assert found is None, (field, value)
        day += datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        *(("month", value, "months are 1 to 12, without") for value in ("03", "0", "13", "May")),
        *(("day_of_the_year", value, "days are 1 to 366") for value in ("0", "01", "367", "400")),
        *(("week_of_the_year", value, "weeks are 00 to 53") for value in ("5", "54", "053", "")),
        *(("year", value, "a year has four digits") for value in ("26", "02026", "1e3", "٢٠٢٦")),
    ],
)
def test_another_spelling_never_matches(field: str, value: str, words: str) -> None:
    found = mapping(field, value)
    assert found is not None
    assert found.startswith(f"{value!r} never matches: {words}")


@pytest.mark.parametrize(
    ("field", "highest"),
    [("month", 12), ("day_of_the_year", 366), ("week_of_the_year", 53), ("year", 9999)],
)
def test_a_level_above_all_that_there_is_is_never_reached(field: str, highest: int) -> None:
    for level, expected in (
        (Decimal(highest), None),
        (Decimal(highest) + Decimal("0.1"), f"never reached: {field} is at most {highest}"),
    ):
        found = calendar_fields.complaint(ThresholdRule(RuleTarget("cpu", field), level, TERMS))
        assert found == expected


def test_other_labels_may_say_anything() -> None:
    assert mapping("flavor", "013") is None
    assert mapping(None, None) is None
    assert calendar_fields.complaint(ThresholdRule(RuleTarget("cpu"), Decimal(10**9), TERMS)) is None

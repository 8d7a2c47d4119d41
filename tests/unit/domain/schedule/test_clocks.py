"""Clocks of several hosts: how exactly they are compared, and which of them is named."""

from __future__ import annotations

import datetime

import hypothesis
import pytest
from hypothesis import strategies as st

from ratekit.domain.schedule.clocks import ClockReading, disagreement, slowest

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
NO_TIME = datetime.timedelta(0)
DIFFERENCES = st.timedeltas(-48 * HOUR, 48 * HOUR)
DURATIONS = st.timedeltas(NO_TIME, MINUTE)


def exact(name: str, difference: datetime.timedelta) -> ClockReading:
    return ClockReading(name, difference, difference)


@hypothesis.given(DIFFERENCES, DURATIONS, DURATIONS, st.timedeltas(NO_TIME, SECOND))
def test_the_difference_lies_within_the_bounds_whatever_the_request_takes(
    difference: datetime.timedelta,
    there: datetime.timedelta,
    back: datetime.timedelta,
    fraction: datetime.timedelta,
) -> None:
    before = NOON + fraction
    instant = (before + there + difference).replace(microsecond=0)
    reading = ClockReading.between("X", before, instant, before + there + back, SECOND)
    assert reading.lower <= difference <= reading.upper
    assert abs(reading.difference) <= abs(difference)
    assert reading.upper - reading.lower == there + back + SECOND


@hypothesis.given(st.lists(DIFFERENCES))
def test_the_slowest_clock_decides_and_never_a_faster_one(
    differences: list[datetime.timedelta],
) -> None:
    lag = slowest([exact("X", difference) for difference in differences])
    assert lag == -min([NO_TIME, *differences])


@hypothesis.given(DIFFERENCES, DIFFERENCES, st.timedeltas(SECOND, HOUR))
def test_clocks_differ_where_any_two_of_them_do(
    first: datetime.timedelta, second: datetime.timedelta, limit: datetime.timedelta
) -> None:
    readings = [exact("X", first), exact("Y", second)]
    apart = max(abs(first), abs(second), abs(first - second)) > limit
    assert (disagreement(readings, limit, NOON) is not None) == apart


def test_what_may_be_due_to_the_measurement_is_no_difference() -> None:
    wide = ClockReading("X", -5 * HOUR, 10 * SECOND)
    assert disagreement([wide], MINUTE, NOON) is None
    assert slowest([wide]) == NO_TIME


@pytest.mark.parametrize(
    ("differences", "text"),
    [
        (
            {"Keystone": -5 * HOUR},
            "the clocks of this host, Keystone differ: this host has 2026-01-01T12:00:00Z, "
            "Keystone has 2026-01-01T07:00:00Z",
        ),
        (
            {"Keystone": -5 * HOUR, "Gnocchi": -5 * HOUR - SECOND},
            "the clock of this host is 5 h ahead: this host has 2026-01-01T12:00:00Z, Keystone "
            "has 2026-01-01T07:00:00Z, Gnocchi has 2026-01-01T06:59:59Z",
        ),
        (
            {"Keystone": NO_TIME, "Gnocchi": -90 * SECOND},
            "the clock of Gnocchi is 1 min 30 s behind: this host has 2026-01-01T12:00:00Z, "
            "Keystone has 2026-01-01T12:00:00Z, Gnocchi has 2026-01-01T11:58:30Z",
        ),
        (
            {"Keystone": 26 * HOUR, "Gnocchi": SECOND, "the database": NO_TIME},
            "the clock of Keystone is 1 d 2 h ahead: this host has 2026-01-01T12:00:00Z, "
            "Keystone has 2026-01-02T14:00:00Z, Gnocchi has 2026-01-01T12:00:01Z, the database has "
            "2026-01-01T12:00:00Z",
        ),
        (
            {"Keystone": HOUR, "Gnocchi": HOUR, "the database": NO_TIME},
            "the clocks of this host, Keystone, Gnocchi, the database differ: this host has "
            "2026-01-01T12:00:00Z, Keystone has 2026-01-01T13:00:00Z, Gnocchi has "
            "2026-01-01T13:00:00Z, the database has 2026-01-01T12:00:00Z",
        ),
    ],
)
def test_the_wrong_clock_is_named_if_the_others_agree(
    differences: dict[str, datetime.timedelta], text: str
) -> None:
    readings = [exact(name, difference) for name, difference in differences.items()]
    assert disagreement(readings, MINUTE, NOON) == text

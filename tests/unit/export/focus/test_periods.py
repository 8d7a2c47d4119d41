"""Charge periods and billing periods."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.export.focus.periods import GRANULARITIES, Periods

UTC = datetime.UTC
HOUR = datetime.timedelta(hours=1)
START = datetime.datetime(2026, 1, 1, tzinfo=UTC)
ZONES = [
    UTC,
    *map(zoneinfo.ZoneInfo, ("Europe/Berlin", "Asia/Kathmandu", "America/St_Johns")),
    # Half an hour of summer time, and a day that never was.
    *map(zoneinfo.ZoneInfo, ("Australia/Lord_Howe", "Pacific/Apia")),
]
STEPS = [HOUR / 12, HOUR / 2, HOUR, 2 * HOUR, 7 * HOUR, 24 * HOUR]


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(
    st.sampled_from(GRANULARITIES),
    st.sampled_from(STEPS),
    st.sampled_from(ZONES),
    st.integers(-20_000 * 12, 20_000 * 12),
    st.integers(1, 100_000),
)
def test_a_charge_has_the_whole_of_each_rated_period_and_is_billed_when_it_begins(
    granularity: str, step: datetime.timedelta, zone: datetime.tzinfo, number: int, length: int
) -> None:
    begin = START + number * HOUR / 12
    end = begin + length * HOUR / 12
    # On the grid, at or after the begin of the export, before its end.
    first = begin + (datetime.datetime.fromtimestamp(0, UTC) - begin) % step
    if first >= end:
        return
    periods = Periods(granularity, step, zone, begin, end)
    span = periods.until(periods.charge(first), first)
    assert span.begin <= first
    assert span.end >= first + step
    billing = periods.billing(span.begin)
    assert billing.begin <= span.begin < billing.end
    assert billing.begin.astimezone(zone).day == 1
    assert periods.billing(billing.end - HOUR / 60) == billing
    assert periods.billing(billing.end).begin == billing.end


@pytest.mark.parametrize(
    ("granularity", "zone", "begin", "expected"),
    [
        ("hour", "UTC", "2026-03-05T07:00", ("2026-03-05T07:00", "2026-03-05T08:00")),
        ("day", "UTC", "2026-03-05T07:00", ("2026-03-05T00:00", "2026-03-06T00:00")),
        ("day", "Europe/Berlin", "2026-03-29T07:00", ("2026-03-28T23:00", "2026-03-29T22:00")),
        ("month", "Europe/Berlin", "2026-03-31T22:00", ("2026-03-31T22:00", "2026-04-30T22:00")),
        ("month", "UTC", "2026-02-01T00:00", ("2026-02-01T00:00", "2026-03-01T00:00")),
        # The export begins at 10:30 on the second of January, and ends at 15:15 on 10 May.
        ("day", "UTC", "2026-01-02T11:00", ("2026-01-02T11:00", "2026-01-03T00:00")),
        ("day", "UTC", "2026-05-10T03:00", ("2026-05-10T00:00", "2026-05-10T16:00")),
    ],
)
def test_a_charge_is_for_a_time_of_the_zone_as_far_as_it_is_exported(
    granularity: str, zone: str, begin: str, expected: tuple[str, str]
) -> None:
    bounds = at("2026-01-02T10:30"), at("2026-05-10T15:15")
    periods = Periods(granularity, HOUR, zoneinfo.ZoneInfo(zone), *bounds)
    assert periods.charge(at(begin)) == tuple(map(at, expected))


@pytest.mark.parametrize(
    ("granularity", "step", "whole"),
    [("hour", 1, True), ("hour", 24, True), ("hour", 0.5, False), ("day", 24, True),
     ("day", 7, False), ("month", 24, False)],
)  # fmt: skip
def test_rated_periods_as_long_as_charges_are_charges(
    granularity: str, step: float, whole: bool
) -> None:
    periods = Periods(granularity, step * HOUR, UTC, START, START + 999 * HOUR)
    assert periods.whole is whole

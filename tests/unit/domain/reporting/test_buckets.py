"""Hours, days and months in zones with daylight saving time."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.reporting.buckets import BUCKETS, bucket, list_buckets

UTC = datetime.UTC


def utc(text: str) -> datetime.datetime:
    """Return an instant."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "instant", "name", "begin"),
    [
        # Clocks go back over midnight: the day begins when it is midnight for the first time.
        ("America/Havana", "2026-11-01T05:30", "day", "2026-11-01T04:00"),
        # Clocks go forward over midnight: the day begins at one o'clock.
        ("Asia/Beirut", "2026-03-29T03:00", "day", "2026-03-28T22:00"),
        ("Asia/Beirut", "2026-03-28T22:00", "hour", "2026-03-28T22:00"),
        # Offsets of half an hour, and a clock change of half an hour.
        ("Asia/Kolkata", "2026-01-01T00:00", "hour", "2025-12-31T23:30"),
        ("Asia/Kolkata", "2025-12-31T18:30", "month", "2025-12-31T18:30"),
        ("Australia/Lord_Howe", "2026-04-04T15:15", "hour", "2026-04-04T14:00"),
        ("Australia/Lord_Howe", "2026-10-03T15:45", "hour", "2026-10-03T15:30"),
        # Samoa skipped 30 December 2011.
        ("Pacific/Apia", "2011-12-30T10:00", "day", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-30T09:59", "day", "2011-12-29T10:00"),
    ],
)
def test_buckets_start_by_the_local_clock(zone: str, instant: str, name: str, begin: str) -> None:
    assert bucket(utc(instant), name, zoneinfo.ZoneInfo(zone)) == utc(begin)


@given(
    instant=st.datetimes(
        min_value=datetime.datetime.fromisoformat("1990-01-01"),
        max_value=datetime.datetime.fromisoformat("2040-01-01"),
        timezones=st.just(UTC),
    ),
    name=st.sampled_from(sorted(BUCKETS)),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu"]
    ),
)
def test_a_bucket_starts_at_or_before_its_instants_and_contains_its_start(
    instant: datetime.datetime, name: str, zone: str
) -> None:
    local_zone = zoneinfo.ZoneInfo(zone)
    begin = bucket(instant, name, local_zone)
    assert begin <= instant
    assert bucket(begin, name, local_zone) == begin


@given(
    begin=st.datetimes(
        min_value=datetime.datetime.fromisoformat("2010-01-01"),
        max_value=datetime.datetime.fromisoformat("2040-01-01"),
        timezones=st.just(UTC),
    ),
    minutes=st.integers(1, 60 * 24 * 40),
    name=st.sampled_from(sorted(BUCKETS)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_a_list_of_buckets_has_each_that_overlaps(
    begin: datetime.datetime, minutes: int, name: str, zone: str
) -> None:
    local_zone = zoneinfo.ZoneInfo(zone)
    instants = [begin + datetime.timedelta(minutes=minute) for minute in range(minutes)]
    expected = list(dict.fromkeys(bucket(instant, name, local_zone) for instant in instants))
    end = instants[-1] + datetime.timedelta(microseconds=1)
    assert list_buckets(begin, end, name, local_zone, 2000) == expected
    assert list_buckets(begin, end, name, local_zone, 3) == expected[:4]


def test_a_list_of_buckets_at_the_end_of_the_calendar() -> None:
    end = datetime.datetime.max.replace(tzinfo=UTC)
    start = datetime.datetime(9999, 12, 31, tzinfo=UTC)
    assert list_buckets(start, end, "day", UTC, 31) == [start]


def test_there_are_no_other_buckets() -> None:
    with pytest.raises(KeyError):
        bucket(utc("2026-01-01"), "week", UTC)

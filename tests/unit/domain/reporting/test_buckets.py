"""Hours, days, weeks, months and years in zones with daylight saving time."""

from __future__ import annotations

import bisect
import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.reporting.buckets import BUCKETS, bucket, list_buckets, list_spans

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
        # Clocks go back from 3:45 to 2:45: the first hour from 3:00 lasts until it is 3:00 again.
        ("Pacific/Chatham", "2026-04-04T13:15", "hour", "2026-04-04T13:15"),
        ("Pacific/Chatham", "2026-04-04T14:00", "hour", "2026-04-04T13:15"),
        ("Pacific/Chatham", "2026-04-04T14:15", "hour", "2026-04-04T14:15"),
        ("Pacific/Chatham", "2026-04-04T15:00", "hour", "2026-04-04T14:15"),
        # Samoa skipped 30 December 2011.
        ("Pacific/Apia", "2011-12-30T10:00", "day", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-30T09:59", "day", "2011-12-29T10:00"),
        # A Sunday, in a week that starts in the year before and before a clock change.
        ("Europe/Berlin", "2026-01-04T22:59", "week", "2025-12-28T23:00"),
        ("Europe/Berlin", "2026-01-04T23:00", "week", "2026-01-04T23:00"),
        ("Europe/Berlin", "2026-03-29T21:59", "week", "2026-03-22T23:00"),
        ("Europe/Berlin", "2026-03-29T22:00", "week", "2026-03-29T22:00"),
        ("America/Santiago", "2026-12-31T23:00", "year", "2026-01-01T03:00"),
        ("Asia/Tokyo", "2025-12-31T15:00", "year", "2025-12-31T15:00"),
        ("Pacific/Apia", "2011-12-30T10:00", "week", "2011-12-26T10:00"),
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
    instant=st.datetimes(
        min_value=datetime.datetime.fromisoformat("1990-01-01"),
        max_value=datetime.datetime.fromisoformat("2040-01-01"),
        timezones=st.just(UTC),
    ),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia"]
    ),
)
def test_weeks_and_years_are_those_of_the_local_date(instant: datetime.datetime, zone: str) -> None:
    local_zone = zoneinfo.ZoneInfo(zone)
    local = instant.astimezone(local_zone)
    week, year = (bucket(instant, name, local_zone) for name in ("week", "year"))
    monday = datetime.date.fromisocalendar(local.isocalendar().year, local.isocalendar().week, 1)
    assert week.astimezone(local_zone).date() == monday
    assert year.astimezone(local_zone).date() == datetime.date(local.year, 1, 1)


@given(
    instant=st.datetimes(
        min_value=datetime.datetime.fromisoformat("1990-01-01"),
        max_value=datetime.datetime.fromisoformat("2040-01-01"),
        timezones=st.just(UTC),
    )
    | st.datetimes(
        min_value=datetime.datetime.fromisoformat("2026-04-04T10:00"),
        max_value=datetime.datetime.fromisoformat("2026-04-04T18:00"),
        timezones=st.just(UTC),
    ),
    minutes=st.integers(0, 180),
    zone=st.sampled_from(
        ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Chatham", "America/St_Johns"]
    ),
)
def test_hours_follow_one_another(instant: datetime.datetime, minutes: int, zone: str) -> None:
    local_zone = zoneinfo.ZoneInfo(zone)
    later = instant + datetime.timedelta(minutes=minutes)
    assert bucket(instant, "hour", local_zone) <= bucket(later, "hour", local_zone)


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


@given(
    begin=st.sampled_from(
        [
            "1987-10-24T12:00",
            "1991-10-26T12:00",
            "2010-03-13T12:00",
            "2010-11-06T12:00",
            "2011-12-29T00:00",
            "2026-03-28T12:00",
            "2026-04-04T06:00",
            "2026-10-03T06:00",
            "2026-10-24T12:00",
            "2026-10-31T12:00",
        ]
    ),
    offset=st.integers(0, 60 * 24),
    minutes=st.integers(1, 60 * 36),
    seconds=st.integers(0, 59),
    name=st.sampled_from(sorted(BUCKETS)),
    zone=st.sampled_from(
        [
            "UTC",
            "Europe/Berlin",
            "America/Havana",
            # Clocks went back over midnight, at 0:01.
            "America/St_Johns",
            "Asia/Beirut",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
            "Pacific/Apia",
        ]
    ),
)
def test_a_span_has_one_bucket(
    begin: str, offset: int, minutes: int, seconds: int, name: str, zone: str
) -> None:
    local_zone = zoneinfo.ZoneInfo(zone)
    start = utc(begin) + datetime.timedelta(minutes=offset, seconds=seconds)
    end = start + datetime.timedelta(minutes=minutes)
    spans = list_spans(start, end, name, local_zone)
    assert spans == sorted(set(spans))
    assert spans[0] == start
    assert spans[-1] < end
    by_span = [bucket(span, name, local_zone) for span in spans]
    for minute in range(minutes):
        instant = start + datetime.timedelta(minutes=minute)
        number = bisect.bisect_right(spans, instant) - 1
        assert by_span[number] == bucket(instant, name, local_zone)


def test_clocks_that_go_back_over_midnight_return_to_the_day_before() -> None:
    zone = zoneinfo.ZoneInfo("America/St_Johns")
    spans = list_spans(utc("2010-11-06T12:00"), utc("2010-11-08T00:00"), "day", zone)
    starts = [bucket(span, "day", zone) for span in spans]
    assert starts[0] == starts[2] == utc("2010-11-06T02:30")
    assert starts[1] == starts[3] == utc("2010-11-07T02:30")


def test_spans_of_a_decade_are_few() -> None:
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    spans = list_spans(utc("2016-01-01"), utc("2026-01-01"), "month", zone)
    # Clocks change twice a year, and repeat an hour once.
    assert len(spans) == 121 + 30


@pytest.mark.parametrize(
    ("name", "begin", "end", "edges"),
    [
        ("week", "2025-12-24", "2026-01-12T00:01", ("2025-12-29", "2026-01-05", "2026-01-12")),
        ("week", "2025-12-29", "2026-01-05", ()),
        ("year", "2023-06-01", "2026-02-01", ("2024-01-01", "2025-01-01", "2026-01-01")),
        ("year", "2024-12-31", "2025-01-01", ()),
    ],
)
def test_spans_of_weeks_and_years(name: str, begin: str, end: str, edges: tuple[str, ...]) -> None:
    spans = list_spans(utc(begin), utc(end), name, UTC)
    assert spans == [utc(begin), *map(utc, edges)]


def test_spans_at_both_ends_of_the_calendar() -> None:
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    for name in BUCKETS:
        assert list_spans(utc("9999-12-31"), utc("9999-12-31T22:00"), name, zone)
        assert list_spans(utc("0001-01-02"), utc("0001-01-03"), name, zone)


def test_there_are_no_other_buckets() -> None:
    with pytest.raises(KeyError):
        bucket(utc("2026-01-01"), "fortnight", UTC)

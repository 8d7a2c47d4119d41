"""Times and months as people type them, in any time zone."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit import errors
from ratekit.cmd import instants
from tests.unit.cmd.conftest import Shell

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
TICK = datetime.timedelta(microseconds=1)
NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
#: A Monday, the day after clocks in Berlin were advanced, 12:20 there.
MONDAY = datetime.datetime(2026, 3, 30, 10, 20, tzinfo=datetime.UTC)
#: Zones that skip or repeat midnight, shift by half an hour, or have skipped a day.
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/Havana",
        "America/Santiago",
        "Africa/Cairo",
        "Asia/Beirut",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ]
).map(zoneinfo.ZoneInfo)
NOWS = st.integers(1_100_000_000, 1_900_000_000).map(
    lambda seconds: datetime.datetime.fromtimestamp(seconds, datetime.UTC)
)


def utc(text: str) -> datetime.datetime:
    """Return the instant of an ISO 8601 text without an offset."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-01-31T12:00", "UTC", NOON),
        ("2026-01-31 12:00", "UTC", NOON),
        ("2026-01-31", "UTC", NOON - DAY / 2),
        ("2026-01-31T13:00", "Europe/Berlin", NOON),
        ("2026-01-31T14:00+02:00", "Europe/Berlin", NOON),
        ("2026-01-31T12:00Z", "Europe/Berlin", NOON),
        ("2026-01", "UTC", utc("2026-01-01")),
        ("2026-07", "Europe/Berlin", utc("2026-06-30T22:00")),
    ],
)
def test_a_date_time_or_month_without_an_offset_is_in_the_zone(
    text: str, zone: str, instant: datetime.datetime
) -> None:
    assert instants.read_instant("--at", text, MONDAY, zoneinfo.ZoneInfo(zone)) == instant


@pytest.mark.parametrize(
    ("text", "in_utc", "in_berlin"),
    [
        ("now", "2026-03-30T10:20", "2026-03-30T10:20"),
        ("today", "2026-03-30T00:00", "2026-03-29T22:00"),
        ("Today", "2026-03-30T00:00", "2026-03-29T22:00"),
        ("yesterday", "2026-03-29T00:00", "2026-03-28T23:00"),
        ("tomorrow", "2026-03-31T00:00", "2026-03-30T22:00"),
        ("this-month", "2026-03-01T00:00", "2026-02-28T23:00"),
        ("last-month", "2026-02-01T00:00", "2026-01-31T23:00"),
        ("next-month", "2026-04-01T00:00", "2026-03-31T22:00"),
        ("-3h", "2026-03-30T07:00", "2026-03-30T07:00"),
        ("+3h", "2026-03-30T13:00", "2026-03-30T13:00"),
        # The day in between has 23 hours in Berlin.
        ("-48h", "2026-03-28T10:00", "2026-03-28T10:00"),
        ("-2d", "2026-03-28T10:00", "2026-03-28T11:00"),
        ("-1w", "2026-03-23T10:00", "2026-03-23T11:00"),
    ],
)
def test_words_and_distances_count_from_now(text: str, in_utc: str, in_berlin: str) -> None:
    assert instants.read_instant("--at", text, MONDAY) == utc(in_utc)
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    assert instants.read_instant("--at", text, MONDAY, berlin) == utc(in_berlin)


@given(NOWS, ZONES)
def test_a_day_starts_at_the_first_instant_of_its_date(
    now: datetime.datetime, zone: zoneinfo.ZoneInfo
) -> None:
    date = now.astimezone(zone).date()
    for text, day in (("yesterday", date - DAY), ("today", date), ("tomorrow", date + DAY)):
        start = instants.read_instant("--at", text, now, zone)
        # Not equal where a zone has skipped the whole day.
        assert start.astimezone(zone).date() >= day
        assert (start - TICK).astimezone(zone).date() < day
        assert start == instants.read_instant("--at", str(day), now, zone)


@given(NOWS, ZONES)
def test_a_month_is_all_instants_of_its_dates(
    now: datetime.datetime, zone: zoneinfo.ZoneInfo
) -> None:
    begin, end = instants.read_month("--month", "this-month", now, zone)
    assert begin <= now < end
    local = now.astimezone(zone)
    inside = [instant.astimezone(zone) for instant in (begin, end - TICK)]
    assert {(moment.year, moment.month) for moment in inside} == {(local.year, local.month)}
    for outside in (begin - TICK, end):
        moment = outside.astimezone(zone)
        assert (moment.year, moment.month) != (local.year, local.month)
    assert instants.read_month("--month", f"{local:%Y-%m}", now, zone) == (begin, end)
    assert instants.read_month("--month", "last-month", now, zone)[1] == begin
    assert instants.read_month("--month", "next-month", now, zone)[0] == end


@given(NOWS, ZONES, st.integers(0, 5000))
def test_hours_are_exact_and_days_keep_the_time_of_day(
    now: datetime.datetime, zone: zoneinfo.ZoneInfo, count: int
) -> None:
    hours = instants.read_instant("--at", f"-{count}h", now, zone)
    assert 0 * HOUR <= now - hours - count * HOUR < HOUR
    days = instants.read_instant("--at", f"-{count}d", now, zone)
    assert (days.minute, days.second, days.microsecond) == (0, 0, 0)
    shift = now.astimezone(zone).utcoffset(), days.astimezone(zone).utcoffset()
    if shift[0] == shift[1]:
        assert 0 * HOUR <= now - days - count * DAY < HOUR


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "noon",
            "--at: expected a date or time such as 2026-01-31, 2026-01-31T12:00, 2026-01, "
            "yesterday or -7d, not 'noon'",
        ),
        (
            "yesterdy",
            "--at: expected a date or time such as 2026-01-31, 2026-01-31T12:00, 2026-01, "
            "yesterday or -7d, not 'yesterdy' (did you mean 'yesterday'?)",
        ),
        ("0001-01-01T00:00+05:00", "--at: '0001-01-01T00:00+05:00' is too far in the past"),
        ("9999-12-31T00:00", "--at: '9999-12-31T00:00' is too far in the future"),
        ("-9999999d", "--at: '-9999999d' is too far in the past"),
        ("+99999999999999h", "--at: '+99999999999999h' is too far in the future"),
    ],
)
def test_a_wrong_time_is_reported_with_its_option(text: str, message: str) -> None:
    with pytest.raises(errors.OperatorError) as error:
        instants.read_instant("--at", text, MONDAY)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "7d",
        "-7",
        "-7m",
        "-d",
        "2026-13",
        "2026-00",
        "26-01",
        "",
        "\u0662\u0660\u0662\u0666-\u0660\u0661",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(errors.OperatorError, match="expected a date or time"):
        instants.read_instant("--at", text, MONDAY)


def test_the_last_day_of_the_calendar_is_valid_without_a_margin() -> None:
    text = "9999-12-31T23:59:59"
    instant = instants.read_instant("--end", text, MONDAY, margin=datetime.timedelta(0))
    assert instant == utc(text)


@pytest.mark.parametrize("text", ["2026-01-31", "yesterday", "lastmonth", "2026-13", "-1d", ""])
def test_a_month_is_a_month(text: str) -> None:
    with pytest.raises(errors.OperatorError, match="--month: expected a month such as 2026-01"):
        instants.read_month("--month", text, MONDAY)


def test_a_month_at_the_end_of_the_calendar_is_too_far_in_the_future() -> None:
    with pytest.raises(errors.OperatorError, match="too far in the future"):
        instants.read_month("--month", "9999-12", MONDAY)


@pytest.mark.usefixtures("usage")
@pytest.mark.parametrize(
    ("options", "frames"),
    [
        # The clock is at 2026-03-02 12:30; usage is at 00:00 and 01:00 of 2026-03-01.
        ("--month 2026-03", 4),
        ("--month 2026-02", 0),
        ("--month last-month", 0),
        ("--begin yesterday --end today", 4),
        ("--begin 2026-03 --end tomorrow", 4),
        ("--begin 2026-02 --end 2026-03", 0),
        ("--begin -35h", 1),
        ("--begin -2d", 4),
        ("--begin=-2d --end -35h", 3),
        # In Havana it is still February at 01:00 in UTC.
        ("--month last-month --timezone America/Havana", 4),
    ],
)
def test_reports_take_these_times(options: str, frames: int, ratekit: Shell) -> None:
    answer = ratekit("frame", "list", "-f", "json", *options.split())
    # Nothing but the note on a list without rows.
    assert (answer.code, answer.err.startswith("ratekit: no frames match")) == (0, not frames)
    assert answer.err.count("\n") == (0 if frames else 1)
    assert len(answer.json()) == frames


@pytest.mark.usefixtures("usage")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("summary --month 2026-03 --end now", "--month has its own begin and end"),
        ("summary --begin 2026-03 --end 2026-03", "; --month includes the whole month"),
        ("reprocess --all-scopes --month 2026-03 --begin -3d", "--month has its own"),
        ("reprocess --all-scopes --begin -3d", "expected --begin and --end, or --month"),
    ],
)
def test_a_month_beside_its_bounds_is_one_line_and_2(
    command: str, message: str, ratekit: Shell
) -> None:
    answer = ratekit(*command.split())
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert message in answer.err


@pytest.mark.usefixtures("usage")
def test_a_month_is_reprocessed_where_it_was_rated(ratekit: Shell) -> None:
    arguments = "reprocess --scope a1 --month this-month --rates-only --reason x --yes -f json"
    answer = ratekit(*arguments.split())
    assert answer.code == 0
    (task,) = answer.json()
    assert (task["Begin"], task["End"]) == ("2026-03-01T00:00:00Z", "2026-03-01T02:00:00Z")

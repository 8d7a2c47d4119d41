"""When a period is due, and for which periods scopes are rated that appear or disappear."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.period import EPOCH
from ratekit.domain.schedule.calendar import Calendar, parse_instant
from ratekit.domain.scope import Scope, State
from tests.builders import HOUR, SECOND

MICROSECOND = datetime.timedelta(microseconds=1)
NOON = datetime.datetime(2026, 1, 15, 12, tzinfo=datetime.UTC)
HOURLY = Calendar(HOUR, 2)


def state(rated_until: datetime.datetime, last_seen: datetime.datetime) -> State:
    return State(1, Scope("p1"), rated_until, last_seen)


def is_due(
    begin: datetime.datetime, step: datetime.timedelta, wait: int, now: datetime.datetime
) -> bool:
    """Apply CloudKitty's rule as doc/architecture.rst states it."""
    return begin + step <= now and begin + wait * step < now


NEAR = st.timedeltas(datetime.timedelta(0), datetime.timedelta(days=3))
ON_OR_BESIDE_THE_GRID = st.builds(
    lambda hours, beside: NOON + hours * HOUR + beside,
    st.integers(-5, 5),
    st.sampled_from([-MICROSECOND, 0 * SECOND, MICROSECOND, SECOND, 59 * SECOND]),
)


@given(
    st.one_of(NEAR.map(lambda delta: NOON + delta), ON_OR_BESIDE_THE_GRID),
    st.sampled_from([60, 300, 3600, 7200, 86400]),
    st.integers(0, 4),
)
def test_due_is_what_cloudkitty_calls_due(now: datetime.datetime, seconds: int, wait: int) -> None:
    step = datetime.timedelta(seconds=seconds)
    until = Calendar(step, wait).due_until(now)
    assert (until - EPOCH) % step == datetime.timedelta(0)
    for nth in range(-3, 4):
        begin = until + nth * step
        assert is_due(begin, step, wait, now) == (begin < until), begin


def test_with_a_wait_of_two_periods_an_hour_is_due_just_after_the_next_has_ended() -> None:
    assert HOURLY.due_until(NOON) == NOON - 2 * HOUR
    assert HOURLY.due_until(NOON + MICROSECOND) == NOON - HOUR


def test_without_a_wait_an_hour_is_due_as_soon_as_it_has_ended() -> None:
    calendar = Calendar(HOUR, 0)
    assert calendar.due_until(NOON) == NOON
    assert calendar.due_until(NOON - MICROSECOND) == NOON - HOUR


@given(
    st.one_of(NEAR.map(lambda delta: NOON + delta), ON_OR_BESIDE_THE_GRID),
    st.sampled_from([300, 3600, 86400]),
    st.integers(0, 4),
)
def test_more_is_due_right_after_next_due_and_not_between(
    now: datetime.datetime, seconds: int, wait: int
) -> None:
    calendar = Calendar(datetime.timedelta(seconds=seconds), wait)
    soon = calendar.next_due(now)
    assert soon > now
    assert calendar.due_until(soon + MICROSECOND) > calendar.due_until(now)
    just_after = max(now, calendar.floor(now) + MICROSECOND)
    assert calendar.due_until(soon - MICROSECOND) == calendar.due_until(just_after)


def test_a_listed_scope_is_due_up_to_the_last_due_period() -> None:
    now = NOON + 5 * SECOND
    due = HOURLY.due_scope(state(NOON - 10 * HOUR, last_seen=now), now)
    assert due.until == NOON - HOUR


def test_a_scope_no_longer_listed_is_due_up_to_the_period_in_which_it_was_last_seen() -> None:
    now = NOON + 5 * SECOND
    last_seen = NOON - 6 * HOUR + 25 * datetime.timedelta(minutes=1)
    assert (
        HOURLY.due_scope(state(NOON - 10 * HOUR, last_seen=last_seen), now).until == NOON - 5 * HOUR
    )


def test_the_period_that_began_when_a_scope_was_last_seen_is_its_last() -> None:
    now = NOON + 5 * SECOND
    last_seen = NOON - 6 * HOUR
    assert (
        HOURLY.due_scope(state(NOON - 10 * HOUR, last_seen=last_seen), now).until == NOON - 5 * HOUR
    )


def test_a_scope_that_has_just_vanished_still_waits_for_late_measures() -> None:
    now = NOON + 5 * SECOND
    due = HOURLY.due_scope(state(NOON - 10 * HOUR, last_seen=NOON - SECOND), now)
    assert due.until == NOON - HOUR


@pytest.mark.parametrize(
    ("where", "start"),
    [
        ("month", "2026-01-01T00:00:00+00:00"),
        ("now", "2026-01-15T12:00:00+00:00"),
        ("2025-12-24", "2025-12-24T00:00:00+00:00"),
        ("2025-12-24T18:45", "2025-12-24T18:00:00+00:00"),
        ("2025-12-24T18:45:00+05:30", "2025-12-24T13:00:00+00:00"),
        ("2025-12-24T18:45:00Z", "2025-12-24T18:00:00+00:00"),
    ],
)
def test_a_new_scope_starts_where_the_operator_says_rounded_down(where: str, start: str) -> None:
    now = NOON + 25 * datetime.timedelta(minutes=1)
    assert HOURLY.start(where, now) == datetime.datetime.fromisoformat(start)


def test_a_month_that_does_not_begin_on_the_grid_is_rounded_down() -> None:
    weekly = Calendar(datetime.timedelta(days=7), 2)
    # 2026-02-01 is a Sunday; weeks since the epoch begin on Thursdays.
    now = datetime.datetime(2026, 2, 10, tzinfo=datetime.UTC)
    assert weekly.start("month", now) == datetime.datetime(2026, 1, 29, tzinfo=datetime.UTC)


@pytest.mark.parametrize("where", ["", "yesterday", "2026-13-01", "1767225600"])
def test_a_start_that_is_no_date_is_refused(where: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid isoformat|month must be"):
        HOURLY.start(where, NOON)


def test_an_instant_without_a_zone_is_utc() -> None:
    assert parse_instant("2026-01-15T12:00:00") == NOON
    assert parse_instant("2026-01-15T12:00:00").utcoffset() == datetime.timedelta(0)


def test_instants_off_the_grid_are_recognized() -> None:
    assert HOURLY.on_grid(NOON)
    assert not HOURLY.on_grid(NOON + SECOND)
    assert not Calendar(datetime.timedelta(hours=5), 2).on_grid(NOON)

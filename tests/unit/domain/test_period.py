"""Periods are on a grid since the epoch, in UTC, whatever the host's zone."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain import period
from ratekit.domain.period import EPOCH, Period, Window
from tests.builders import HOUR, SECOND

INSTANTS = st.datetimes(
    # Hypothesis wants bounds without a zone.
    datetime.datetime(1950, 1, 1),  # noqa: DTZ001
    datetime.datetime(2150, 1, 1),  # noqa: DTZ001
    timezones=st.just(datetime.UTC),
)
STEPS = st.integers(1, 40 * 86400).map(lambda seconds: datetime.timedelta(seconds=seconds))


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def whole_steps(instant: datetime.datetime, step: datetime.timedelta) -> bool:
    micro = datetime.timedelta(microseconds=1)
    return ((instant - EPOCH) // micro) % (step // micro) == 0


@given(INSTANTS, STEPS)
def test_the_floor_is_the_last_grid_point_that_is_not_after(
    instant: datetime.datetime, step: datetime.timedelta
) -> None:
    floor = period.floor(instant, step)
    assert floor <= instant < floor + step
    assert whole_steps(floor, step)


@given(INSTANTS, STEPS)
def test_the_ceiling_is_the_first_grid_point_that_is_not_before(
    instant: datetime.datetime, step: datetime.timedelta
) -> None:
    ceiling = period.ceiling(instant, step)
    assert ceiling - step < instant <= ceiling
    assert whole_steps(ceiling, step)


def test_a_grid_point_is_its_own_floor_and_ceiling() -> None:
    noon = at("2026-01-01T12:00:00+00:00")
    assert period.floor(noon, HOUR) == noon == period.ceiling(noon, HOUR)


def test_the_grid_counts_from_the_epoch_and_not_from_midnight() -> None:
    week = datetime.timedelta(days=7)
    # The epoch was a Thursday, and so was 2026-01-01.
    assert period.floor(at("2026-01-07T23:59:59+00:00"), week) == at("2026-01-01T00:00:00+00:00")


def test_times_before_the_epoch_are_rounded_down_too() -> None:
    assert period.floor(at("1969-12-31T23:30:00+00:00"), HOUR) == at("1969-12-31T23:00:00+00:00")


@pytest.mark.parametrize(
    "instant",
    [
        datetime.datetime(2026, 1, 1),  # noqa: DTZ001
        datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(HOUR)),
    ],
    ids=["naive", "of another zone"],
)
def test_an_instant_that_is_not_in_utc_is_refused(instant: datetime.datetime) -> None:
    noon = at("2026-01-01T12:00:00+00:00")
    for use in (
        lambda: period.require_utc(instant),
        lambda: period.floor(instant, HOUR),
        lambda: period.ceiling(instant, HOUR),
        lambda: Period(instant, noon),
        lambda: Period(noon, instant),
        lambda: Window(instant, HOUR, 1),
    ):
        with pytest.raises(ValueError, match="not an aware UTC datetime"):
            use()


def test_utc_by_another_name_is_utc() -> None:
    zulu = datetime.datetime(2026, 1, 1, 12, 30, tzinfo=datetime.timezone(datetime.timedelta(0)))
    assert period.floor(zulu, HOUR) == at("2026-01-01T12:00:00+00:00")


def test_a_period_must_end_after_it_begins() -> None:
    noon = at("2026-01-01T12:00:00+00:00")
    for end in (noon, noon - SECOND):
        with pytest.raises(ValueError, match="must end after it begins"):
            Period(noon, end)


@given(INSTANTS, STEPS, st.integers(1, 50))
def test_a_window_is_cut_into_periods_without_gap_or_overlap(
    instant: datetime.datetime, step: datetime.timedelta, count: int
) -> None:
    window = Window(period.floor(instant, step), step, count)
    periods = list(window.periods())
    assert len(periods) == count
    assert [period_.begin for period_ in periods] == window.begins()
    assert [later.begin for later in periods[1:]] == [earlier.end for earlier in periods[:-1]]
    assert (periods[0].begin, periods[-1].end) == (window.begin, window.end)
    assert all(period_.end - period_.begin == step for period_ in periods)


def test_a_window_begins_on_the_grid() -> None:
    with pytest.raises(ValueError, match="not a multiple of 1 h since the epoch"):
        Window(at("2026-01-01T12:00:01+00:00"), HOUR, 1)


def test_a_window_has_a_period_at_least() -> None:
    with pytest.raises(ValueError, match="at least one period"):
        Window(EPOCH, HOUR, 0)


@pytest.mark.parametrize(
    "step", [datetime.timedelta(0), -HOUR, datetime.timedelta(milliseconds=1500)]
)
def test_a_period_lasts_whole_seconds(step: datetime.timedelta) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        Window(EPOCH, step, 1)


def test_a_window_is_written_as_an_interval() -> None:
    window = Window(at("2026-01-01T22:00:00+00:00"), HOUR, 3)
    assert str(window) == "2026-01-01T22:00Z/2026-01-02T01:00Z"

"""A wrong clock moves no state, however it came to be wrong."""

from __future__ import annotations

import datetime
import logging

import pytest

from ratekit import errors
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.domain.scope import Scope
from ratekit.processing.clock_check import ClockCheck
from tests.builders import HOUR, MINUTE, MONTH
from tests.reprocessing_bench import ReprocessingBench
from tests.unit.processing.rating_bench import BACK_END_DOWN, DUE, NOW, RatingBench

DAY = 24 * HOUR
SECOND = datetime.timedelta(seconds=1)


def reading(difference: datetime.timedelta) -> ClockReading:
    """Another host's clock, read at once."""
    return ClockReading("Gnocchi", difference, difference)


@pytest.mark.parametrize("difference", [-5 * HOUR, -61 * SECOND, 61 * SECOND, 5 * HOUR])
def test_while_clocks_differ_nothing_is_observed_or_rated(difference: datetime.timedelta) -> None:
    bench = RatingBench("a")
    bench.reading = reading(difference)
    with pytest.raises(errors.ClockSkew, match=r"of this host, Gnocchi differ: .*60 s"):
        bench.rate(wait_for_retry=False)
    assert bench.ledger.states == {}
    assert bench.collector.calls == []
    bench.reading = reading(datetime.timedelta(0))
    bench.rate()
    assert bench.hours_rated() == {"a": DUE}


def test_a_period_is_due_when_it_is_due_by_every_clock() -> None:
    bench = RatingBench("a")
    for difference, hours in ((-30 * SECOND, DUE - 1), (-4 * SECOND, DUE), (30 * SECOND, DUE)):
        bench.reading = reading(difference)
        result = bench.rate()
        assert bench.hours_rated() == {"a": hours}
        assert result.lag == max(-difference, datetime.timedelta(0))


def test_new_and_missing_scopes_are_observed_by_the_slowest_clock() -> None:
    bench = RatingBench("a", start="now")
    bench.reading = reading(-30 * SECOND)
    bench.rate()
    assert bench.ledger.states["a"].rated_until == MONTH + 10 * HOUR
    assert bench.ledger.states["a"].last_seen == NOW - 30 * SECOND


@pytest.mark.parametrize("start", ["month", "now"])
def test_a_state_in_the_future_is_an_error_and_the_other_scopes_are_rated(
    start: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The states are those of a version that believed a clock 5 h ahead."""
    bench = RatingBench("a", start=start)
    bench.now = NOW + 5 * HOUR
    bench.rate()
    until = bench.ledger.states["a"].rated_until
    assert until > NOW
    bench.now = NOW
    bench.fetcher.listed_scopes = [Scope("a"), Scope("b")]
    with caplog.at_level(logging.ERROR):
        result = bench.rate()
    assert result.failed_scopes == 1
    assert bench.ledger.states["a"].rated_until == until
    assert bench.ledger.states["b"].rated_until <= NOW
    (line,) = caplog.messages
    assert line == (
        f"1 scope cannot be rated (a): rated until {until:%Y-%m-%dT%H:%M:%SZ}, which is in the "
        "future: a clock was wrong, and usage until then was not charged; correct the clock, then "
        "run ratekit scope reset with a time before it was wrong"
    )


def test_a_start_in_the_future_is_no_mistake() -> None:
    bench = RatingBench("a", start="2027-01-01")
    assert bench.rate().failed_scopes == 0
    assert bench.rate().failed_scopes == 0


def test_a_processor_may_be_slightly_ahead_of_another() -> None:
    bench = RatingBench("a", start="now")
    bench.now = MONTH + 12 * HOUR + SECOND
    bench.rate()
    bench.now -= 2 * MINUTE
    assert bench.rate().failed_scopes == 0


def test_a_retry_further_ahead_than_any_delay_is_not_believed() -> None:
    """It was written while the clock was ahead."""
    bench = RatingBench("a")
    bench.fail(lambda call: BACK_END_DOWN)
    bench.now = NOW + 5 * HOUR
    bench.rate()
    assert bench.delay("a") == MINUTE
    bench.mend()
    bench.now = NOW
    assert bench.rate().periods == DUE


def test_scopes_are_observed_while_a_clock_cannot_be_read_but_none_is_rated() -> None:
    """Time during which a project is not listed is never charged, so lists must be recorded."""
    bench = RatingBench("a")
    bench.database_reading = ClockReading("the database", SECOND, SECOND)
    bench.fail_clock = BACK_END_DOWN
    with pytest.raises(errors.TryLater, match="Gnocchi does not answer"):
        bench.rate()
    assert bench.ledger.states["a"].last_seen == NOW
    assert bench.delay("a") == MINUTE
    assert bench.collector.calls == []
    bench.fail_clock = None
    bench.now += MINUTE
    assert bench.rate().periods == DUE


@pytest.mark.parametrize("start", ["month", "now", "2026-01-01"])
def test_a_clock_that_no_other_confirms_creates_no_state(start: str) -> None:
    """The static fetcher and SQLite have no clock; Gnocchi will answer later."""
    bench = RatingBench("a", start=start)
    bench.fail_clock = BACK_END_DOWN
    bench.now = NOW + 31 * DAY
    with pytest.raises(errors.TryLater, match="Gnocchi does not answer"):
        bench.rate()
    assert bench.ledger.states == {}
    bench.fail_clock = None
    bench.now = NOW
    bench.rate()
    assert bench.ledger.states["a"].last_seen == NOW
    assert bench.ledger.states["a"].rated_until <= NOW


@pytest.mark.parametrize("scopes", [["a", "b"], ["b"]])
def test_a_clock_that_no_other_confirms_moves_no_state(scopes: list[str]) -> None:
    """Neither when a scope was listed last, nor over a time without it."""
    bench = RatingBench("a", "b")
    bench.rate()
    bench.fetcher.listed_scopes = [Scope("b")]
    bench.now += HOUR
    bench.rate()
    states = dict(bench.ledger.states)
    bench.fetcher.listed_scopes = [Scope(id_) for id_ in scopes]
    bench.fail_clock = BACK_END_DOWN
    bench.now += 31 * DAY
    with pytest.raises(errors.TryLater, match="Gnocchi does not answer"):
        bench.rate()
    assert bench.ledger.states == states


def test_where_no_service_has_a_clock_that_of_the_host_decides() -> None:
    bench = RatingBench("a")
    assert bench.rate().periods == DUE


def test_clocks_that_answer_are_compared_although_one_does_not() -> None:
    def fail() -> None:
        raise BACK_END_DOWN

    check = ClockCheck([fail, lambda: reading(-HOUR)], MINUTE)
    with pytest.raises(errors.ClockSkew):
        check.compare(NOW)


def test_a_migrated_database_ends_the_process() -> None:
    def fail() -> None:
        raise errors.SchemaChanged("migrated")

    with pytest.raises(errors.SchemaChanged):
        ClockCheck([fail], MINUTE).compare(NOW)


def test_tasks_wait_while_clocks_differ(bench: ReprocessingBench) -> None:
    """A clock that is behind does not know the newest records."""
    bench.rate("a")
    bench.queue("a")
    bench.reading = reading(5 * HOUR)
    tasks = bench.another()
    for work in (tasks.advance, tasks.finish):
        with pytest.raises(errors.ClockSkew):
            work()
    bench.reading = None
    assert tasks.finish().finished_tasks == 1

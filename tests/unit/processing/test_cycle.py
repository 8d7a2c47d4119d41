"""A cycle: what it rates, what it puts off, and that it charges nothing twice."""

import dataclasses
import datetime
import itertools
import logging

import pytest

from ratekit import errors
from ratekit.cmd.output.progress import log_line
from ratekit.interfaces import CommitResult, RatedBatch
from ratekit.processing.cycle import CycleResult
from tests.builders import HOUR, MINUTE, MONTH
from tests.fakes import FakeLedger
from tests.unit.processing.rating_bench import (
    BACK_END_DOWN,
    DUE,
    NOW,
    REFUSED,
    TIMED_OUT,
    RatingBench,
    always,
    for_scope,
)


class Raced(FakeLedger):
    """Another processor rates scope ``b`` just before the first commit."""

    def commit(self, batch: RatedBatch) -> CommitResult:
        if not self.commits:
            self.states["b"] = dataclasses.replace(self.states["b"], rated_until=batch.window.end)
        return super().commit(batch)


def test_a_cycle_catches_up_with_all_that_is_due() -> None:
    bench = RatingBench("a", "b", "c", limit=4)
    assert bench.rate() == CycleResult(frames=3 * DUE * 2, periods=3 * DUE, failed_scopes=0)
    assert bench.hours_rated() == {"a": DUE, "b": DUE, "c": DUE}
    assert set(bench.ledger.frames) == {
        (scope, name, MONTH + hour * HOUR)
        for scope in "abc"
        for name in ("cpu", "disk")
        for hour in range(DUE)
    }


def test_nothing_is_collected_twice() -> None:
    bench = RatingBench("a", "b", "c", limit=4)
    bench.rate()
    bench.rate()
    calls = [
        (call.metric, scope, begin)
        for call in bench.collector.calls
        for scope in call.scopes
        for begin in call.window.begins()
    ]
    assert len(calls) == len(set(calls)) == 2 * 3 * DUE


def test_a_scope_without_usage_advances_too() -> None:
    bench = RatingBench("a", "b")
    bench.collector.silent_metrics |= {metric.public_name for metric in bench.settings.metrics}
    assert bench.rate() == CycleResult(frames=0, periods=2 * DUE, failed_scopes=0)
    assert bench.hours_rated() == {"a": DUE, "b": DUE}


def test_progress_counts_down_to_nothing() -> None:
    bench = RatingBench("a", "b", limit=DUE)
    bench.rate()
    assert [(step.scopes_left, step.periods_left) for step in bench.progress] == [(1, DUE), (0, 0)]
    assert [step.frames for step in bench.progress] == [2 * DUE, 2 * DUE]


@pytest.mark.parametrize("bad", ["a", "d", "h"])
def test_a_scope_that_is_refused_does_not_delay_the_others(bad: str) -> None:
    bench = RatingBench(*"abcdefgh")
    bench.fail(for_scope(bad, REFUSED))
    delay = NOW + MINUTE
    assert bench.rate() == CycleResult(7 * DUE * 2, 7 * DUE, failed_scopes=1, retry_at=delay)
    assert bench.hours_rated() == {scope: 0 if scope == bad else DUE for scope in "abcdefgh"}
    assert bench.ledger.errors == {bad: str(REFUSED)}


def test_an_unexpected_error_does_not_delay_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = RatingBench(*"abcd")
    bench.fail(for_scope("b", ZeroDivisionError("oops")))
    assert bench.rate().failed_scopes == 1
    assert bench.hours_rated() == {"a": DUE, "b": 0, "c": DUE, "d": DUE}
    assert bench.ledger.errors == {"b": "oops"}
    assert "unexpected error while rating scope b over" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    "error", [TIMED_OUT, errors.InvalidResponse("Gnocchi's answer is no JSON")]
)
@pytest.mark.parametrize("bad", ["s00", "s07", "s15"])
def test_a_scope_whose_requests_always_fail_is_isolated(bad: str, error: Exception) -> None:
    """Whether the back end breaks down over it or its answer makes no sense."""
    scopes = [f"s{number:02d}" for number in range(16)]
    bench = RatingBench(*scopes)
    bench.fail(for_scope(bad, error))
    for hour in range(8):
        bench.rate(wait_for_retry=False)
        bench.now += HOUR
        if hour > 3:
            behind = {scope for scope, hours in bench.hours_rated().items() if hours < DUE + hour}
            assert behind == {bad}


def test_a_scope_whose_requests_fail_delays_few_others_even_at_first() -> None:
    scopes = [f"s{number:02d}" for number in range(16)]
    bench = RatingBench(*scopes, limit=1000)
    bench.fail(for_scope("s00", TIMED_OUT))
    bench.rate()
    assert sum(1 for hours in bench.hours_rated().values() if hours < DUE) <= 4


def test_a_refused_metric_is_the_error_of_each_scope() -> None:
    bench = RatingBench("a", "b")
    bench.fail(lambda call: REFUSED if call.metric == "disk" else None)
    assert bench.rate() == CycleResult(failed_scopes=2, retry_at=NOW + MINUTE)
    assert bench.ledger.errors == {"a": str(REFUSED), "b": str(REFUSED)}
    assert bench.ledger.frames == {}


def test_a_back_end_that_is_down_loses_nothing() -> None:
    bench = RatingBench("a", "b")
    bench.fail(always(BACK_END_DOWN))
    assert bench.rate().failed_scopes > 0
    assert bench.hours_rated() == {"a": 0, "b": 0}
    bench.mend()
    bench.now += MINUTE
    assert bench.rate() == CycleResult(2 * DUE * 2, 2 * DUE)


def test_a_back_end_that_is_down_gets_few_requests() -> None:
    bench = RatingBench(*(f"s{number:03d}" for number in range(100)), limit=50)
    bench.fail(always(BACK_END_DOWN))
    bench.rate()
    assert len(bench.collector.calls) <= 6


def test_the_delay_of_a_scope_doubles_up_to_a_period() -> None:
    bench = RatingBench("a")
    bench.fail(always(REFUSED))
    delays = []
    for _ in range(9):
        bench.rate(wait_for_retry=False)
        delays.append(bench.delay("a") // MINUTE)
        bench.now += MINUTE
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_after_a_thousand_failures_the_delay_is_a_period() -> None:
    bench = RatingBench("a")
    bench.fail(always(REFUSED))
    bench.rate()
    bench.ledger.states["a"] = dataclasses.replace(bench.ledger.states["a"], failures=1000)
    bench.rate(wait_for_retry=False)
    assert bench.delay("a") == HOUR


def test_a_success_clears_the_failures() -> None:
    bench = RatingBench("a")
    bench.fail(always(REFUSED))
    bench.rate()
    bench.mend()
    bench.now += MINUTE
    bench.rate()
    assert bench.ledger.states["a"].failures == 0
    assert bench.ledger.states["a"].retry_at is None


def test_a_request_that_is_too_large_is_split() -> None:
    bench = RatingBench("a", "b", limit=1000)
    bench.fail(lambda call: TIMED_OUT if len(call.scopes) * call.window.count > DUE // 2 else None)
    bench.rate(wait_for_retry=False)
    bench.rate(wait_for_retry=False)
    assert bench.hours_rated() == {"a": DUE, "b": DUE}


def test_a_long_window_of_one_scope_is_split() -> None:
    bench = RatingBench("a", limit=1000)
    bench.fail(lambda call: TIMED_OUT if call.window.count > DUE // 2 else None)
    assert bench.rate() == CycleResult(frames=DUE * 2, periods=DUE, failed_scopes=0)


def test_occasional_failures_do_not_end_the_cycle() -> None:
    bench = RatingBench(*"abcdefgh", limit=DUE)
    turns = itertools.count(1)
    bench.fail(lambda call: TIMED_OUT if next(turns) % 7 == 0 else None)
    assert bench.rate().failed_scopes == 0
    assert set(bench.hours_rated().values()) == {DUE}


def test_a_database_that_cannot_record_a_failure_ends_the_cycle() -> None:
    class Deaf(FakeLedger):
        def postpone(self, *_: object) -> None:
            raise errors.TryLater("the database is gone")

    bench = RatingBench("a", ledger=Deaf)
    bench.fail(always(REFUSED))
    with pytest.raises(errors.TryLater, match="the database is gone"):
        bench.rate()


def test_a_scope_that_another_processor_has_rated_is_skipped_and_the_others_are_rated() -> None:
    bench = RatingBench("a", "b", "c", ledger=Raced)
    assert bench.rate() == CycleResult(frames=2 * DUE * 2, periods=2 * DUE, lost_scopes=1)
    assert {scope for scope, _, _ in bench.ledger.frames} == {"a", "c"}
    assert len(bench.ledger.commits) == 1
    assert [str(step.batch).partition(" over ")[0] for step in bench.progress] == ["2 scopes"]


def test_a_lost_scope_is_not_collected_again_in_the_same_cycle() -> None:
    bench = RatingBench("a", "b", limit=2, ledger=Raced)
    bench.rate()
    calls_by_scope = {
        id_: sum(id_ in call.scopes for call in bench.collector.calls) for id_ in ("a", "b")
    }
    assert calls_by_scope["b"] == len(bench.settings.metrics)
    assert calls_by_scope["a"] > calls_by_scope["b"]


def test_a_batch_that_another_processor_has_rated_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = RatingBench("b", limit=DUE // 2, ledger=Raced)
    bench.rate()
    bench.rate()
    with caplog.at_level(logging.INFO, "ratekit.cmd.output.progress"):
        for progress in bench.progress:
            log_line(progress)
    assert len(bench.progress) == len(caplog.messages) + 1
    assert all(" rated: " in line and " rated: 0 frames" not in line for line in caplog.messages)


def test_a_lost_scope_continues_where_the_other_processor_stopped() -> None:
    bench = RatingBench("a", "b", limit=2, ledger=Raced)
    bench.rate()
    bench.rate()
    assert bench.hours_rated() == {"a": DUE, "b": DUE}


def test_a_stop_ends_the_cycle_between_batches() -> None:
    bench = RatingBench("a", "b", "c", limit=DUE)
    bench.stop_after = 1
    assert bench.rate() == CycleResult(frames=DUE * 2, periods=DUE, failed_scopes=0)
    bench.stop_after = 1000
    assert bench.rate().periods == 2 * DUE


def test_a_stop_before_the_first_batch_rates_nothing() -> None:
    bench = RatingBench("a")
    bench.stop_after = 0
    assert bench.rate() == CycleResult()
    assert bench.collector.calls == []


def test_a_back_end_that_refuses_ratekit_itself_gets_one_request() -> None:
    bench = RatingBench(*(f"s{number}" for number in range(50)), limit=1000)
    denied = errors.AccessDenied("Gnocchi refused with 401: Unauthorized")
    bench.collector.failures.append(lambda _: denied)
    with pytest.raises(errors.AccessDenied):
        bench.rate()
    assert len(bench.collector.calls) == 1
    assert bench.ledger.errors == {f"s{number}": str(denied) for number in range(50)}


def test_a_migrated_database_ends_the_cycle() -> None:
    class Migrated(FakeLedger):
        def commit(self, batch: RatedBatch) -> CommitResult:
            raise errors.SchemaChanged("the database is at revision 0009")

    bench = RatingBench("a", "b", ledger=Migrated)
    with pytest.raises(errors.SchemaChanged):
        bench.rate()
    assert bench.ledger.errors == {}
    assert len(bench.collector.calls) == 2


def test_when_a_back_end_is_down_all_scopes_are_put_off_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = RatingBench(*(f"s{number}" for number in range(9)), limit=1)
    bench.fail(always(BACK_END_DOWN))
    assert bench.rate() == CycleResult(failed_scopes=9, retry_at=NOW + MINUTE)
    assert {bench.delay(f"s{number}") for number in range(9)} == {MINUTE}
    assert (
        "stopping this cycle after 3 consecutive failures; 7 scopes will be retried later"
        in caplog.messages
    )


def test_a_back_end_that_stays_down_gets_requests_ever_more_rarely() -> None:
    bench = RatingBench(*(f"s{number}" for number in range(9)), limit=1)
    bench.fail(always(BACK_END_DOWN))
    delays, calls = [], []
    for _ in range(8):
        outcome = bench.rate()
        assert outcome.retry_at is not None
        delays.append((outcome.retry_at - bench.now) // MINUTE)
        calls.append(len(bench.collector.calls))
        bench.now = outcome.retry_at
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert calls[-1] == 8 * calls[0]


def test_a_scope_that_makes_the_back_end_time_out_delays_no_other() -> None:
    """Asking something small about another tells it from a back end that is down."""
    bench = RatingBench(*(f"s{number:02d}" for number in range(16)), limit=1000)
    bench.fail(for_scope("s00", TIMED_OUT))
    outcome = bench.rate()
    assert (outcome.failed_scopes, outcome.lost_scopes) == (1, 0)
    assert bench.hours_rated() == {f"s{number:02d}": DUE * (number > 0) for number in range(16)}


def test_all_scopes_wait_as_long_as_the_back_end_asks() -> None:
    bench = RatingBench("a", "b", "c")
    bench.fail(always(errors.TryLater("Gnocchi answered 429", after=1000.0)))
    delay = datetime.timedelta(seconds=1000)
    assert bench.rate() == CycleResult(failed_scopes=3, retry_at=NOW + delay)
    assert [bench.delay(scope) for scope in "abc"] == [delay] * 3
    assert len(bench.collector.calls) == 1


@pytest.mark.parametrize("bad", ["s00", "s10", "s20"])
def test_a_scope_for_which_the_back_end_always_asks_to_wait_is_isolated(bad: str) -> None:
    bench = RatingBench(*(f"s{number:02d}" for number in range(21)))
    bench.fail(for_scope(bad, errors.TryLater("Gnocchi answered 503", after=60.0)))
    for _ in range(30):
        outcome = bench.rate()
        bench.now = outcome.retry_at or bench.now + MINUTE
    late = {scope for scope, hours in bench.hours_rated().items() if hours < DUE}
    assert late == {bad}


def test_a_request_that_is_too_large_is_split_if_the_back_end_asks_to_wait() -> None:
    bench = RatingBench(*"abcdefgh")
    bench.fail(
        lambda call: (
            errors.TryLater("Gnocchi answered 503", after=60.0)
            if len(call.scopes) * call.window.count > 4
            else None
        )
    )
    for _ in range(40):
        outcome = bench.rate()
        bench.now = outcome.retry_at or bench.now + MINUTE
    assert min(bench.hours_rated().values()) >= DUE


def test_a_back_end_that_asks_to_wait_no_time_gets_the_usual_delay() -> None:
    bench = RatingBench("a")
    bench.fail(always(errors.TryLater("Gnocchi answered 429", after=0.0)))
    assert bench.rate().failed_scopes == 1
    assert bench.delay("a") == MINUTE


def test_delays_are_spread_at_random_and_still_grow() -> None:
    bench = RatingBench("a")
    bench.fail(always(REFUSED))
    delays = []
    for bench.chance in (0.99, 0.0, 0.99, 0.0):
        bench.rate(wait_for_retry=False)
        delays.append(bench.delay("a"))
    assert delays == sorted(set(delays))
    assert MINUTE < delays[0] < 1.25 * MINUTE
    assert delays[1] == 2 * MINUTE


def test_many_refused_scopes_do_not_cost_a_request_each() -> None:
    bench = RatingBench(*(f"s{number:03d}" for number in range(256)), limit=10_000)
    bench.fail(always(REFUSED))
    outcome = bench.rate()
    assert outcome.failed_scopes == 256
    assert len(bench.collector.calls) <= 32
    assert outcome.retry_at == NOW + MINUTE


def test_scopes_that_were_not_tried_come_first_in_the_next_cycle() -> None:
    bench = RatingBench(*(f"s{number:03d}" for number in range(64)), limit=10_000)
    bench.fail(lambda call: REFUSED if min(call.scopes) < "s010" else None)
    bench.rate()
    bench.now += MINUTE
    bench.rate()
    late = {scope for scope, hours in bench.hours_rated().items() if hours < DUE}
    assert late == {f"s{number:03d}" for number in range(10)}


def test_a_conflict_is_retried_at_once_but_not_for_ever() -> None:
    conflicts = itertools.count()

    class Busy(FakeLedger):
        def commit(self, batch: RatedBatch) -> CommitResult:
            if next(conflicts) < bench.conflicts:
                raise errors.Conflict("deadlock found")
            return super().commit(batch)

    class Conflicted(RatingBench):
        conflicts = 2

    bench = Conflicted("a", ledger=Busy)
    assert bench.rate() == CycleResult(DUE * 2, DUE)
    bench.conflicts = 1000
    bench.now += HOUR
    assert bench.rate() == CycleResult(failed_scopes=1, retry_at=bench.now + MINUTE)

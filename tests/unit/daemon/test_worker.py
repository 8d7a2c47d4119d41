"""A worker's loop: when it rates, how long it waits, how it ends."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

import pytest

from ratekit import errors
from ratekit.daemon.presence import Presence
from ratekit.daemon.status_board import StatusBoard, WorkerStatus
from ratekit.daemon.worker import Worker
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.calendar import Calendar
from ratekit.processing.cycle import CycleResult
from tests.builders import HOUR, MINUTE, SECOND
from tests.sharing import FakeSharing
from tests.unit.daemon.fake_monitoring import FakeMonitoring

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


class Day:
    """A clock that tests set, and a stop event whose waiting advances it.

    :param hours: time after which the loop must stop
    """

    def __init__(self, hours: float, now: datetime.datetime = NOON) -> None:
        self.now = now
        self._end = now + hours * HOUR

    def clock(self) -> datetime.datetime:
        return self.now

    def set(self) -> None:
        self._end = self.now

    def is_set(self) -> bool:
        return self.now >= self._end

    def wait(self, seconds: float) -> bool:
        self.now += datetime.timedelta(seconds=seconds)
        return self.is_set()


class Cycles:
    """Stands for an orchestrator: each cycle calls the next function, the last for ever."""

    def __init__(self, day: Day, *cycles: Callable[[], CycleResult]) -> None:
        self._day = day
        self._functions = list(cycles)
        self.starts: list[datetime.datetime] = []

    def run_cycle(self, wait_for_retry: bool = True) -> CycleResult:
        assert wait_for_retry
        self.starts.append(self._day.now)
        return self._functions.pop(0)() if len(self._functions) > 1 else self._functions[0]()

    def pauses(self) -> list[float]:
        """Seconds from one cycle to the next."""
        return [
            (later - earlier) / SECOND
            for earlier, later in zip(self.starts, self.starts[1:], strict=False)
        ]


class Tasks:
    """Stands for a reprocessor with so many batches to do.

    :param seconds: duration of a batch
    :ivar calls: when it was called
    """

    def __init__(
        self, day: Day, batches: int = 0, seconds: float = 0, error: Exception | None = None
    ) -> None:
        self._day = day
        self._batches = batches
        self._seconds = seconds
        self._error = error
        self.calls: list[datetime.datetime] = []

    def advance(self) -> bool:
        self.calls.append(self._day.now)
        if self._error is not None:
            raise self._error
        self._day.now += self._seconds * SECOND * (self._batches > 0)
        self._batches -= 1
        return self._batches >= 0


def run(
    day: Day,
    *cycles: Callable[[], CycleResult],
    exit_codes: list[int] | None = None,
    tasks: Tasks | None = None,
    retention: Tasks | None = None,
    monitoring: FakeMonitoring | None = None,
    status: WorkerStatus | None = None,
    sharing: FakeSharing | None = None,
) -> Cycles:
    orchestrator = Cycles(day, *cycles)
    Worker(
        orchestrator,  # type: ignore[arg-type]
        tasks or Tasks(day),  # type: ignore[arg-type]
        retention or Tasks(day),  # type: ignore[arg-type]
        Calendar(HOUR, wait_periods=2),
        Backoff(30 * SECOND, 900 * SECOND),
        day,  # type: ignore[arg-type]
        status or StatusBoard(1).workers[0],
        Presence(monitoring or FakeMonitoring(), "worker", day.clock),
        sharing or FakeSharing(),
        ([] if exit_codes is None else exit_codes).append,
        day.clock,
        chance=lambda: 0.0,
    ).run()
    return orchestrator


def test_a_change_of_the_group_starts_a_cycle_at_once() -> None:
    day, sharing = Day(hours=0.9), FakeSharing(daemons=1)

    class Joining(Tasks):
        def advance(self) -> bool:
            if len(self.calls) == 3:
                sharing.resize(2)
            return super().advance()

    cycles = run(day, CycleResult, tasks=Joining(day), sharing=sharing)
    assert cycles.pauses() == [pytest.approx(46, abs=2)]


def test_a_worker_announces_itself_before_it_waits_for_others_and_rates() -> None:
    monitoring = FakeMonitoring()
    reports: list[int] = []

    class Settling(FakeSharing):
        def is_ready(self) -> bool:
            reports.append(len(monitoring.reports))
            return len(reports) > 6

    cycles = run(Day(hours=0.9), CycleResult, sharing=Settling(), monitoring=monitoring)
    assert reports == [1] * 7
    assert cycles.starts == [NOON + 3 * SECOND]


def test_scopes_of_others_are_looked_at_again_when_they_may_be_taken() -> None:
    day = Day(hours=0.9)
    first = lambda: CycleResult(look_again_at=NOON + 15 * MINUTE)  # noqa: E731
    cycles = run(day, first, CycleResult)
    assert cycles.pauses() == [15 * 60 + 1]


def failing(error: Exception) -> Callable[[], CycleResult]:
    def cycle() -> CycleResult:
        raise error

    return cycle


def test_the_worker_waits_until_just_after_the_next_period_becomes_due() -> None:
    day = Day(hours=2.5, now=NOON + 20 * MINUTE)
    cycles = run(day, CycleResult)
    assert cycles.starts == [
        NOON + 20 * MINUTE,
        NOON + HOUR + SECOND,
        NOON + 2 * HOUR + SECOND,
    ]


def test_the_worker_waits_for_the_slowest_clock() -> None:
    """It does not wait for another hour when it woke too early by that clock."""
    day = Day(hours=1.5, now=NOON + 20 * MINUTE)
    lag = 30 * SECOND
    cycles = run(
        *(day, lambda: CycleResult(lag=SECOND)),
        *(lambda: CycleResult(lag=lag), lambda: CycleResult(frames=1, lag=lag)),
    )
    assert cycles.starts == [
        NOON + 20 * MINUTE,
        NOON + HOUR + 2 * SECOND,
        NOON + HOUR + 31 * SECOND,
    ]


def test_a_catch_up_during_which_more_became_due_goes_on_at_once() -> None:
    day = Day(hours=1.5, now=NOON + 20 * MINUTE)

    def long_cycle() -> CycleResult:
        day.now += HOUR
        return CycleResult(frames=1, periods=1)

    assert run(day, long_cycle, CycleResult).pauses() == [3601.0]


def test_after_another_processor_rated_some_scopes_the_next_cycle_starts_at_once() -> None:
    assert run(Day(hours=0.5), lambda: CycleResult(lost_scopes=1), CycleResult).pauses() == [1.0]


@pytest.mark.parametrize(
    "cycle",
    [
        failing(errors.TryLater("Keystone does not answer")),
        failing(errors.OperatorError("Keystone refused")),
        failing(ZeroDivisionError("a bug")),
    ],
)
def test_cycles_that_fail_as_a_whole_are_tried_again_ever_more_rarely(
    cycle: Callable[[], CycleResult],
) -> None:
    assert run(Day(hours=0.8), cycle).pauses() == [30, 60, 120, 240, 480, 900, 900]


def test_the_status_tells_a_cycle_that_failed_as_a_whole_until_one_succeeds() -> None:
    day, status, values = Day(hours=1.5), StatusBoard(1).workers[0], []

    def succeed() -> CycleResult:
        values.append(status.cycle_failed)
        return CycleResult()

    def succeed_again() -> CycleResult:
        values.append(status.cycle_failed)
        day.set()
        return CycleResult()

    down = failing(errors.TryLater("Keystone does not answer"))
    run(day, down, succeed, succeed_again, status=status)
    assert values == [1, 0]


def test_a_cycle_that_succeeds_makes_the_next_delay_short_again() -> None:
    down = failing(errors.TryLater("Keystone does not answer"))
    cycles = run(Day(hours=1.05, now=NOON), down, down, CycleResult, down)
    assert cycles.pauses()[:4] == [30, 60, 3600 - 90 + 1, 30]


def test_the_worker_waits_as_long_as_a_back_end_asks() -> None:
    asks = failing(errors.TryLater("Keystone answered 503", after=444))
    assert run(Day(hours=0.2), asks, CycleResult).pauses() == [444]


def test_failed_scopes_are_tried_when_the_first_may_be_tried_again() -> None:
    day = Day(hours=0.5)
    cycles = run(
        day, lambda: CycleResult(failed_scopes=2, retry_at=day.now + 7 * MINUTE), CycleResult
    )
    assert cycles.pauses() == [7 * 60]


def test_scopes_whose_delays_end_one_by_one_are_tried_together() -> None:
    day = Day(hours=0.02)
    cycles = run(day, lambda: CycleResult(failed_scopes=2, retry_at=day.now + SECOND))
    assert cycles.pauses() == [30, 30]


def test_the_next_period_does_not_wait_for_failed_scopes() -> None:
    day = Day(hours=0.1, now=NOON + 59 * MINUTE)
    cycles = run(
        day, lambda: CycleResult(failed_scopes=1, retry_at=day.now + 14 * MINUTE), CycleResult
    )
    assert cycles.pauses() == [61]


def test_a_stopped_worker_does_nothing() -> None:
    assert run(Day(hours=0), CycleResult).starts == []


def test_a_database_that_was_migrated_ends_the_loop_and_the_daemon() -> None:
    exit_codes: list[int] = []
    day = Day(hours=5)
    cycles = run(day, failing(errors.SchemaChanged("revision 0009")), exit_codes=exit_codes)
    assert exit_codes == [2]
    assert len(cycles.starts) == 1
    assert day.now == NOON


def test_a_clock_that_is_set_back_does_not_make_a_wait_longer() -> None:
    day = Day(hours=1)
    waits: list[float] = []
    wait = day.wait

    def set_back(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 10:
            day.now -= 24 * HOUR
        return wait(seconds)

    day.wait = set_back  # type: ignore[method-assign]
    cycles = run(
        day, lambda: CycleResult(failed_scopes=1, retry_at=day.now + MINUTE), _stopping(day)
    )
    assert sum(waits) == pytest.approx(60)
    assert len(cycles.starts) == 2


def _stopping(day: Day) -> Callable[[], CycleResult]:
    def cycle() -> CycleResult:
        day.set()
        return CycleResult()

    return cycle


# Tasks --------------------------------------------------------------------------------------


def test_tasks_are_read_after_each_cycle_and_every_15_seconds() -> None:
    day = Day(hours=1 / 60, now=NOON)
    tasks = Tasks(day)
    run(day, CycleResult, tasks=tasks)
    assert [(call - NOON) / SECOND for call in tasks.calls] == [0, 15, 30, 45]


def test_tasks_go_on_without_a_pause_until_a_period_becomes_due() -> None:
    day = Day(hours=1.01, now=NOON + 58 * MINUTE)
    tasks = Tasks(day, batches=1000, seconds=40)
    cycles = run(day, CycleResult, tasks=tasks)
    # 122 s to the next cycle: a fourth batch has started by then.
    start = cycles.starts[0]
    assert [(call - start) / SECOND for call in tasks.calls[:4]] == [0, 40, 80, 120]
    assert cycles.starts[1] - start == 160 * SECOND


@pytest.mark.parametrize("error", [errors.TryLater("no database"), ZeroDivisionError("a bug")])
def test_tasks_that_cannot_be_read_delay_no_cycle(error: Exception) -> None:
    day = Day(hours=1.5, now=NOON + 20 * MINUTE)
    tasks = Tasks(day, error=error)
    cycles = run(day, CycleResult, tasks=tasks)
    assert cycles.starts == [NOON + 20 * MINUTE, NOON + HOUR + SECOND]
    assert tasks.calls[1] - tasks.calls[0] == 15 * SECOND


def test_a_database_that_is_migrated_between_two_cycles_ends_the_daemon() -> None:
    exit_codes: list[int] = []
    day = Day(hours=5)
    tasks = Tasks(day, error=errors.SchemaChanged("revision 0009"))
    run(day, CycleResult, exit_codes=exit_codes, tasks=tasks)
    assert (exit_codes, day.now) == ([2], NOON)


def test_old_frames_are_removed_between_cycles_after_all_tasks() -> None:
    day = Day(hours=0.9, now=NOON + 20 * MINUTE)
    tasks, retention = Tasks(day, batches=2, seconds=1), Tasks(day, batches=3, seconds=1)
    run(day, CycleResult, tasks=tasks, retention=retention)
    assert tasks.calls[:2] == [NOON + 20 * MINUTE, NOON + 20 * MINUTE + SECOND]
    seconds = [(at - NOON - 20 * MINUTE) / SECOND for at in retention.calls[:3]]
    assert list(map(int, seconds)) == [2, 3, 4]


def test_a_cycle_that_is_due_waits_for_no_more_than_one_removal() -> None:
    day = Day(hours=1.01, now=NOON + 58 * MINUTE)
    retention = Tasks(day, batches=1000, seconds=40)
    cycles = run(day, CycleResult, retention=retention)
    # 122 s to the next cycle: a fourth removal has started by then, and nothing after it.
    start, due = cycles.starts[0], NOON + HOUR + SECOND
    calls = [call for call in retention.calls if call < cycles.starts[1]]
    assert [(call - start) // (40 * SECOND) for call in calls] == [0, 1, 2, 3]
    assert calls[-1] < due
    assert cycles.starts[1] == calls[-1] + 40 * SECOND


def test_the_worker_rests_between_two_removals_as_long_as_one_takes() -> None:
    day = Day(hours=0.5, now=NOON + 20 * MINUTE)

    class Slow(Tasks):
        def advance(self) -> bool:
            time.sleep(0.2 * (self._batches == 1))
            return super().advance()

    retention = Slow(day, batches=2)
    run(day, CycleResult, retention=retention)
    first, second, third = retention.calls[:3]
    # The clock stands still except while the worker waits.
    assert second - first >= 0.05 * SECOND
    assert third - second >= 0.2 * SECOND


def test_a_purge_that_fails_is_reported_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    day = Day(hours=0.5, now=NOON + 20 * MINUTE)
    retention = Tasks(day, error=errors.TryLater("the database did not answer"))
    run(day, CycleResult, retention=retention)
    assert len(retention.calls) > 1
    assert "old frames are removed later: the database did not answer" in caplog.text

"""A worker's loop: when it rates, how long it rests, how it ends."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from ratekit import errors
from ratekit.daemon.status_board import StatusBoard
from ratekit.daemon.worker import Worker
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.calendar import Calendar
from ratekit.processing.cycle import CycleResult

SECOND = datetime.timedelta(seconds=1)
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


class Day:
    """A clock that is set, and a stop event whose waiting moves it.

    :param hours: after which the loop is told to stop
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
    """Stands for an orchestrator: each cycle does the next thing of a list, the last for ever."""

    def __init__(self, day: Day, *deeds: Callable[[], CycleResult]) -> None:
        self._day = day
        self._deeds = list(deeds)
        self.begun: list[datetime.datetime] = []

    def run_cycle(self, patient: bool = True) -> CycleResult:
        assert patient
        self.begun.append(self._day.now)
        return self._deeds.pop(0)() if len(self._deeds) > 1 else self._deeds[0]()

    def pauses(self) -> list[float]:
        """Seconds from one cycle to the next."""
        return [
            (one - other) / SECOND for other, one in zip(self.begun, self.begun[1:], strict=False)
        ]


class Tasks:
    """Stands for a reprocessor that has so many batches to do.

    :param seconds: that a batch takes
    :ivar looks: when it was asked
    """

    def __init__(
        self, day: Day, batches: int = 0, seconds: float = 0, error: Exception | None = None
    ) -> None:
        self._day = day
        self._batches = batches
        self._seconds = seconds
        self._error = error
        self.looks: list[datetime.datetime] = []

    def advance(self) -> bool:
        self.looks.append(self._day.now)
        if self._error is not None:
            raise self._error
        self._day.now += self._seconds * SECOND * (self._batches > 0)
        self._batches -= 1
        return self._batches >= 0


def run(
    day: Day,
    *deeds: Callable[[], CycleResult],
    given_up: list[int] | None = None,
    tasks: Tasks | None = None,
) -> Cycles:
    cycles = Cycles(day, *deeds)
    Worker(
        cycles,  # type: ignore[arg-type]
        tasks or Tasks(day),  # type: ignore[arg-type]
        Calendar(HOUR, wait_periods=2),
        Backoff(30 * SECOND, 900 * SECOND),
        day,  # type: ignore[arg-type]
        StatusBoard(1).slots[0],
        ([] if given_up is None else given_up).append,
        day.clock,
        chance=lambda: 0.0,
    ).run()
    return cycles


def failing(error: Exception) -> Callable[[], CycleResult]:
    def deed() -> CycleResult:
        raise error

    return deed


def test_it_rests_until_just_after_the_next_period_becomes_due() -> None:
    day = Day(hours=2.5, now=NOON + 20 * MINUTE)
    cycles = run(day, CycleResult)
    assert cycles.begun == [
        NOON + 20 * MINUTE,
        NOON + HOUR + SECOND,
        NOON + 2 * HOUR + SECOND,
    ]


def test_a_catch_up_during_which_more_became_due_goes_on_at_once() -> None:
    day = Day(hours=1.5, now=NOON + 20 * MINUTE)

    def long_cycle() -> CycleResult:
        day.now += HOUR
        return CycleResult(frames=1, periods=1)

    assert run(day, long_cycle, CycleResult).pauses() == [3601.0]


def test_after_somebody_else_rated_some_scopes_it_looks_again_at_once() -> None:
    assert run(Day(hours=0.5), lambda: CycleResult(lost=1), CycleResult).pauses() == [1.0]


@pytest.mark.parametrize(
    "deed",
    [
        failing(errors.TryLater("Keystone does not answer")),
        failing(errors.OperatorError("Keystone refused")),
        failing(ZeroDivisionError("a bug")),
    ],
)
def test_cycles_that_fail_as_a_whole_are_tried_again_ever_more_rarely(
    deed: Callable[[], CycleResult],
) -> None:
    assert run(Day(hours=0.8), deed).pauses() == [30, 60, 120, 240, 480, 900, 900]


def test_a_cycle_that_goes_well_makes_the_next_rest_short_again() -> None:
    down = failing(errors.TryLater("Keystone does not answer"))
    cycles = run(Day(hours=1.05, now=NOON), down, down, CycleResult, down)
    assert cycles.pauses()[:4] == [30, 60, 3600 - 90 + 1, 30]


def test_a_back_end_that_asks_for_a_rest_gets_it() -> None:
    asks = failing(errors.TryLater("Keystone answered 503", after=444))
    assert run(Day(hours=0.2), asks, CycleResult).pauses() == [444]


def test_scopes_that_rest_are_tried_when_the_first_has_rested() -> None:
    day = Day(hours=0.5)
    cycles = run(day, lambda: CycleResult(failed=2, retry_at=day.now + 7 * MINUTE), CycleResult)
    assert cycles.pauses() == [7 * 60]


def test_scopes_whose_rests_end_one_by_one_are_tried_together() -> None:
    day = Day(hours=0.02)
    cycles = run(day, lambda: CycleResult(failed=2, retry_at=day.now + SECOND))
    assert cycles.pauses() == [30, 30]


def test_it_does_not_rest_past_the_next_period_for_those_that_failed() -> None:
    day = Day(hours=0.1, now=NOON + 59 * MINUTE)
    cycles = run(day, lambda: CycleResult(failed=1, retry_at=day.now + 14 * MINUTE), CycleResult)
    assert cycles.pauses() == [61]


def test_it_does_nothing_once_it_is_stopped() -> None:
    assert run(Day(hours=0), CycleResult).begun == []


def test_a_database_that_was_migrated_ends_the_loop_and_the_daemon() -> None:
    given_up: list[int] = []
    day = Day(hours=5)
    cycles = run(day, failing(errors.SchemaChanged("revision 0009")), given_up=given_up)
    assert given_up == [2]
    assert len(cycles.begun) == 1
    assert day.now == NOON


def test_a_clock_that_is_set_back_does_not_make_a_rest_longer() -> None:
    day = Day(hours=1)
    waits: list[float] = []
    wait = day.wait

    def set_back(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 10:
            day.now -= 24 * HOUR
        return wait(seconds)

    day.wait = set_back  # type: ignore[method-assign]
    cycles = run(day, lambda: CycleResult(failed=1, retry_at=day.now + MINUTE), _stopping(day))
    assert sum(waits) == pytest.approx(60)
    assert len(cycles.begun) == 2


def _stopping(day: Day) -> Callable[[], CycleResult]:
    def deed() -> CycleResult:
        day.set()
        return CycleResult()

    return deed


# Tasks --------------------------------------------------------------------------------------


def test_tasks_are_looked_for_after_each_cycle_and_every_15_seconds() -> None:
    day = Day(hours=1 / 60, now=NOON)
    tasks = Tasks(day)
    run(day, CycleResult, tasks=tasks)
    assert [(look - NOON) / SECOND for look in tasks.looks] == [0, 15, 30, 45]


def test_tasks_go_on_without_a_pause_until_a_period_becomes_due() -> None:
    day = Day(hours=1.01, now=NOON + 58 * MINUTE)
    tasks = Tasks(day, batches=1000, seconds=40)
    cycles = run(day, CycleResult, tasks=tasks)
    # 122 s to the next cycle: a fourth batch has begun when it is time.
    begun = cycles.begun[0]
    assert [(look - begun) / SECOND for look in tasks.looks[:4]] == [0, 40, 80, 120]
    assert cycles.begun[1] - begun == 160 * SECOND


@pytest.mark.parametrize("error", [errors.TryLater("no database"), ZeroDivisionError("a bug")])
def test_tasks_that_cannot_be_read_hold_up_no_cycle(error: Exception) -> None:
    day = Day(hours=1.5, now=NOON + 20 * MINUTE)
    tasks = Tasks(day, error=error)
    cycles = run(day, CycleResult, tasks=tasks)
    assert cycles.begun == [NOON + 20 * MINUTE, NOON + HOUR + SECOND]
    assert tasks.looks[1] - tasks.looks[0] == 15 * SECOND


def test_a_database_that_is_migrated_between_two_cycles_ends_the_daemon() -> None:
    given_up: list[int] = []
    day = Day(hours=5)
    tasks = Tasks(day, error=errors.SchemaChanged("revision 0009"))
    run(day, CycleResult, given_up=given_up, tasks=tasks)
    assert (given_up, day.now) == ([2], NOON)

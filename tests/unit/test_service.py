"""The daemon's loop: when it rates, how long it rests, how it ends."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from ratekit import errors
from ratekit.domain.due import Calendar
from ratekit.orchestrator import Outcome
from ratekit.service import Processor

HOUR = datetime.timedelta(hours=1)
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


class Day:
    """A clock that is set, and a stop event whose waiting moves it.

    :param rests: how often the loop may wait before it is told to stop
    """

    def __init__(self, rests: int, now: datetime.datetime = NOON) -> None:
        self.now = now
        self.waited: list[float] = []
        self._rests = rests

    def clock(self) -> datetime.datetime:
        return self.now

    def set(self) -> None:
        self._rests = 0

    def is_set(self) -> bool:
        return len(self.waited) >= self._rests

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.now += datetime.timedelta(seconds=seconds)
        return self.is_set()


class Passes:
    """Stands for an orchestrator: each pass does the next thing of a list, the last for ever."""

    def __init__(self, *deeds: Callable[[], Outcome]) -> None:
        self._deeds = list(deeds)
        self.count = 0

    def run_pass(self, patient: bool = True) -> Outcome:
        assert patient
        self.count += 1
        return self._deeds.pop(0)() if len(self._deeds) > 1 else self._deeds[0]()


def processor(day: Day, passes: Passes) -> Processor:
    calendar = Calendar(HOUR, wait_periods=2)
    return Processor(passes, calendar, day, 30.0, day.clock)  # type: ignore[arg-type]


def failing(error: Exception) -> Callable[[], Outcome]:
    def deed() -> Outcome:
        raise error

    return deed


def test_it_rests_until_just_after_the_next_period_becomes_due() -> None:
    day = Day(rests=2, now=NOON + datetime.timedelta(minutes=20))
    processor(day, Passes(Outcome)).run()
    assert day.waited == [40 * 60 + 1, 3600]
    assert day.now == NOON + 2 * HOUR + datetime.timedelta(seconds=1)


def test_a_catch_up_during_which_more_became_due_goes_on_at_once() -> None:
    day = Day(rests=2, now=NOON + datetime.timedelta(minutes=20))

    def long_pass() -> Outcome:
        day.now += HOUR
        return Outcome(frames=1, periods=1)

    passes = Passes(long_pass, Outcome)
    processor(day, passes).run()
    assert day.waited == [0.0, 40 * 60 + 1]
    assert passes.count == 2


@pytest.mark.parametrize(
    "deed",
    [
        failing(errors.TryLater("Keystone does not answer")),
        failing(errors.OperatorError("Keystone refused")),
        failing(ZeroDivisionError("a bug")),
        lambda: Outcome(failed=1),
    ],
)
def test_after_a_failure_it_tries_again_soon(deed: Callable[[], Outcome]) -> None:
    day = Day(rests=3)
    passes = Passes(deed)
    processor(day, passes).run()
    assert day.waited == [30.0, 30.0, 30.0]
    assert passes.count == 3


def test_it_does_not_rest_past_the_next_period_after_a_failure() -> None:
    day = Day(rests=1, now=NOON + datetime.timedelta(minutes=59, seconds=50))
    processor(day, Passes(lambda: Outcome(failed=1))).run()
    assert day.waited == [11.0]


def test_it_does_nothing_once_it_is_stopped() -> None:
    day = Day(rests=0)
    passes = Passes(Outcome)
    processor(day, passes).run()
    assert passes.count == 0

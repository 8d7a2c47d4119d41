"""Green threads: calls run side by side, in order, and an error leaves nothing running."""

import eventlet
import pytest

from ratekit import errors
from ratekit.concurrency import GreenThread, StopEvent, side_by_side, within


def test_results_come_in_the_order_of_the_items() -> None:
    def wait(tenth: int) -> int:
        eventlet.sleep(0.002 * tenth)
        return tenth

    assert side_by_side(wait, [3, 1, 2], limit=3, seconds=60, description="it") == [3, 1, 2]


@pytest.mark.parametrize(("limit", "expected_peak"), [(1, 1), (2, 2), (5, 5), (100, 8)])
def test_no_more_run_at_once_than_allowed(limit: int, expected_peak: int) -> None:
    running, peak = [0], [0]

    def count(item: int) -> None:
        running[0] += 1
        peak[0] = max(peak[0], running[0])
        eventlet.sleep(0)
        running[0] -= 1

    side_by_side(count, range(8), limit, seconds=60, description="it")
    assert peak == [expected_peak]


@pytest.mark.parametrize("items", [[], [7]])
def test_there_may_be_none_or_one_item(items: list[int]) -> None:
    assert side_by_side(lambda item: item + 1, items, limit=4, seconds=60, description="it") == [
        item + 1 for item in items
    ]


def test_the_first_error_is_raised_when_all_calls_have_ended() -> None:
    ended = []

    def fail(item: int) -> None:
        eventlet.sleep(0.001 * item)
        ended.append(item)
        if item in (2, 4):
            raise ValueError(f"number {item}")

    # Number 2 ends before number 4, but comes after it in the list.
    with pytest.raises(ValueError, match="number 4"):
        side_by_side(fail, [1, 4, 2, 5], limit=4, seconds=60, description="it")
    assert sorted(ended) == [1, 2, 4, 5]


def test_a_green_thread_runs_beside_its_caller() -> None:
    log: list[str] = []

    def work() -> None:
        eventlet.sleep(0)
        log.append("work")

    thread = GreenThread(work)
    assert log == []
    thread.wait()
    assert log == ["work"]


def test_a_stop_ends_a_wait() -> None:
    stop = StopEvent()
    assert not stop.is_set()
    eventlet.spawn_after(0.005, stop.set)
    assert stop.wait(60)
    assert stop.is_set()


def test_a_wait_without_a_stop_ends_by_itself() -> None:
    stop = StopEvent()
    assert not stop.wait(0.005)
    assert not stop.wait(0)
    assert not stop.is_set()


def test_stopping_twice_does_no_harm() -> None:
    stop = StopEvent()
    stop.set()
    stop.set()
    assert stop.wait(60)


def test_an_error_is_raised_and_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(item: int) -> None:
        eventlet.sleep(0.001)
        raise ValueError(f"number {item}")

    with pytest.raises(ValueError, match="number 1"):
        side_by_side(fail, [1, 2], limit=2, seconds=60, description="it")
    assert capfd.readouterr() == ("", "")


def test_a_stop_ends_a_long_wait_soon() -> None:
    stop = StopEvent()
    ended: list[bool] = []
    thread = GreenThread(lambda: ended.append(stop.wait(3600)))
    eventlet.sleep(0.01)
    stop.set()
    thread.wait()
    assert ended == [True]


def test_calls_that_take_too_long_are_ended_and_may_be_tried_later() -> None:
    ended: list[int] = []

    def hang(item: int) -> None:
        try:
            eventlet.sleep(3600 * item)
        finally:
            ended.append(item)

    with pytest.raises(errors.TryLater, match=r"^Gnocchi did not finish within 0\.5 s$"):
        side_by_side(hang, [0, 1, 2, 3], limit=3, seconds=0.5, description="Gnocchi")
    # The fourth call started when the first had ended.
    assert sorted(ended) == [0, 1, 2, 3]


def test_a_killed_green_thread_leaves_nothing_running_and_raises_nothing() -> None:
    started: list[str] = []
    ended: list[str] = []

    def hang(item: str) -> None:
        started.append(item)
        try:
            eventlet.sleep(3600)
        finally:
            ended.append(item)

    def work() -> None:
        side_by_side(hang, ["a", "b"], limit=2, seconds=3600, description="it")

    thread = GreenThread(work)
    while len(started) < 2:
        eventlet.sleep(0)
    thread.kill()
    thread.wait()
    assert ended == ["a", "b"]


def test_within_returns_the_result_of_a_call_that_finishes_in_time() -> None:
    assert within(60, "the fetcher", lambda: 7) == 7


def test_within_raises_the_error_of_a_call_that_fails() -> None:
    def fail() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        within(60, "the fetcher", fail)


def test_within_ends_a_call_that_takes_too_long() -> None:
    ended: list[bool] = []

    def hang() -> None:
        try:
            eventlet.sleep(3600)
        finally:
            ended.append(True)

    with pytest.raises(errors.TryLater, match="the fetcher"):
        within(0.05, "the fetcher", hang)
    assert ended == [True]

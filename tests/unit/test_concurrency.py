"""Green threads: side by side, in order, and nothing left running behind an error."""

import eventlet
import pytest

from ratekit import errors
from ratekit.concurrency import GreenThread, StopEvent, side_by_side


def test_results_come_in_the_order_of_the_items() -> None:
    def wait(tenth: int) -> int:
        eventlet.sleep(0.002 * tenth)
        return tenth

    assert side_by_side(wait, [3, 1, 2], limit=3, seconds=60, what="it") == [3, 1, 2]


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (2, 2), (5, 5), (100, 8)])
def test_no_more_run_at_once_than_allowed(limit: int, most: int) -> None:
    running, peak = [0], [0]

    def count(item: int) -> None:
        running[0] += 1
        peak[0] = max(peak[0], running[0])
        eventlet.sleep(0)
        running[0] -= 1

    side_by_side(count, range(8), limit, seconds=60, what="it")
    assert peak == [most]


@pytest.mark.parametrize("items", [[], [7]])
def test_there_may_be_none_or_one_item(items: list[int]) -> None:
    assert side_by_side(lambda item: item + 1, items, limit=4, seconds=60, what="it") == [
        item + 1 for item in items
    ]


def test_the_first_error_is_raised_when_all_calls_have_ended() -> None:
    ended = []

    def fail(item: int) -> None:
        eventlet.sleep(0.001 * item)
        ended.append(item)
        if item in (2, 4):
            raise ValueError(f"number {item}")

    # Number 2 ends before number 4 but stands behind it.
    with pytest.raises(ValueError, match="number 4"):
        side_by_side(fail, [1, 4, 2, 5], limit=4, seconds=60, what="it")
    assert sorted(ended) == [1, 2, 4, 5]


def test_a_task_runs_beside_its_caller_until_it_is_waited_for() -> None:
    done: list[str] = []

    def work() -> None:
        eventlet.sleep(0)
        done.append("work")

    task = GreenThread(work)
    assert done == []
    task.wait()
    assert done == ["work"]


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
        side_by_side(fail, [1, 2], limit=2, seconds=60, what="it")
    assert capfd.readouterr() == ("", "")


def test_a_long_wait_ends_soon_after_it_is_told_to() -> None:
    stop = StopEvent()
    ended: list[bool] = []
    task = GreenThread(lambda: ended.append(stop.wait(3600)))
    eventlet.sleep(0.01)
    stop.set()
    task.wait()
    assert ended == [True]


def test_calls_that_take_too_long_are_ended_and_to_be_tried_later() -> None:
    ended: list[int] = []

    def hang(item: int) -> None:
        try:
            eventlet.sleep(3600 * item)
        finally:
            ended.append(item)

    with pytest.raises(
        errors.TryLater, match=r"^Gnocchi has not answered, or not to the end, within 0\.5 s$"
    ):
        side_by_side(hang, [0, 1, 2, 3], limit=3, seconds=0.5, what="Gnocchi")
    # The fourth began when the first had ended.
    assert sorted(ended) == [0, 1, 2, 3]


def test_a_task_that_is_killed_leaves_nothing_running_and_raises_nothing() -> None:
    begun: list[str] = []
    ended: list[str] = []

    def hang(item: str) -> None:
        begun.append(item)
        try:
            eventlet.sleep(3600)
        finally:
            ended.append(item)

    def work() -> None:
        side_by_side(hang, ["a", "b"], limit=2, seconds=3600, what="it")

    task = GreenThread(work)
    while len(begun) < 2:
        eventlet.sleep(0)
    task.kill()
    task.wait()
    assert ended == ["a", "b"]

"""The reprocessor: tasks take turns, and what it does after failures."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.reprocessing.task import (
    Account,
    RepricedWindow,
    Task,
    TaskKind,
)
from ratekit.processing.reprocessor import TaskSummary
from tests.builders import MINUTE
from tests.contract.given import HOUR, hour, read_frames, total
from tests.fakes import CollectCall
from tests.reprocessing_bench import ReprocessingBench
from tests.sharing import FakeSharing


def test_the_periods_of_a_task_are_collected_and_priced_again_and_others_stay(
    bench: ReprocessingBench,
) -> None:
    bench.rate("a", "b")
    (task,) = bench.queue("a", begin=1, end=4)
    assert bench.run_tasks() == 1
    assert {call.scopes for call in bench.collector.calls} == {("a",)}
    by_hour = [price for scope, _, _, price in read_frames(bench.storage) if scope == "a"]
    assert by_hour == [Decimal(1)] * 4 + [Decimal(5)] * 12 + [Decimal(1)] * 8
    assert total(bench.storage, "b") == (24, Decimal(24))
    assert bench.outcomes(task) == "sw" * 3


def test_tasks_take_turns(bench: ReprocessingBench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench.settings = dataclasses.replace(bench.settings, batch_frames=2)
    bench.reprocessor = bench.another()
    bench.rate("a", "b")
    bench.queue("a", "b")
    assert bench.run_tasks() > 4
    scopes = [call.scopes[0] for call in bench.collector.calls if call.metric == "cpu"]
    assert scopes[:4] == ["a", "b", "a", "b"]
    assert total(bench.storage) == (48, Decimal(48 * 5))
    messages = [record.getMessage() for record in caplog.records]
    assert len([line for line in messages if "starts at" in line]) == 2
    assert len([line for line in messages if "is done" in line]) == 2
    assert "price: 24 before, 120 now" in messages[-1]


def test_each_process_carries_out_its_own_tasks(bench: ReprocessingBench) -> None:
    names = [f"s{number}" for number in range(8)]
    bench.rate(*names)
    bench.queue(*names)
    processes = [FakeSharing(worker=0, workers=2), FakeSharing(worker=1, workers=2)]
    counts = [bench.another(sharing=sharing).finish().finished_tasks for sharing in processes]
    assert sum(counts) == 8
    assert all(counts)


class TestFailures:
    def test_a_failing_task_is_put_off_ever_longer_while_others_go_on(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a", "b")
        bench.collector.failures.append(
            lambda call: errors.OperatorError("refused") if call.scopes == ("a",) else None
        )
        first, second = bench.queue("a", "b")
        bench.run_tasks()
        assert bench.outcomes(second) == "sw" * 6
        delays = []
        for _ in range(3):
            ((task, _),) = bench.storage.tasks.tasks()
            assert (task.id, task.last_error) == (first, "refused")
            assert task.retry_at is not None
            delays.append(task.retry_at - bench.now)
            bench.now = task.retry_at
            bench.run_tasks()
        assert delays == [MINUTE, 2 * MINUTE, 4 * MINUTE]
        assert total(bench.storage, "a") == (24, Decimal(24))
        bench.collector.failures.pop()
        bench.now += HOUR
        bench.run_tasks()
        assert bench.outcomes(first) == "sw" * 6

    def test_a_request_that_times_out_is_made_smaller_first(self, bench: ReprocessingBench) -> None:
        bench.rate("a")
        bench.collector.failures.append(
            lambda call: errors.TryLater("504") if call.window.count > 1 else None
        )
        (task,) = bench.queue("a")
        bench.run_tasks()
        assert bench.outcomes(task) == "sw" * 6
        assert bench.storage.tasks.tasks() == []

    def test_while_a_back_end_is_down_few_tasks_try_at_a_time(
        self, bench: ReprocessingBench
    ) -> None:
        names = [f"s{number}" for number in range(8)]
        bench.rate(*names, "t")
        bench.collector.failures.append(lambda call: errors.TryLater("refused", after=60))
        bench.queue(*names)
        bench.queue("t", kind=TaskKind.RATES)
        bench.run_tasks()
        tasks = [task for task, _ in bench.storage.tasks.tasks()]
        assert [task.failures for task in tasks] == [1] * 3 + [0] * 5
        bench.run_tasks()
        assert sum(task.failures for task, _ in bench.storage.tasks.tasks()) == 6
        assert bench.reprocessor.finish() == TaskSummary(failed_tasks=8)

    def test_a_response_shows_that_the_back_end_is_not_down(self, bench: ReprocessingBench) -> None:
        bench.rate(*"abcde")
        bench.collector.failures.append(
            lambda call: None if call.scopes[0] in "ce" else errors.TryLater("504", after=60)
        )
        bench.queue(*"abcde")
        assert bench.another().finish() == TaskSummary(finished_tasks=2, failed_tasks=3)

    def test_tasks_that_only_price_say_nothing_about_the_back_end(
        self, bench: ReprocessingBench
    ) -> None:
        bench.settings = dataclasses.replace(bench.settings, batch_frames=4)
        bench.reprocessor = bench.another()
        names = [f"s{number}" for number in range(8)]
        bench.rate("t", *names)
        bench.collector.failures.append(lambda call: errors.TryLater("refused", after=60))
        (rates,) = bench.queue("t", kind=TaskKind.RATES)
        bench.queue(*names)
        assert bench.reprocessor.finish() == TaskSummary(finished_tasks=1, failed_tasks=8)
        assert bench.outcomes(rates) == "sw" * 6
        assert len(bench.collector.calls) == 3

    def test_a_scope_that_always_times_out_is_put_off_while_others_go_on(
        self, bench: ReprocessingBench
    ) -> None:
        count = 600
        bench.now = hour(2000)
        bench.collector.resources = ["r1"]
        bench.rate("a", "b", count=count)
        periods_of_a: list[int] = []

        def slow(call: CollectCall) -> Exception | None:
            if call.scopes != ("a",):
                return None
            periods_of_a.append(call.window.count)
            return errors.TryLater("timed out")

        bench.collector.failures.append(slow)
        first, second = bench.queue("a", "b", end=count)
        bench.run_tasks()
        assert periods_of_a == [96, 12, 1]
        ((task, _),) = bench.storage.tasks.tasks()
        assert (task.id, task.failures, task.last_error) == (first, 1, "timed out")
        assert len(bench.storage.tasks.periods(second)) == count
        # The failures of the first task made no request of the second smaller.
        counts = {call.window.count for call in bench.collector.calls if call.scopes == ("b",)}
        assert counts == {96, 504}
        # One request after each delay is enough to see that nothing has changed.
        bench.now += HOUR
        bench.run_tasks()
        assert periods_of_a == [96, 12, 1, 1]

    def test_a_task_is_put_off_after_three_failures_however_many_periods_it_has(
        self, bench: ReprocessingBench
    ) -> None:
        count = 480
        bench.now = hour(2000)
        bench.collector.resources = ["r1"]
        bench.rate("a", "b", count=count)
        bench.queue("b", end=count)
        bench.run_tasks()
        bench.collector.calls.clear()
        bench.collector.failures.append(lambda call: errors.TryLater("timed out"))
        bench.queue("a", end=count)
        bench.run_tasks()
        assert [call.window.count for call in bench.collector.calls] == [480, 60, 7]
        ((task, _),) = bench.storage.tasks.tasks()
        assert task.failures == 1

    def test_after_one_failure_the_windows_grow_again(self, bench: ReprocessingBench) -> None:
        bench.now = hour(2000)
        bench.collector.resources = ["r1"]
        bench.rate("a", count=96)
        errors_left = [errors.TryLater("restarting")]
        bench.collector.failures.append(lambda call: errors_left.pop() if errors_left else None)
        bench.queue("a", end=96)
        bench.run_tasks()
        sizes = [call.window.count for call in bench.collector.calls if call.metric == "cpu"]
        assert sizes == [96, 12, 84]

    def test_a_cancelled_task_leaves_nothing_behind(self, bench: ReprocessingBench) -> None:
        bench.rate("a")
        bench.collector.failures.append(lambda call: errors.TryLater("timed out"))
        (first,) = bench.queue("a")
        bench.run_tasks()
        bench.storage.tasks.cancel(first, bench.now)
        bench.run_tasks()
        bench.collector.calls.clear()
        bench.queue("a")
        bench.run_tasks()
        # The failures of the cancelled task do not count.
        assert [call.window.count for call in bench.collector.calls] == [6, 1]

    def test_after_repeated_conflicts_a_task_is_put_off(
        self, bench: ReprocessingBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.rate("a", "b")
        (first, _) = bench.queue("a", "b")
        swap = bench.storage.task_ledger.swap

        def conflict(
            task: Task, repriced: RepricedWindow, now: datetime.datetime
        ) -> Account | None:
            if task.id == first:
                raise errors.Conflict("lock timeout")
            return swap(task, repriced, now)

        monkeypatch.setattr(type(bench.storage.task_ledger), "swap", staticmethod(conflict))
        assert bench.reprocessor.finish() == TaskSummary(finished_tasks=1, failed_tasks=1)
        ((task, _),) = bench.storage.tasks.tasks()
        assert (task.failures, task.last_error) == (1, "lock timeout")
        assert len([call for call in bench.collector.calls if call.scopes == ("a",)]) == 2 * 3

    def test_a_failure_of_the_database_makes_no_request_smaller(
        self, bench: ReprocessingBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.rate("a")
        (task,) = bench.queue("a")
        with monkeypatch.context() as patched:

            def busy(*_: object) -> None:
                raise errors.TryLater("busy")

            patched.setattr(type(bench.storage.task_ledger), "swap", busy)
            bench.run_tasks()
            ((waiting, _),) = bench.storage.tasks.tasks()
            assert (waiting.failures, waiting.last_error) == (1, "busy")
        bench.now += HOUR
        bench.run_tasks()
        assert {call.window.count for call in bench.collector.calls} == {6}
        assert bench.outcomes(task) == "sw" * 6

    def test_a_bug_in_one_task_delays_no_other(
        self, bench: ReprocessingBench, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.rate("a", "b")
        bench.collector.failures.append(
            lambda call: ZeroDivisionError("a bug") if call.scopes == ("a",) else None
        )
        bench.queue("a", "b")
        bench.run_tasks()
        assert [task.order.scope.id for task, _ in bench.storage.tasks.tasks()] == ["a"]
        assert total(bench.storage, "b") == (24, Decimal(120))
        assert "unexpected error in task" in caplog.text

    def test_tasks_wait_for_unprocessed_measures_without_a_failure(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a", "b")
        collecting, _ = *bench.queue("a"), *bench.queue("b", kind=TaskKind.RATES)
        bench.collector.not_ready_reason = "metricd has a backlog"
        bench.run_tasks()
        ((task, _),) = bench.storage.tasks.tasks()
        assert (task.id, task.failures) == (collecting, 0)

    def test_a_task_of_another_period_length_fails_with_the_remedy(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a")
        bench.queue("a", step=2 * HOUR)
        bench.run_tasks()
        ((task, _),) = bench.storage.tasks.tasks()
        assert task.last_error is not None
        assert "queued for periods of 2 h" in task.last_error
        assert bench.collector.calls == []

    def test_finish_counts_the_tasks_that_could_not_be_finished(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a", "b", "c")
        bench.collector.failures.append(
            lambda call: errors.OperatorError("refused") if call.scopes == ("a",) else None
        )
        bench.queue("a", "b")
        assert bench.reprocessor.finish() == TaskSummary(finished_tasks=1, failed_tasks=1)
        # Also what delays.
        assert bench.reprocessor.finish() == TaskSummary(finished_tasks=0, failed_tasks=1)
        bench.collector.not_ready_reason = "metricd has a backlog"
        assert bench.reprocessor.finish() == TaskSummary(finished_tasks=0, failed_tasks=1)

    def test_a_processor_that_does_not_collect_leaves_such_tasks_open_and_counts_them(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a", "b")
        bench.queue("a")
        bench.queue("b", kind=TaskKind.RATES)
        assert bench.another(collects=False).finish() == TaskSummary(
            finished_tasks=1, failed_tasks=1
        )
        ((task, _),) = bench.storage.tasks.tasks()
        assert task.order.kind is TaskKind.COLLECT

"""Tasks, from a collector to a real SQLite file: what is swapped, what is kept, what delays."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import shutil
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit import errors
from ratekit.admin import reprocess
from ratekit.admin.what_if import price_differences
from ratekit.domain.reporting.reports import Selection
from ratekit.domain.reprocessing.task import (
    Account,
    Order,
    PeriodOutcome,
    RepricedWindow,
    Task,
    TaskKind,
)
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.schedule.partition import Partition
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries, Series
from ratekit.pricing.price_list import PriceList
from ratekit.pricing.stored_usage import price_stored_usage
from ratekit.processing.reprocessor import TaskSummary
from ratekit.rating.hashmap import Hashmap
from ratekit.storage import migrate
from tests.builders import MINUTE, metric
from tests.contract.given import HOUR, batch, hour, listed, note, stored, total, window
from tests.fakes import CollectCall, FakeModule
from tests.reprocessing_bench import ReprocessingBench

NewBench = Callable[[], ReprocessingBench]


@pytest.fixture(scope="module")
def new_bench(tmp_path_factory: pytest.TempPathFactory) -> NewBench:
    """Return a function that builds benches with an empty database."""
    empty = tmp_path_factory.mktemp("empty") / "ratekit.sqlite"
    migrate.upgrade(f"sqlite:///{empty}")

    def make() -> ReprocessingBench:
        folder = tmp_path_factory.mktemp("bench")
        return ReprocessingBench(f"sqlite:///{shutil.copy(empty, folder)}")

    return make


@pytest.fixture
def bench(new_bench: NewBench) -> ReprocessingBench:
    """A bench with an empty database."""
    return new_bench()


def test_the_periods_of_a_task_are_collected_and_priced_again_and_others_stay(
    bench: ReprocessingBench,
) -> None:
    bench.rate("a", "b")
    (task,) = bench.queue("a", begin=1, end=4)
    assert bench.run_tasks() == 1
    assert {call.scopes for call in bench.collector.calls} == {("a",)}
    by_hour = [price for scope, _, _, price in stored(bench.storage) if scope == "a"]
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


def test_each_partition_carries_out_its_own_tasks(bench: ReprocessingBench) -> None:
    names = [f"s{number}" for number in range(8)]
    bench.rate(*names)
    bench.queue(*names)
    partitions = [Partition(0, 2), Partition(1, 2)]
    counts = [
        bench.another(partition=partition).finish().finished_tasks for partition in partitions
    ]
    assert sum(counts) == 8
    assert all(counts)


class TestKept:
    def test_a_period_whose_data_has_expired_is_kept(self, bench: ReprocessingBench) -> None:
        bench.rate("a")
        bench.collector.expired_before = hour(2)
        (task,) = bench.queue("a")
        bench.run_tasks()
        assert bench.outcomes(task) == "ke" * 2 + "sw" * 4
        assert bench.notes(task)[:3] == ["the archive keeps too little"] * 2 + [None]
        assert total(bench.storage) == (24, Decimal(8 * 1 + 16 * 5))

    @pytest.mark.parametrize("accepted", [False, True])
    @pytest.mark.parametrize(
        ("gone", "note_"),
        [
            ((None, "disk", 2), "no longer available: disk"),
            (("r2", "disk", 2), "no longer available: disk of id=r2 project_id=a"),
        ],
    )
    def test_a_period_that_lacks_charged_usage_is_kept_unless_silence_is_accepted(
        self,
        gone: tuple[str | None, str, int],
        note_: str,
        accepted: bool,
        bench: ReprocessingBench,
    ) -> None:
        bench.rate("a")
        bench.collector.missing.add(gone)
        (task,) = bench.queue("a", accept_silence=accepted)
        bench.run_tasks()
        lost = 2 if gone[0] is None else 1
        if accepted:
            assert bench.outcomes(task) == "sw" * 6
            assert total(bench.storage) == (24 - lost, Decimal((24 - lost) * 5))
        else:
            assert bench.outcomes(task) == "sw" * 2 + "ke" + "sw" * 3
            assert bench.notes(task)[2] == note_
            assert total(bench.storage) == (24, Decimal(20 * 5 + 4))

    def test_a_metric_that_was_removed_from_metrics_yml_keeps_the_period(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a")
        bench.settings = dataclasses.replace(bench.settings, metrics=[metric("cpu")])
        bench.reprocessor = bench.another()
        (task,) = bench.queue("a", begin=0, end=1)
        bench.run_tasks()
        assert bench.notes(task) == ["no longer available: disk (not in metrics.yml)"]

    @pytest.mark.parametrize("accepted", [False, True])
    def test_a_missing_label_that_prices_depend_on_keeps_the_period(
        self, accepted: bool, bench: ReprocessingBench, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.rate("a")
        bench.collector.label = "uuid"
        terms = Terms(Decimal("0.5"), CostType.FLAT)
        book = RuleBook(0, (MappingRule(RuleTarget("cpu", "id"), "r1", terms),))
        bench.storage.rules.change(0, [], book.rules, note())
        (task,) = bench.queue("a", begin=0, end=2, accept_silence=accepted)
        finished = bench.another([Hashmap()]).finish()
        if accepted:
            assert finished == TaskSummary(finished_tasks=1)
            assert total(bench.storage) == (24, Decimal(16))
            return
        why = (
            "no longer available: label id of cpu, without which it costs nothing, "
            "label id of disk, without which it costs nothing"
        )
        assert bench.notes(task) == [why] * 2
        assert total(bench.storage) == (24, Decimal(24))
        # It must not look like a success.
        assert finished == TaskSummary(finished_tasks=1, kept_periods=2)
        (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert f"2 periods were left unchanged; the first: {why}" in warning.getMessage()

    def test_renamed_labels_are_not_missing_usage(self, bench: ReprocessingBench) -> None:
        bench.rate("a")
        bench.collector.resources, bench.collector.label = ("r9",), "uuid"
        (task,) = bench.queue("a")
        bench.run_tasks()
        assert bench.outcomes(task) == "sw" * 6

    def test_a_gap_is_not_rated(self, bench: ReprocessingBench) -> None:
        bench.rate("a", count=2)
        bench.storage.scopes.deactivate("a", hour(2))
        bench.storage.scopes.activate("a", hour(4))
        (state,) = listed(bench.storage, "a", now=hour(9))
        bench.storage.ledger.commit(batch([state], periods=window(2, hour(4))))
        (task,) = bench.queue("a", accept_silence=True)
        bench.run_tasks()
        assert bench.outcomes(task) == "sw" * 2 + "ke" * 2 + "sw" * 2
        assert bench.notes(task)[2:4] == ["in a gap: the scope was not rated then"] * 2
        begins = {call.window.begin for call in bench.collector.calls}
        assert begins == {hour(0), hour(4)}

    def test_periods_that_were_reset_meanwhile_are_kept(self, bench: ReprocessingBench) -> None:
        bench.rate("a")
        (task,) = bench.queue("a")
        bench.storage.scopes.reset(bench.storage.scopes.plan_reset("a", hour(2)))
        bench.run_tasks()
        assert bench.outcomes(task) == "sw" * 2 + "ke" * 4
        assert total(bench.storage) == (8, Decimal(40))

    def test_a_deactivated_scope_is_priced_again_too(self, bench: ReprocessingBench) -> None:
        bench.rate("a")
        bench.storage.scopes.deactivate("a", hour(9))
        bench.queue("a")
        bench.run_tasks()
        assert total(bench.storage) == (24, Decimal(120))


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
        assert {call.window.count for call in bench.collector.calls if call.scopes == ("b",)} == {
            96, 384, 120,
        }  # fmt: skip
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
        assert sizes == [96, 12, 48, 36]

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
        assert "queued for periods of 2:00:00" in task.last_error
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


@pytest.mark.parametrize("kind", TaskKind)
def test_a_batch_has_at_most_the_configured_frames_although_the_last_scope_had_few(
    bench: ReprocessingBench, kind: TaskKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.settings = dataclasses.replace(bench.settings, batch_frames=50)
    bench.reprocessor = bench.another()
    bench.now = hour(2000)
    bench.collector.resources = ["r1"]
    bench.rate("a", count=90)
    bench.queue("a", end=90, kind=kind)
    bench.run_tasks()
    bench.collector.resources = [f"r{number}" for number in range(10)]
    bench.rate("b", count=7)
    swap = bench.storage.task_ledger.swap
    sizes = []

    def measure(task: Task, repriced: RepricedWindow, now: datetime.datetime) -> Account | None:
        frames = sum(len(rated.prices) for rated in repriced.series)
        sizes.append((repriced.window.count, frames))
        return swap(task, repriced, now)

    monkeypatch.setattr(type(bench.storage.task_ledger), "swap", staticmethod(measure))
    bench.queue("b", end=7, kind=kind)
    bench.run_tasks()
    # Of two metrics.
    assert sizes == [(2, 40), (2, 40), (2, 40), (1, 20)]


def test_a_period_is_never_cut(bench: ReprocessingBench) -> None:
    bench.settings = dataclasses.replace(bench.settings, batch_frames=3)
    bench.reprocessor = bench.another()
    bench.rate("a")
    (task,) = bench.queue("a")
    assert bench.run_tasks() == 6
    assert bench.outcomes(task) == "sw" * 6


@pytest.mark.parametrize("kind", TaskKind)
def test_usage_that_metrics_yml_skips_is_neither_charged_nor_missing(
    bench: ReprocessingBench, kind: TaskKind
) -> None:
    """A task that only prices leaves all stored usage, like the plan that computed it."""
    skipping = dataclasses.replace(metric("cpu"), skip=lambda series, quantity, price: not price)
    bench.settings = dataclasses.replace(bench.settings, metrics=[skipping, metric("disk")])
    bench.rate("a")
    (task,) = bench.queue("a", kind=kind)
    assert bench.another([FakeModule(0)]).finish() == TaskSummary(finished_tasks=1)
    assert bench.outcomes(task) == "sw" * 6
    assert total(bench.storage) == (12 if kind is TaskKind.COLLECT else 24, Decimal(0))


class TestRatesOnly:
    def test_only_prices_change_and_the_collector_is_not_called(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a")
        before = [(scope, begin, quantity) for scope, begin, quantity, _ in stored(bench.storage)]
        bench.collector.missing.add((None, "cpu", None))
        (task,) = bench.queue("a", begin=2, end=4, kind=TaskKind.RATES)
        bench.run_tasks()
        assert bench.collector.calls == []
        after = stored(bench.storage)
        assert [row[:3] for row in after] == before
        assert total(bench.storage) == (24, Decimal(16 + 8 * 5))
        assert bench.outcomes(task) == "sw" * 2

    def test_periods_whose_prices_are_right_are_reported_as_the_same(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a", price="5")
        (task,) = bench.queue("a", kind=TaskKind.RATES)
        bench.run_tasks()
        account = bench.storage.tasks.tasks(ended=True)[0][1]
        assert account.periods == {PeriodOutcome.SAME: 6}
        assert account.old == account.new == Account({}, account.old, account.old).new
        assert bench.outcomes(task) == "sa" * 6


class TestPreview:
    def test_a_preview_computes_what_a_task_would_do_and_writes_nothing(
        self, bench: ReprocessingBench
    ) -> None:
        bench.settings = dataclasses.replace(bench.settings, batch_frames=4)
        bench.rate("a")
        bench.collector.expired_before = hour(2)
        bench.collector.missing.add((None, "disk", 4))
        before = stored(bench.storage)
        order = Order(Scope("a"), hour(0), hour(6), HOUR, TaskKind.COLLECT)
        preview = reprocess.preview(bench.repricer(), bench.storage.reports, order)
        # Two resources in each of the hours 2, 3 and 5.
        assert preview.changes == {
            name: reprocess.Change(
                {"u"},
                reprocess.Sums(6, Decimal(12), Decimal(6)),
                reprocess.Sums(6, Decimal(12), Decimal(30)),
            )
            for name in ("cpu", "disk")
        }
        assert [(periods.window, periods.note) for periods in preview.kept_periods] == [
            (window(2), "the archive keeps too little"),
            (window(1, hour(4)), "no longer available: disk"),
        ]
        assert stored(bench.storage) == before
        (task,) = bench.queue("a")
        bench.run_tasks()
        (_, account) = bench.storage.tasks.tasks(ended=True)[0]
        assert account.new.price - account.old.price == Decimal(48)
        assert bench.outcomes(task) == "kekeswswkesw"


# A plan and the task that follows it ---------------------------------------------------------

COSTS = st.decimals(min_value=Decimal("-1000"), max_value=Decimal(1000), places=12, allow_nan=False)
QUANTITIES = st.decimals(min_value=0, max_value=Decimal(10**6), places=18, allow_nan=False)
INSTANTS = st.none() | st.integers(0, 4).map(hour)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Rules for the metrics and labels of this test."""
    start, end = draw(INSTANTS), draw(INSTANTS)
    terms = Terms(
        cost=draw(COSTS),
        type=draw(st.sampled_from(CostType)),
        group=draw(st.sampled_from([None, "g"])),
        scope=draw(st.sampled_from([None, "a"])),
        start=start,
        end=end,
    )
    service = draw(st.sampled_from(["cpu", "disk"]))
    match draw(st.integers(0, 2)):
        case 0:
            return MappingRule(RuleTarget(service), None, terms)
        case 1:
            return MappingRule(
                RuleTarget(service, "id"), draw(st.sampled_from(["r0", "r1"])), terms
            )
        case _:
            return ThresholdRule(RuleTarget(service), draw(QUANTITIES), terms)


USAGE = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["cpu", "disk"]),
        st.sampled_from(["r0", "r1", "r2"]),
        st.integers(0, 3),
        QUANTITIES,
    ),
    max_size=20,
    unique_by=lambda usage: usage[:4],
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(usage=USAGE, own_rules=st.lists(rules(), max_size=8), since=st.integers(0, 3))
def test_a_task_stores_exactly_the_prices_that_a_plan_computed(
    usage: list[tuple[str, str, str, int, Decimal]],
    own_rules: list[Rule],
    since: int,
    new_bench: NewBench,
) -> None:
    bench = new_bench()
    storage = bench.storage
    series = [
        RatedSeries(
            Series(
                scope, name, "u", {"id": resource, "project_id": scope}, {}, [(hour(at), quantity)]
            ),
            [Decimal(7)],
        )
        for scope, name, resource, at, quantity in usage
    ]
    states = listed(storage, "a", "b")
    storage.ledger.commit(batch(states, *series, periods=window(4), metrics=("cpu", "disk")))
    storage.rules.change(0, [], own_rules, note())
    price_list = PriceList([Hashmap()], storage.rules.read())
    planned = price_differences(storage.reports, price_list, hour(since))
    bench.queue("a", "b", begin=since, end=4, kind=TaskKind.RATES)
    assert bench.another([Hashmap()]).finish() == TaskSummary(finished_tasks=2, failed_tasks=0)
    rows = storage.reports.summary(Selection(begin=hour(since)), ("scope", "metric"), datetime.UTC)
    assert [(row.scope, row.metric, row.new) for row in planned] == [
        (row.group["scope"], row.group["metric"], row.price) for row in rows
    ]
    accounts = [account for _, account in storage.tasks.tasks(ended=True)]
    assert sum(
        Fraction(account.new.price) - Fraction(account.old.price) for account in accounts
    ) == sum(Fraction(one.amount) for one in planned)
    frames = storage.reports.frames(Selection(begin=hour(since)))
    for old_frames, rated in price_stored_usage(frames, price_list):
        assert [row.price for row in old_frames] == rated.prices
    assert isinstance(price_list.book, RuleBook)

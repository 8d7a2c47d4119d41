"""Tasks on every database: they are queued, swapped period by period, and cancelled."""

from __future__ import annotations

import dataclasses
import datetime
import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.reprocessing.task import (
    Account,
    Charge,
    Order,
    PeriodOutcome,
    PeriodRecord,
    RatedRange,
    RepricedWindow,
    Task,
    TaskKind,
    TaskNote,
    TaskState,
)
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries, Shared
from ratekit.interfaces import Storage
from ratekit.storage.db.engine import parse
from ratekit.storage.schema import METRIC_SET_CHANGES, SCOPES
from ratekit.storage.sql import open_storage
from tests.contract.conftest import Open
from tests.contract.given import (
    HOUR,
    Killing,
    batch,
    build_breaking_series,
    build_series,
    hour,
    list_scopes,
    note,
    read_frames,
    read_shared,
    statements,
    total,
    window,
)
from tests.contract.test_coverage import BOTH, rate, read_coverage

NOW = hour(100)
NOTE = TaskNote("prices were wrong", "ann@example", hour(99))
OLD, NEW = ("1", "0.1"), ("2", "0.7")


def order(scope: str = "a", begin: int = 0, end: int = 4, **changed: object) -> Order:
    """Return an order for hours."""
    new_order = Order(Scope(scope), hour(begin), hour(end), HOUR, TaskKind.COLLECT)
    return dataclasses.replace(new_order, **changed)  # type: ignore[arg-type]


def rate_hours(storage: Storage, *scopes: str, count: int = 6) -> None:
    """Rate scopes for hours at the old price."""
    states = list_scopes(storage, *scopes)
    series = [build_series(scope, [OLD] * count) for scope in scopes]
    storage.ledger.commit(batch(states, *series, periods=window(count)))


def queue_task(storage: Storage, task_order: Order | None = None) -> Task:
    """Queue a task and read it as a processor does."""
    (id_,) = storage.tasks.add([task_order or order()], NOTE)
    task = storage.task_ledger.read(id_)
    assert task is not None
    return task


def repricer(
    task: Task,
    count: int = 2,
    pairs: Sequence[tuple[str, str]] | None = None,
    kept_numbers: Sequence[int] = (),
    metrics: tuple[str, ...] | None = ("instance",),
    exclusions: Sequence[Exclusion] = (),
) -> RepricedWindow:
    """Return hours of a task at the new price, from where it is.

    :param kept_numbers: which of them are kept, counted from 0
    """
    begin = task.next_begin
    series: list[RatedSeries] = [
        build_series(task.order.scope.id, [pair], begin=begin + number * HOUR)
        for number, pair in enumerate(pairs or [NEW] * count)
        if number not in kept_numbers
    ]
    return RepricedWindow(
        window=window(count, begin),
        kept_reasons={begin + number * HOUR: "no data" for number in kept_numbers},
        series=series,
        rules_version=0,
        metrics=metrics,
        exclusions=exclusions,
    )


def prices(storage: Storage, scope: str = "a") -> list[str]:
    """Return the price of each frame of a scope, by time."""
    frames = storage.reports.frames(Selection(scopes=frozenset({scope})))
    return [str(frame.price) for frame in frames]


class TestQueue:
    def test_a_task_is_stored_as_ordered(self, storage: Storage) -> None:
        rate_hours(storage, "a")
        wanted = order(accept_silence=True)
        (id_,) = storage.tasks.add([wanted], NOTE)
        ((task, account),) = storage.tasks.tasks()
        assert task.order == dataclasses.replace(wanted, scope=Scope("a", "name of a"))
        assert (task.id, task.note, task.next_begin) == (id_, NOTE, hour(0))
        assert (task.state, task.failures, task.ended_at) == (TaskState.QUEUED, 0, None)
        assert account == Account({})
        assert storage.tasks.periods(id_) == []

    def test_an_open_task_that_overlaps_is_named(self, storage: Storage) -> None:
        rate_hours(storage, "a", "b")
        (first,) = storage.tasks.add([order(begin=1, end=3)], NOTE)
        with pytest.raises(errors.OperatorError, match=f"task {first} is open") as caught:
            storage.tasks.add([order("b"), order(begin=2, end=5)], NOTE)
        assert "\n" not in str(caught.value)
        assert [task.id for task, _ in storage.tasks.tasks()] == [first]
        # Beside it, or for another scope, or after its end.
        storage.tasks.add([order(begin=3, end=4), order("b")], NOTE)
        storage.tasks.cancel(first, NOW)
        storage.tasks.add([order(begin=1, end=3)], NOTE)

    def test_all_open_tasks_that_overlap_are_named(self, storage: Storage) -> None:
        rate_hours(storage, "a", "b")
        first, second, third = (
            storage.tasks.add([task_order], NOTE)[0]
            for task_order in (order("b", end=1), order(begin=1, end=3), order(begin=4, end=5))
        )
        with pytest.raises(errors.OperatorError) as caught:
            storage.tasks.add([order(end=6), order("b")], NOTE)
        lines = str(caught.value).splitlines()
        assert [line.partition(" from ")[0] for line in lines] == [
            f"task {first} is open for scope b",
            f"task {second} is open for scope a",
            f"task {third} is open for scope a",
        ]
        assert len(storage.tasks.tasks()) == 3

    def test_periods_that_are_not_rated_yet_are_refused(self, storage: Storage) -> None:
        rate_hours(storage, "a", "b")
        with pytest.raises(errors.OperatorError, match="only rated until 2026-03-01T06:00:00Z"):
            storage.tasks.add([order("b"), order(end=7)], NOTE)
        with pytest.raises(errors.OperatorError, match="no scope 'c'"):
            storage.tasks.add([order("b"), order("c")], NOTE)
        assert storage.tasks.tasks() == []

    def test_two_operators_at_once_queue_one_task(
        self, storage: Storage, open_another: Open
    ) -> None:
        rate_hours(storage, "a")
        start = threading.Barrier(2)
        outcomes: list[object] = []

        def add(own_storage: Storage) -> None:
            start.wait(10)
            try:
                outcomes.append(own_storage.tasks.add([order()], NOTE))
            except errors.OperatorError as error:
                outcomes.append(str(error))

        threads = [threading.Thread(target=add, args=(open_another(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        refused = [outcome for outcome in outcomes if isinstance(outcome, str)]
        assert len(refused) == len(outcomes) - 1 == 1
        assert len(storage.tasks.tasks()) == 1

    def test_many_scopes_take_as_many_statements_as_few(self, storage: Storage) -> None:
        names = [f"s{number}" for number in range(40)]
        rate_hours(storage, *names)
        counts = []
        for begin, part in ((0, names[:2]), (3, names)):
            with statements() as sent_statements:
                ids = storage.tasks.add([order(name, begin, begin + 1) for name in part], NOTE)
            counts.append(len(sent_statements))
            scopes_by_task = {task.id: task.order.scope.id for task, _ in storage.tasks.tasks()}
            assert [scopes_by_task[id_] for id_ in ids] == part
        assert counts[0] == counts[1]

    def test_rated_ranges_of_scopes(self, storage: Storage) -> None:
        rate_hours(storage, "a")
        list_scopes(storage, "a", "b")
        assert storage.tasks.rated_ranges() == {"a": RatedRange(hour(0), hour(6), HOUR)}


class TestSwap:
    def test_new_frames_replace_old_ones(self, storage: Storage) -> None:
        rate_hours(storage, "a", "b")
        task = queue_task(storage)
        assert storage.task_ledger.swap(task, repricer(task), NOW) is None
        assert prices(storage) == ["0.7", "0.7", "0.1", "0.1", "0.1", "0.1"]
        assert prices(storage, "b") == ["0.1"] * 6
        assert total(storage, "a") == (6, Decimal("1.8"))

    def test_new_frames_say_what_they_are_a_share_of_and_old_ones_no_longer(
        self, storage: Storage
    ) -> None:
        shared = ("2", "0.5")
        series = build_series("a", [OLD] * 3, shared={0: shared, 1: shared})
        storage.ledger.commit(batch(list_scopes(storage, "a"), series, periods=window(3)))
        task = queue_task(storage, order(end=3))
        repriced = repricer(task, 3, kept_numbers=[0])
        half = build_series("a", [OLD], begin=hour(2), shared={0: shared})
        [first, *_] = repriced.series
        repriced = dataclasses.replace(repriced, series=[first, half])
        storage.task_ledger.swap(task, repriced, NOW)
        record = Shared(Decimal(2), Decimal("0.5"))
        assert read_shared(storage) == [record, None, record]

    def test_the_last_swap_ends_the_task_and_returns_its_account(self, storage: Storage) -> None:
        rate_hours(storage, "a")
        task = queue_task(storage)
        storage.task_ledger.swap(task, repricer(task, 3, [NEW, OLD, NEW]), NOW)
        task = storage.task_ledger.read(task.id) or task
        account = storage.task_ledger.swap(task, repricer(task, 1, kept_numbers=[0]), NOW)
        assert account == Account(
            {PeriodOutcome.SWAPPED: 2, PeriodOutcome.SAME: 1, PeriodOutcome.KEPT: 1},
            Charge(4, Decimal("0.4")),
            Charge(4, Decimal("1.6")),
            first_kept_reason="no data",
        )
        assert storage.task_ledger.read(task.id) is None
        assert storage.tasks.tasks() == []
        ((ended, ended_account),) = storage.tasks.tasks(ended=True)
        assert (ended.state, ended.ended_at, ended_account) == (TaskState.DONE, NOW, account)
        old, new = Charge(1, Decimal("0.1")), Charge(1, Decimal("0.7"))
        assert storage.tasks.periods(task.id) == [
            PeriodRecord(hour(0), PeriodOutcome.SWAPPED, None, old, new, NOW),
            PeriodRecord(hour(1), PeriodOutcome.SAME, None, old, old, NOW),
            PeriodRecord(hour(2), PeriodOutcome.SWAPPED, None, old, new, NOW),
            PeriodRecord(hour(3), PeriodOutcome.KEPT, "no data", old, old, NOW),
        ]

    def test_each_account_has_the_reason_of_its_first_kept_period(self, storage: Storage) -> None:
        rate_hours(storage, "a", "b", "c")
        for scope, reasons in (("a", {1: "late", 0: "early"}), ("b", {}), ("c", {2: "other"})):
            task = queue_task(storage, order(scope))
            repriced = repricer(task, 4, kept_numbers=list(reasons))
            notes = {hour(number): why for number, why in reasons.items()}
            storage.task_ledger.swap(task, dataclasses.replace(repriced, kept_reasons=notes), NOW)
        accounts = [account for _, account in storage.tasks.tasks(ended=True)]
        assert [(account.kept_periods, account.first_kept_reason) for account in accounts] == [
            (2, "early"),
            (0, None),
            (1, "other"),
        ]

    def test_the_swaps_of_a_period(self, storage: Storage) -> None:
        rate_hours(storage, "a", "b")
        for pair, kept_numbers in ((NEW, ()), (("3", "3"), (1,)), (NEW, ())):
            task = queue_task(storage)
            storage.task_ledger.swap(
                task, repricer(task, 4, [pair] * 4, kept_numbers=kept_numbers), NOW + task.id * HOUR
            )
        ids = [task.id for task, _ in storage.tasks.tasks(ended=True)]

        def by(instant: datetime.datetime, scope: str = "a") -> list[tuple[int, str]]:
            swaps = storage.tasks.swaps(scope, instant)
            assert [swap.record.at for swap in swaps] == [
                NOW + swap.task.id * HOUR for swap in swaps
            ]
            return [(swap.task.id, swap.record.outcome.value) for swap in swaps]

        first, second, third = ids
        swapped, same = PeriodOutcome.SWAPPED.value, PeriodOutcome.SAME.value
        all_swapped = [(first, swapped), (second, swapped), (third, swapped)]
        assert by(hour(0)) == by(hour(0) + HOUR / 2) == all_swapped
        # Kept by the second, and the same to the third.
        assert by(hour(1)) == [(first, swapped), (third, same)]
        assert (by(hour(4)), by(hour(0), "b"), by(hour(0), "z")) == ([], [], [])

    def test_each_batch_is_swapped_once_by_any_processor(
        self, storage: Storage, open_another: Open
    ) -> None:
        rate_hours(storage, "a")
        task = queue_task(storage)
        second_storage = open_another()
        second_storage.task_ledger.swap(task, repricer(task), NOW)
        before = read_frames(storage)
        with pytest.raises(errors.Conflict, match="another processor"):
            storage.task_ledger.swap(task, repricer(task, 3, [("9", "9")] * 3), NOW)
        assert read_frames(storage) == before
        assert len(storage.tasks.periods(task.id)) == 2

    def test_processors_that_race_leave_one_record_a_period(
        self, storage: Storage, open_another: Open
    ) -> None:
        rate_hours(storage, "a")
        id_ = queue_task(storage).id

        def work(own_storage: Storage) -> None:
            while (task := own_storage.task_ledger.read(id_)) is not None:
                try:
                    own_storage.task_ledger.swap(task, repricer(task, 1), NOW)
                except errors.Conflict:
                    continue

        threads = [threading.Thread(target=work, args=(open_another(),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [record.begin for record in storage.tasks.periods(id_)] == [
            hour(n) for n in range(4)
        ]
        assert total(storage) == (6, Decimal("3.0"))

    def test_what_was_collected_before_a_reset_is_not_swapped_in(self, storage: Storage) -> None:
        rate_hours(storage, "a")
        task = queue_task(storage)
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(1)))
        before = read_frames(storage)
        with pytest.raises(errors.Conflict, match="reset"):
            storage.task_ledger.swap(task, repricer(task, 1), NOW)
        task = storage.task_ledger.read(task.id) or task
        # The second hour is to be rated as any other.
        with pytest.raises(errors.Conflict, match="reset"):
            storage.task_ledger.swap(task, repricer(task, 2), NOW)
        assert read_frames(storage) == before
        storage.task_ledger.swap(task, repricer(task, 2, kept_numbers=[1]), NOW)
        assert prices(storage) == ["0.7"]

    def test_rules_that_changed_meanwhile_are_a_conflict(self, storage: Storage) -> None:
        rate_hours(storage, "a")
        task = queue_task(storage)
        storage.rules.change(0, [], [], note())
        with pytest.raises(errors.RulesChanged):
            storage.task_ledger.swap(task, repricer(task), NOW)
        assert prices(storage) == ["0.1"] * 6

    def test_a_cancelled_task_swaps_no_more_and_what_it_did_stays(self, storage: Storage) -> None:
        rate_hours(storage, "a")
        task = queue_task(storage)
        storage.task_ledger.swap(task, repricer(task), NOW)
        task = storage.task_ledger.read(task.id) or task
        assert storage.tasks.cancel(task.id, NOW)
        with pytest.raises(errors.Conflict, match="cancelled"):
            storage.task_ledger.swap(task, repricer(task), NOW)
        assert not storage.tasks.cancel(task.id, NOW)
        assert storage.task_ledger.open_tasks(None) == []
        assert prices(storage) == ["0.7", "0.7", "0.1", "0.1", "0.1", "0.1"]
        unknown_id = task.id + 1
        with pytest.raises(errors.OperatorError, match=f"no task {unknown_id};"):
            storage.tasks.cancel(unknown_id, NOW)

    def test_an_interrupted_swap_leaves_everything_as_it_was(self, storage: Storage) -> None:
        rate_hours(storage, "a")
        task = queue_task(storage)
        before = read_frames(storage), total(storage)
        work = repricer(task)
        broken = dataclasses.replace(
            work, series=[build_breaking_series(series) for series in work.series]
        )
        with pytest.raises(InterruptedError):
            storage.task_ledger.swap(task, broken, NOW)
        assert (read_frames(storage), total(storage)) == before
        assert storage.task_ledger.read(task.id) == task

    def test_a_killed_swap_leaves_everything_as_it_was(self, storage: Storage, url: str) -> None:
        rate_hours(storage, "a")
        task = queue_task(storage)
        before = read_frames(storage), total(storage)
        process = multiprocessing.get_context("spawn").Process(target=swap_and_die, args=(url,))
        process.start()
        process.join(60)
        assert process.exitcode == -9
        assert (read_frames(storage), total(storage)) == before
        storage.task_ledger.swap(task, repricer(task), NOW)
        assert total(storage) == (6, Decimal("1.8"))

    def test_periods_that_used_nothing_and_use_nothing_are_the_same(self, storage: Storage) -> None:
        (state,) = list_scopes(storage, "a")
        storage.ledger.commit(batch([state], periods=window(4)))
        task = queue_task(storage)
        storage.task_ledger.swap(task, RepricedWindow(window(4), {}, [], 0, ("instance",)), NOW)
        assert {record.outcome for record in storage.tasks.periods(task.id)} == {PeriodOutcome.SAME}

    def test_frames_of_shorter_periods_are_replaced_too(self, storage: Storage) -> None:
        states = list_scopes(storage, "a")
        halves = dataclasses.replace(window(4), step=HOUR / 2)
        used = build_series("a", [OLD])
        points = [(begin, Decimal(1)) for begin in halves.begins()]
        series = dataclasses.replace(used.series, points=points)
        prices_ = [Decimal("0.1")] * 4
        storage.ledger.commit(batch(states, RatedSeries(series, prices_), periods=halves))
        task = queue_task(storage, order(end=2))
        storage.task_ledger.swap(task, repricer(task), NOW)
        assert prices(storage) == ["0.7", "0.7"]
        (first, _) = storage.tasks.periods(task.id)
        assert first.old == Charge(2, Decimal("0.2"))


def swap_and_die(url: str) -> None:
    """Be killed in the middle of a swap of the only task."""
    storage = open_storage(url, scope_key="project_id", fetcher="keystone", collector="gnocchi")
    (task,) = storage.task_ledger.open_tasks(None)
    work = repricer(task)
    series = [build_breaking_series(series, Killing) for series in work.series]
    storage.task_ledger.swap(task, dataclasses.replace(work, series=series), NOW)


class TestPostpone:
    def test_a_postponed_task_waits_and_a_swap_clears_its_failures(self, storage: Storage) -> None:
        rate_hours(storage, "a")
        task = queue_task(storage)
        storage.task_ledger.postpone(task, "Gnocchi\x00 is ill", hour(101))
        assert storage.task_ledger.open_tasks(NOW) == []
        (resting,) = storage.task_ledger.open_tasks(hour(101))
        assert (resting.failures, resting.last_error) == (1, "Gnocchi? is ill")
        storage.task_ledger.swap(resting, repricer(resting), NOW)
        (going_on,) = storage.task_ledger.open_tasks(NOW)
        assert (going_on.failures, going_on.last_error, going_on.retry_at) == (0, None, None)

    def test_a_task_that_was_advanced_meanwhile_is_not_postponed(self, storage: Storage) -> None:
        rate_hours(storage, "a")
        task = queue_task(storage)
        storage.task_ledger.swap(task, repricer(task), NOW)
        storage.task_ledger.postpone(task, "Gnocchi is ill", hour(101))
        assert [task.failures for task in storage.task_ledger.open_tasks(NOW)] == [0]


class TestBasis:
    """By which metrics, and without which resources, periods were rated: after a swap too."""

    @pytest.mark.parametrize(("after", "later"), [(("instance",), "x0"), (BOTH, "00")])
    @pytest.mark.parametrize(
        ("begin", "end", "expected"),
        [
            (1, 2, "x00xx"),
            (0, 2, "000xx"),
            (1, 3, "x00xx"),
            (2, 5, "xx000"),
            (0, 5, "00000"),
            (4, 5, "xx0x0"),
        ],
    )
    def test_metrics_are_known_of_swapped_periods_and_as_before_of_others(
        self,
        begin: int,
        end: int,
        expected: str,
        after: tuple[str, ...],
        later: str,
        storage: Storage,
    ) -> None:
        # Only the third hour was rated by cpu, too.
        rate(storage, ["a"], 0, {"instance": "##"}, metrics=("instance",))
        rate(storage, ["a"], 2, {"instance": "#"})
        rate(storage, ["a"], 3, {"instance": "##"}, metrics=("instance",))
        task = queue_task(storage, order(begin=begin, end=end))
        work = repricer(task, end - begin, metrics=("cpu", "instance"))
        storage.task_ledger.swap(task, work, NOW)
        assert signs(storage, 5) == expected
        # Who rates on by what was in force, or by something else, notes no change too few.
        rate(storage, ["a"], 5, {"instance": "#"}, metrics=after)
        rate(storage, ["a"], 6, {"instance": "#"})
        assert signs(storage, 7) == expected + later

    def test_prices_alone_change_nothing_about_metrics(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"instance": "####"}, metrics=("instance",))
        before = read_coverage(storage, "a", 4)
        task = queue_task(storage, order(kind=TaskKind.RATES))
        storage.task_ledger.swap(task, repricer(task, 4, metrics=None), NOW)
        assert read_coverage(storage, "a", 4) == before

    def test_without_metrics_after_the_window_none_are_recorded(
        self, storage: Storage, url: str
    ) -> None:
        rate_hours(storage, "a")
        forget_sets(url)
        task = queue_task(storage)
        storage.task_ledger.swap(task, repricer(task, 2, kept_numbers=[1], pairs=[NEW, NEW]), NOW)
        facts = storage.reports.coverage("a", hour(0), hour(6))
        assert facts.changes == ()
        rate(storage, ["a"], 6, {"instance": "#"}, metrics=("instance",))
        (change,) = storage.reports.coverage("a", hour(0), hour(7)).changes
        assert change.begin == hour(6)

    def test_exclusions_are_those_of_the_swapped_periods(self, storage: Storage) -> None:
        exclusion = Exclusion("a", "instance", "r1", "bad policy", "mend it")
        (state,) = list_scopes(storage, "a")
        first = batch([state], build_series("a", [OLD] * 4), periods=window(4))
        storage.ledger.commit(dataclasses.replace(first, exclusions=[exclusion]))
        task = queue_task(storage, order(begin=1, end=3))
        storage.task_ledger.swap(task, repricer(task, 1), NOW)
        task = storage.task_ledger.read(task.id) or task
        two = dataclasses.replace(exclusion, resource="r2")
        storage.task_ledger.swap(task, repricer(task, 1, exclusions=[two]), NOW)
        # It lasts, so what is rated next goes on with it.
        (state,) = list_scopes(storage, "a", now=hour(5))
        next_batch = batch(
            [state], build_series("a", [OLD], begin=hour(4)), periods=window(1, hour(4))
        )
        storage.ledger.commit(dataclasses.replace(next_batch, exclusions=[exclusion]))
        spans = storage.reports.coverage("a", hour(0), hour(5)).exclusions
        assert [(span.exclusion.resource, span.begin, span.end) for span in spans] == [
            ("r1", hour(0), hour(1)),
            ("r2", hour(2), hour(3)),
            ("r1", hour(3), hour(5)),
        ]


def signs(storage: Storage, count: int) -> str:
    """Return for each hour 0 if cpu was asked for, else x."""
    words = {"silent": "0", "not configured": "x"}
    return "".join(words[text] for text in read_coverage(storage, "a", count)["cpu"])


def forget_sets(url: str) -> None:
    """Remove what is recorded about metrics, as for a scope rated by an old release."""
    engine = sa.create_engine(parse(url))
    with engine.begin() as connection:
        connection.execute(METRIC_SET_CHANGES.delete())
        connection.execute(SCOPES.update().values(metric_set_id=None))
    engine.dispose()


class TestReaders:
    def test_a_reader_in_a_loop_sees_each_hour_once_at_the_old_or_the_new_price(
        self, storage: Storage, open_another: Open
    ) -> None:
        count = 40
        rate_hours(storage, "a", count=count)
        swapping_ended = threading.Event()
        wrong: list[object] = []
        reads = 0

        def read() -> None:
            nonlocal reads
            reports = open_another().reports
            while not swapping_ended.is_set() or reads == 0:
                frames = list(reports.frames(Selection(scopes=ALL_SCOPES)))
                hours = [frame.begin for frame in frames]
                sums = list(reports.summary(Selection(scopes=ALL_SCOPES), (), datetime.UTC))
                if hours != [hour(number) for number in range(count)] or sums[0].points != count:
                    wrong.append(hours)
                seen_prices = {str(frame.price) for frame in frames}
                if not seen_prices <= {"0.1", "0.7"}:
                    wrong.append(seen_prices)
                reads += 1

        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(5):
            for new in (NEW, OLD):
                task = queue_task(storage, order(end=count))
                for task_after in swap_until_done(storage, task, 7, new):
                    assert task_after.id == task.id
        swapping_ended.set()
        reader.join(60)
        assert wrong == []
        assert reads > 1
        assert prices(storage) == ["0.1"] * count


def swap_until_done(
    storage: Storage, task: Task, longest: int, pair: tuple[str, str]
) -> Iterator[Task]:
    """Swap a task to its end, so many hours at a time."""
    current: Task | None = task
    while current is not None:
        size = current.order.window(current.next_begin, longest).count
        storage.task_ledger.swap(current, repricer(current, size, [pair] * size), NOW)
        yield current
        current = storage.task_ledger.read(task.id)

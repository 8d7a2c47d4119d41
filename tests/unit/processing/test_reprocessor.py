"""Tasks, from a collector to a real SQLite file: what is swapped, what is kept, what rests."""

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
from tests.contract.given import HOUR, batch, hour, listed, note, stored, total, window
from tests.fakes import Asked, FakeModule
from tests.task_office import MINUTE, Office, metric

NewOffice = Callable[[], Office]


@pytest.fixture(scope="module")
def new_office(tmp_path_factory: pytest.TempPathFactory) -> NewOffice:
    """Makes empty offices."""
    empty = tmp_path_factory.mktemp("empty") / "ratekit.sqlite"
    migrate.upgrade(f"sqlite:///{empty}")

    def make() -> Office:
        folder = tmp_path_factory.mktemp("office")
        return Office(f"sqlite:///{shutil.copy(empty, folder)}")

    return make


@pytest.fixture
def office(new_office: NewOffice) -> Office:
    """An empty office."""
    return new_office()


def test_a_stretch_is_collected_and_priced_anew_and_the_rest_stays(office: Office) -> None:
    office.rate("a", "b")
    (task,) = office.queue("a", begin=1, end=4)
    assert office.work() == 1
    assert {one.scopes for one in office.collector.asked} == {("a",)}
    by_hour = [price for scope, _, _, price in stored(office.storage) if scope == "a"]
    assert by_hour == [Decimal(1)] * 4 + [Decimal(5)] * 12 + [Decimal(1)] * 8
    assert total(office.storage, "b") == (24, Decimal(24))
    assert office.outcomes(task) == "sw" * 3


def test_tasks_take_turns(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    office.settings = dataclasses.replace(office.settings, batch_frames=2)
    office.reprocessor = office.another()
    office.rate("a", "b")
    office.queue("a", "b")
    assert office.work() > 4
    scopes = [one.scopes[0] for one in office.collector.asked if one.metric == "cpu"]
    assert scopes[:4] == ["a", "b", "a", "b"]
    assert total(office.storage) == (48, Decimal(48 * 5))
    told = [one.getMessage() for one in caplog.records]
    assert len([line for line in told if "starts at" in line]) == 2
    assert len([line for line in told if "is done" in line]) == 2
    assert "price: 24 before, 120 now" in told[-1]


def test_only_scopes_of_ones_own_share_are_taken(office: Office) -> None:
    names = [f"s{number}" for number in range(8)]
    office.rate(*names)
    office.queue(*names)
    shares = [Partition(0, 2), Partition(1, 2)]
    counts = [office.another(share=one).finish().finished_tasks for one in shares]
    assert sum(counts) == 8
    assert all(counts)


class TestKept:
    def test_a_period_whose_data_has_expired_is_left_as_it_was(self, office: Office) -> None:
        office.rate("a")
        office.collector.kept_since = hour(2)
        (task,) = office.queue("a")
        office.work()
        assert office.outcomes(task) == "ke" * 2 + "sw" * 4
        assert office.notes(task)[:3] == ["the archive keeps too little"] * 2 + [None]
        assert total(office.storage) == (24, Decimal(8 * 1 + 16 * 5))

    @pytest.mark.parametrize("accepted", [False, True])
    @pytest.mark.parametrize(
        ("gone", "note_"),
        [
            ((None, "disk", 2), "no longer available: disk"),
            (("r2", "disk", 2), "no longer available: disk of id=r2 project_id=a"),
        ],
    )
    def test_a_period_that_lacks_usage_that_was_charged_for_is_left_unless_that_is_accepted(
        self, gone: tuple[str | None, str, int], note_: str, accepted: bool, office: Office
    ) -> None:
        office.rate("a")
        office.collector.gone.add(gone)
        (task,) = office.queue("a", accept_silence=accepted)
        office.work()
        lost = 2 if gone[0] is None else 1
        if accepted:
            assert office.outcomes(task) == "sw" * 6
            assert total(office.storage) == (24 - lost, Decimal((24 - lost) * 5))
        else:
            assert office.outcomes(task) == "sw" * 2 + "ke" + "sw" * 3
            assert office.notes(task)[2] == note_
            assert total(office.storage) == (24, Decimal(20 * 5 + 4))

    def test_a_metric_that_is_not_configured_any_more_is_not_dropped_unsaid(
        self, office: Office
    ) -> None:
        office.rate("a")
        office.settings = dataclasses.replace(office.settings, metrics=[metric("cpu")])
        office.reprocessor = office.another()
        (task,) = office.queue("a", begin=0, end=1)
        office.work()
        assert office.notes(task) == ["no longer available: disk (not in metrics.yml)"]

    @pytest.mark.parametrize("accepted", [False, True])
    def test_a_label_that_prices_hang_on_is_not_dropped_unsaid(
        self, accepted: bool, office: Office, caplog: pytest.LogCaptureFixture
    ) -> None:
        office.rate("a")
        office.collector.label = "uuid"
        terms = Terms(Decimal("0.5"), CostType.FLAT)
        book = RuleBook(0, (MappingRule(RuleTarget("cpu", "id"), "r1", terms),))
        office.storage.rules.change(0, [], book.rules, note())
        (task,) = office.queue("a", begin=0, end=2, accept_silence=accepted)
        finished = office.another([Hashmap()]).finish()
        if accepted:
            assert finished == TaskSummary(finished_tasks=1)
            assert total(office.storage) == (24, Decimal(16))
            return
        why = (
            "no longer available: label id of cpu, without which it costs nothing, "
            "label id of disk, without which it costs nothing"
        )
        assert office.notes(task) == [why] * 2
        assert total(office.storage) == (24, Decimal(24))
        # To its owner it must not look like success.
        assert finished == TaskSummary(finished_tasks=1, kept_periods=2)
        (warning,) = [one for one in caplog.records if one.levelno == logging.WARNING]
        assert f"2 periods were left unchanged; the first: {why}" in warning.getMessage()

    def test_labels_that_have_other_names_now_are_no_loss(self, office: Office) -> None:
        office.rate("a")
        office.collector.resources, office.collector.label = ("r9",), "uuid"
        (task,) = office.queue("a")
        office.work()
        assert office.outcomes(task) == "sw" * 6

    def test_what_was_never_to_be_rated_is_not_rated_now(self, office: Office) -> None:
        office.rate("a", count=2)
        office.storage.scopes.deactivate("a", hour(2))
        office.storage.scopes.activate("a", hour(4))
        (state,) = listed(office.storage, "a", now=hour(9))
        office.storage.ledger.commit(batch([state], periods=window(2, hour(4))))
        (task,) = office.queue("a", accept_silence=True)
        office.work()
        assert office.outcomes(task) == "sw" * 2 + "ke" * 2 + "sw" * 2
        assert office.notes(task)[2:4] == ["in a gap: the scope was not rated then"] * 2
        asked = {one.window.begin for one in office.collector.asked}
        assert asked == {hour(0), hour(4)}

    def test_what_was_reset_meanwhile_is_left_to_rating(self, office: Office) -> None:
        office.rate("a")
        (task,) = office.queue("a")
        office.storage.scopes.reset(office.storage.scopes.plan_reset("a", hour(2)))
        office.work()
        assert office.outcomes(task) == "sw" * 2 + "ke" * 4
        assert total(office.storage) == (8, Decimal(40))

    def test_a_deactivated_scope_is_priced_anew_all_the_same(self, office: Office) -> None:
        office.rate("a")
        office.storage.scopes.deactivate("a", hour(9))
        office.queue("a")
        office.work()
        assert total(office.storage) == (24, Decimal(120))


class TestFailures:
    def test_a_task_rests_ever_longer_while_others_go_on(self, office: Office) -> None:
        office.rate("a", "b")
        office.collector.failures.append(
            lambda asked: errors.OperatorError("refused") if asked.scopes == ("a",) else None
        )
        first, second = office.queue("a", "b")
        office.work()
        assert office.outcomes(second) == "sw" * 6
        rests = []
        for _ in range(3):
            ((task, _),) = office.storage.tasks.tasks()
            assert (task.id, task.last_error) == (first, "refused")
            assert task.retry_at is not None
            rests.append(task.retry_at - office.now)
            office.now = task.retry_at
            office.work()
        assert rests == [MINUTE, 2 * MINUTE, 4 * MINUTE]
        assert total(office.storage, "a") == (24, Decimal(24))
        office.collector.failures.pop()
        office.now += HOUR
        office.work()
        assert office.outcomes(first) == "sw" * 6

    def test_a_back_end_that_does_not_answer_is_asked_for_less_first(self, office: Office) -> None:
        office.rate("a")
        office.collector.failures.append(
            lambda asked: errors.TryLater("504") if asked.window.count > 1 else None
        )
        (task,) = office.queue("a")
        office.work()
        assert office.outcomes(task) == "sw" * 6
        assert office.storage.tasks.tasks() == []

    def test_while_a_back_end_is_down_few_tasks_try_at_a_time(self, office: Office) -> None:
        names = [f"s{number}" for number in range(8)]
        office.rate(*names, "t")
        office.collector.failures.append(lambda asked: errors.TryLater("refused", after=60))
        office.queue(*names)
        office.queue("t", kind=TaskKind.RATES)
        office.work()
        tasks = [task for task, _ in office.storage.tasks.tasks()]
        assert [task.failures for task in tasks] == [1] * 3 + [0] * 5
        office.work()
        assert sum(task.failures for task, _ in office.storage.tasks.tasks()) == 6
        assert office.reprocessor.finish() == TaskSummary(failed_tasks=8)

    def test_an_answer_shows_that_a_back_end_is_not_down(self, office: Office) -> None:
        office.rate(*"abcde")
        office.collector.failures.append(
            lambda asked: None if asked.scopes[0] in "ce" else errors.TryLater("504", after=60)
        )
        office.queue(*"abcde")
        assert office.another().finish() == TaskSummary(finished_tasks=2, failed_tasks=3)

    def test_prices_alone_say_nothing_about_a_back_end(self, office: Office) -> None:
        office.settings = dataclasses.replace(office.settings, batch_frames=4)
        office.reprocessor = office.another()
        names = [f"s{number}" for number in range(8)]
        office.rate("t", *names)
        office.collector.failures.append(lambda asked: errors.TryLater("refused", after=60))
        (rates,) = office.queue("t", kind=TaskKind.RATES)
        office.queue(*names)
        assert office.reprocessor.finish() == TaskSummary(finished_tasks=1, failed_tasks=8)
        assert office.outcomes(rates) == "sw" * 6
        assert len(office.collector.asked) == 3

    def test_a_scope_that_always_times_out_comes_to_rest_however_well_others_do(
        self, office: Office
    ) -> None:
        count = 600
        office.now = hour(2000)
        office.collector.resources = ["r1"]
        office.rate("a", "b", count=count)
        asked_of_a: list[int] = []

        def slow(asked: Asked) -> Exception | None:
            if asked.scopes != ("a",):
                return None
            asked_of_a.append(asked.window.count)
            return errors.TryLater("timed out")

        office.collector.failures.append(slow)
        first, second = office.queue("a", "b", end=count)
        office.work()
        assert asked_of_a == [96, 12, 1]
        ((task, _),) = office.storage.tasks.tasks()
        assert (task.id, task.failures, task.last_error) == (first, 1, "timed out")
        assert len(office.storage.tasks.periods(second)) == count
        # The failures of one made nothing smaller for the other.
        assert {one.window.count for one in office.collector.asked if one.scopes == ("b",)} == {
            96, 384, 120,
        }  # fmt: skip
        # One request a rest is enough to see that nothing has changed.
        office.now += HOUR
        office.work()
        assert asked_of_a == [96, 12, 1, 1]

    def test_a_large_one_rests_after_three_failures_whatever_is_left_to_ask_for(
        self, office: Office
    ) -> None:
        count = 480
        office.now = hour(2000)
        office.collector.resources = ["r1"]
        office.rate("a", "b", count=count)
        office.queue("b", end=count)
        office.work()
        office.collector.asked.clear()
        office.collector.failures.append(lambda asked: errors.TryLater("timed out"))
        office.queue("a", end=count)
        office.work()
        assert [one.window.count for one in office.collector.asked] == [480, 60, 7]
        ((task, _),) = office.storage.tasks.tasks()
        assert task.failures == 1

    def test_one_that_failed_once_is_soon_asked_for_as_much_as_others(self, office: Office) -> None:
        office.now = hour(2000)
        office.collector.resources = ["r1"]
        office.rate("a", count=96)
        errors_left = [errors.TryLater("restarting")]
        office.collector.failures.append(lambda asked: errors_left.pop() if errors_left else None)
        office.queue("a", end=96)
        office.work()
        sizes = [one.window.count for one in office.collector.asked if one.metric == "cpu"]
        assert sizes == [96, 12, 48, 36]

    def test_what_was_cancelled_leaves_nothing_behind(self, office: Office) -> None:
        office.rate("a")
        office.collector.failures.append(lambda asked: errors.TryLater("timed out"))
        (first,) = office.queue("a")
        office.work()
        office.storage.tasks.cancel(first, office.now)
        office.work()
        office.collector.asked.clear()
        office.queue("a")
        office.work()
        # As if there had been none before: it is not taken for one that fails all the time.
        assert [one.window.count for one in office.collector.asked] == [6, 1]

    def test_somebody_who_is_in_the_way_for_long_is_waited_for(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        office.rate("a", "b")
        (first, _) = office.queue("a", "b")
        swap = office.storage.task_ledger.swap

        def blocked(task: Task, repriced: RepricedWindow, now: datetime.datetime) -> Account | None:
            if task.id == first:
                raise errors.Conflict("lock timeout")
            return swap(task, repriced, now)

        monkeypatch.setattr(type(office.storage.task_ledger), "swap", staticmethod(blocked))
        assert office.reprocessor.finish() == TaskSummary(finished_tasks=1, failed_tasks=1)
        ((task, _),) = office.storage.tasks.tasks()
        assert (task.failures, task.last_error) == (1, "lock timeout")
        assert len([one for one in office.collector.asked if one.scopes == ("a",)]) == 2 * 3

    def test_a_database_that_does_not_store_makes_no_request_smaller(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        office.rate("a")
        (task,) = office.queue("a")
        with monkeypatch.context() as patched:

            def busy(*_: object) -> None:
                raise errors.TryLater("busy")

            patched.setattr(type(office.storage.task_ledger), "swap", busy)
            office.work()
            ((waiting, _),) = office.storage.tasks.tasks()
            assert (waiting.failures, waiting.last_error) == (1, "busy")
        office.now += HOUR
        office.work()
        assert {one.window.count for one in office.collector.asked} == {6}
        assert office.outcomes(task) == "sw" * 6

    def test_a_bug_in_one_task_holds_up_no_other(
        self, office: Office, caplog: pytest.LogCaptureFixture
    ) -> None:
        office.rate("a", "b")
        office.collector.failures.append(
            lambda asked: ZeroDivisionError("a bug") if asked.scopes == ("a",) else None
        )
        office.queue("a", "b")
        office.work()
        assert [task.order.scope.id for task, _ in office.storage.tasks.tasks()] == ["a"]
        assert total(office.storage, "b") == (24, Decimal(120))
        assert "unexpected error in task" in caplog.text

    def test_data_that_is_on_its_way_is_waited_for_without_a_failure(self, office: Office) -> None:
        office.rate("a", "b")
        collecting, _ = *office.queue("a"), *office.queue("b", kind=TaskKind.RATES)
        office.collector.waits = "metricd has a backlog"
        office.work()
        ((task, _),) = office.storage.tasks.tasks()
        assert (task.id, task.failures) == (collecting, 0)

    def test_a_task_of_other_periods_says_so(self, office: Office) -> None:
        office.rate("a")
        office.queue("a", step=2 * HOUR)
        office.work()
        ((task, _),) = office.storage.tasks.tasks()
        assert task.last_error is not None
        assert "queued for periods of 2:00:00" in task.last_error
        assert office.collector.asked == []

    def test_all_at_once_counts_what_could_not_be_finished(self, office: Office) -> None:
        office.rate("a", "b", "c")
        office.collector.failures.append(
            lambda asked: errors.OperatorError("refused") if asked.scopes == ("a",) else None
        )
        office.queue("a", "b")
        assert office.reprocessor.finish() == TaskSummary(finished_tasks=1, failed_tasks=1)
        # Also what rests.
        assert office.reprocessor.finish() == TaskSummary(finished_tasks=0, failed_tasks=1)
        office.collector.waits = "metricd has a backlog"
        assert office.reprocessor.finish() == TaskSummary(finished_tasks=0, failed_tasks=1)

    def test_one_that_may_not_collect_leaves_such_tasks_waiting_and_counts_them(
        self, office: Office
    ) -> None:
        office.rate("a", "b")
        office.queue("a")
        office.queue("b", kind=TaskKind.RATES)
        assert office.another(collects=False).finish() == TaskSummary(
            finished_tasks=1, failed_tasks=1
        )
        ((task, _),) = office.storage.tasks.tasks()
        assert task.order.kind is TaskKind.COLLECT


@pytest.mark.parametrize("kind", TaskKind)
def test_a_batch_holds_no_more_frames_than_it_may_although_the_last_scope_had_few(
    office: Office, kind: TaskKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.settings = dataclasses.replace(office.settings, batch_frames=50)
    office.reprocessor = office.another()
    office.now = hour(2000)
    office.collector.resources = ["r1"]
    office.rate("a", count=90)
    office.queue("a", end=90, kind=kind)
    office.work()
    office.collector.resources = [f"r{number}" for number in range(10)]
    office.rate("b", count=7)
    swap = office.storage.task_ledger.swap
    sizes = []

    def measured(task: Task, repriced: RepricedWindow, now: datetime.datetime) -> Account | None:
        frames = sum(len(one.prices) for one in repriced.series)
        sizes.append((repriced.window.count, frames))
        return swap(task, repriced, now)

    monkeypatch.setattr(type(office.storage.task_ledger), "swap", staticmethod(measured))
    office.queue("b", end=7, kind=kind)
    office.work()
    # Of two metrics.
    assert sizes == [(2, 40), (2, 40), (2, 40), (1, 20)]


def test_a_period_is_never_cut(office: Office) -> None:
    office.settings = dataclasses.replace(office.settings, batch_frames=3)
    office.reprocessor = office.another()
    office.rate("a")
    (task,) = office.queue("a")
    assert office.work() == 6
    assert office.outcomes(task) == "sw" * 6


@pytest.mark.parametrize("kind", TaskKind)
def test_what_metrics_yml_skips_is_not_charged_and_no_loss(office: Office, kind: TaskKind) -> None:
    """Prices alone leave what is stored, which is what a plan foretold."""
    skipping = dataclasses.replace(metric("cpu"), skip=lambda series, quantity, price: not price)
    office.settings = dataclasses.replace(office.settings, metrics=[skipping, metric("disk")])
    office.rate("a")
    (task,) = office.queue("a", kind=kind)
    assert office.another([FakeModule(0)]).finish() == TaskSummary(finished_tasks=1)
    assert office.outcomes(task) == "sw" * 6
    assert total(office.storage) == (12 if kind is TaskKind.COLLECT else 24, Decimal(0))


class TestRatesOnly:
    def test_only_prices_change_and_no_back_end_is_asked(self, office: Office) -> None:
        office.rate("a")
        before = [(scope, begin, quantity) for scope, begin, quantity, _ in stored(office.storage)]
        office.collector.gone.add((None, "cpu", None))
        (task,) = office.queue("a", begin=2, end=4, kind=TaskKind.RATES)
        office.work()
        assert office.collector.asked == []
        after = stored(office.storage)
        assert [one[:3] for one in after] == before
        assert total(office.storage) == (24, Decimal(16 + 8 * 5))
        assert office.outcomes(task) == "sw" * 2

    def test_prices_that_are_right_already_are_the_same(self, office: Office) -> None:
        office.rate("a", price="5")
        (task,) = office.queue("a", kind=TaskKind.RATES)
        office.work()
        account = office.storage.tasks.tasks(ended=True)[0][1]
        assert account.periods == {PeriodOutcome.SAME: 6}
        assert account.old == account.new == Account({}, account.old, account.old).new
        assert office.outcomes(task) == "sa" * 6


class TestPreview:
    def test_it_tells_what_a_task_would_do_and_does_nothing(self, office: Office) -> None:
        office.settings = dataclasses.replace(office.settings, batch_frames=4)
        office.rate("a")
        office.collector.kept_since = hour(2)
        office.collector.gone.add((None, "disk", 4))
        before = stored(office.storage)
        order = Order(Scope("a"), hour(0), hour(6), HOUR, TaskKind.COLLECT)
        found = reprocess.preview(office.repricer(), office.storage.reports, order)
        # Two resources in each of the hours 2, 3 and 5.
        assert found.changes == {
            name: reprocess.Change(
                {"u"},
                reprocess.Sums(6, Decimal(12), Decimal(6)),
                reprocess.Sums(6, Decimal(12), Decimal(30)),
            )
            for name in ("cpu", "disk")
        }
        assert [(one.window, one.note) for one in found.kept_periods] == [
            (window(2), "the archive keeps too little"),
            (window(1, hour(4)), "no longer available: disk"),
        ]
        assert stored(office.storage) == before
        (task,) = office.queue("a")
        office.work()
        (_, account) = office.storage.tasks.tasks(ended=True)[0]
        assert account.new.price - account.old.price == Decimal(48)
        assert office.outcomes(task) == "kekeswswkesw"


# What a plan says and what reprocessing stores ---------------------------------------------

COSTS = st.decimals(min_value=Decimal("-1000"), max_value=Decimal(1000), places=12, allow_nan=False)
QUANTITIES = st.decimals(min_value=0, max_value=Decimal(10**6), places=18, allow_nan=False)
INSTANTS = st.none() | st.integers(0, 4).map(hour)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Rules on usage such as this test has."""
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
    unique_by=lambda one: one[:4],
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(usage=USAGE, own=st.lists(rules(), max_size=8), since=st.integers(0, 3))
def test_prices_alone_become_to_the_digit_what_was_foretold(
    usage: list[tuple[str, str, str, int, Decimal]],
    own: list[Rule],
    since: int,
    new_office: NewOffice,
) -> None:
    office = new_office()
    storage = office.storage
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
    storage.rules.change(0, [], own, note())
    price_list = PriceList([Hashmap()], storage.rules.read())
    foretold = price_differences(storage.reports, price_list, hour(since))
    office.queue("a", "b", begin=since, end=4, kind=TaskKind.RATES)
    assert office.another([Hashmap()]).finish() == TaskSummary(finished_tasks=2, failed_tasks=0)
    rows = storage.reports.summary(Selection(begin=hour(since)), ("scope", "metric"), datetime.UTC)
    assert [(one.scope, one.metric, one.new) for one in foretold] == [
        (row.group["scope"], row.group["metric"], row.price) for row in rows
    ]
    accounts = [account for _, account in storage.tasks.tasks(ended=True)]
    assert sum(Fraction(one.new.price) - Fraction(one.old.price) for one in accounts) == sum(
        Fraction(one.amount) for one in foretold
    )
    frames = storage.reports.frames(Selection(begin=hour(since)))
    for own_frames, rated in price_stored_usage(frames, price_list):
        assert [row.price for row in own_frames] == rated.prices
    assert isinstance(price_list.book, RuleBook)

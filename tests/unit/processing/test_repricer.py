"""The repricer, through tasks on a SQLite file: which periods are swapped, and which are kept."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Collection, Iterator
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit import errors
from ratekit.admin import reprocess
from ratekit.admin.what_if import price_differences
from ratekit.domain.period import Window
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
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
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries, Series, Shared
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.resource_part import ResourcePart
from ratekit.pricing.price_list import PriceList
from ratekit.pricing.stored_usage import price_stored_usage
from ratekit.processing.reprocessor import TaskSummary
from ratekit.rating.hashmap import Hashmap
from tests.builders import metric
from tests.contract.given import HOUR, batch, hour, list_scopes, note, read_frames, total, window
from tests.fakes import FakeModule
from tests.reprocessing_bench import IncompleteCollector, ReprocessingBench
from tests.unit.processing.conftest import NewBench


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

    def test_usage_that_became_too_large_is_told_as_such_and_only_its_period_is_kept(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a")
        bench.collector.quantities["r2", "disk", 2] = Decimal("1e30")
        (task,) = bench.queue("a")
        bench.run_tasks()
        assert bench.outcomes(task) == "sw" * 2 + "ke" + "sw" * 3
        assert bench.notes(task)[2] == (
            "excluded from rating: disk of id=r2 project_id=a: its quantity or price is not below "
            "1e+30"
        )
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
        (state,) = list_scopes(bench.storage, "a", now=hour(9))
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
    # A series weighs as much as several frames, so windows are short where series are.
    assert sizes == [(2, 40), *[(1, 20)] * 5]


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
        before = [
            (scope, begin, quantity) for scope, begin, quantity, _ in read_frames(bench.storage)
        ]
        bench.collector.missing.add((None, "cpu", None))
        (task,) = bench.queue("a", begin=2, end=4, kind=TaskKind.RATES)
        bench.run_tasks()
        assert bench.collector.calls == []
        after = read_frames(bench.storage)
        assert [row[:3] for row in after] == before
        assert total(bench.storage) == (24, Decimal(16 + 8 * 5))
        assert bench.outcomes(task) == "sw" * 2

    @pytest.mark.parametrize("cost", ["5e29", "1e36"])
    def test_a_price_that_live_rating_excludes_keeps_its_period(
        self, cost: str, bench: ReprocessingBench
    ) -> None:
        bench.rate("a")
        terms = Terms(Decimal(cost), CostType.FLAT, start=hour(2), end=hour(3))
        rule = MappingRule(RuleTarget("cpu", "id"), "r1", terms)
        bench.storage.rules.change(0, [], [rule], note())
        (task,) = bench.queue("a", kind=TaskKind.RATES)
        assert bench.another([Hashmap()]).finish().failed_tasks == 0
        assert bench.outcomes(task) == "sw" * 2 + "ke" + "sw" * 3
        assert bench.notes(task)[2] == (
            "excluded from rating: cpu of id=r1 project_id=a: its quantity or price is not below "
            "1e+30"
        )
        assert total(bench.storage) == (24, Decimal(4))

    def test_a_period_is_kept_whole_although_its_frames_are_shorter(
        self, bench: ReprocessingBench
    ) -> None:
        bench.rate("a")
        terms = Terms(Decimal("1e30"), CostType.FLAT, start=hour(3))
        rule = MappingRule(RuleTarget("cpu", "id"), "r1", terms)
        bench.storage.rules.change(0, [], [rule], note())
        (task,) = bench.queue("a", kind=TaskKind.RATES, step=2 * HOUR)
        assert bench.another([Hashmap()]).finish().failed_tasks == 0
        assert bench.outcomes(task) == "swkeke"
        assert total(bench.storage) == (24, Decimal(16))

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
        before = read_frames(bench.storage)
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
        assert read_frames(bench.storage) == before
        (task,) = bench.queue("a")
        bench.run_tasks()
        (_, account) = bench.storage.tasks.tasks(ended=True)[0]
        assert account.new.price - account.old.price == Decimal(48)
        assert bench.outcomes(task) == "kekeswswkesw"


class ResizedServers(IncompleteCollector):
    """Each scope has a server with 2048 MiB that was resized at a quarter past every hour."""

    def collect(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[Series]:
        for scope in scopes:
            for flavor, share in (("a", Decimal("0.25")), ("b", Decimal("0.75"))):
                labels = {"project_id": scope, "flavor": flavor}
                points = [(begin, 2048 * share) for begin in window.begins()]
                shared = dict.fromkeys(window.begins(), Shared(Decimal(2048), share))
                yield Series(scope, metric.public_name, metric.unit, labels, {}, points, shared)


def test_a_preview_and_a_task_find_the_levels_that_older_frames_missed(
    bench: ReprocessingBench,
) -> None:
    terms = Terms(Decimal(8), CostType.FLAT)
    rule = ThresholdRule(RuleTarget("cpu"), Decimal(2000), terms)
    bench.storage.rules.change(0, [], [rule], note())
    bench.collector = ResizedServers()
    bench.settings = dataclasses.replace(bench.settings, metrics=[metric("cpu")])
    states = list_scopes(bench.storage, "a")
    usages = bench.collector.collect(metric("cpu"), window(), ["a"])
    older = [RatedSeries(dataclasses.replace(each, shared={}), [Decimal(0)]) for each in usages]
    bench.storage.ledger.commit(batch(states, *older, rules=1, metrics=("cpu",)))
    order = Order(Scope("a"), hour(0), hour(1), HOUR, TaskKind.COLLECT)
    rates_only = dataclasses.replace(order, kind=TaskKind.RATES)
    old, quantity = reprocess.Sums(2, Decimal(2048), Decimal(0)), Decimal(2048)
    for each, price in ((rates_only, 0), (order, 8)):
        preview = reprocess.preview(bench.repricer([Hashmap()]), bench.storage.reports, each)
        new = reprocess.Sums(2, quantity, Decimal(price))
        assert preview.changes == {"cpu": reprocess.Change({"u"}, old, new)}
    bench.queue("a", begin=0, end=1)
    bench.another([Hashmap()]).finish()
    assert total(bench.storage) == (2, Decimal(8))
    # With the shares stored, prices alone give the same.
    preview = reprocess.preview(bench.repricer([Hashmap()]), bench.storage.reports, rates_only)
    assert preview.changes["cpu"].new.price == 8


# A plan and the task that follows it ---------------------------------------------------------

COSTS = st.decimals(min_value=Decimal("-1000"), max_value=Decimal(1000), places=12, allow_nan=False)
QUANTITIES = st.decimals(min_value=0, max_value=Decimal(10**6), places=18, allow_nan=False)
SHARED = st.none() | st.builds(Shared, QUANTITIES, st.decimals(0, 1, places=18))
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
        SHARED,
    ),
    max_size=20,
    unique_by=lambda usage: usage[:4],
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(usage=USAGE, own_rules=st.lists(rules(), max_size=8), since=st.integers(0, 3))
def test_a_task_stores_exactly_the_prices_that_a_plan_computed(
    usage: list[tuple[str, str, str, int, Decimal, Shared | None]],
    own_rules: list[Rule],
    since: int,
    new_bench: NewBench,
) -> None:
    bench = new_bench()
    storage = bench.storage
    series = [
        RatedSeries(
            Series(
                scope,
                name,
                "u",
                {"id": resource, "project_id": scope},
                {},
                [(hour(at), quantity)],
                {} if shared is None else {hour(at): shared},
            ),
            [Decimal(7)],
        )
        for scope, name, resource, at, quantity, shared in usage
    ]
    states = list_scopes(storage, "a", "b")
    storage.ledger.commit(batch(states, *series, periods=window(4), metrics=("cpu", "disk")))
    storage.rules.change(0, [], own_rules, note())
    price_list = PriceList([Hashmap()], storage.rules.read())
    planned = price_differences(storage.reports, price_list, hour(since))
    bench.queue("a", "b", begin=since, end=4, kind=TaskKind.RATES)
    assert bench.another([Hashmap()]).finish() == TaskSummary(finished_tasks=2, failed_tasks=0)
    rows = storage.reports.summary(
        Selection(begin=hour(since), scopes=ALL_SCOPES), ("scope", "metric"), datetime.UTC
    )
    assert [(row.scope, row.metric, row.new) for row in planned] == [
        (row.group["scope"], row.group["metric"], row.price) for row in rows
    ]
    accounts = [account for _, account in storage.tasks.tasks(ended=True)]
    assert sum(
        Fraction(account.new.price) - Fraction(account.old.price) for account in accounts
    ) == sum(Fraction(row.amount) for row in planned)
    frames = storage.reports.frames(Selection(begin=hour(since), scopes=ALL_SCOPES))
    for old_frames, rated in price_stored_usage(frames, price_list):
        assert [row.price for row in old_frames] == rated.prices
    # Prices alone were replaced: what the quantities are shares of stays.
    assert {
        (row.scope, row.metric, row.groupby["id"], row.begin, row.quantity, row.shared)
        for row in storage.reports.frames(Selection(scopes=ALL_SCOPES))
    } == {(*place, hour(at), quantity, shared) for *place, at, quantity, shared in usage}


class DivisibleCollector(IncompleteCollector):
    """Can be asked in parts; all resources are in the first one.

    :ivar parts: number of times that it was asked for a part
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts = 0

    def collect_part(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None,
        part: ResourcePart,
    ) -> Iterator[Series]:
        self.parts += 1
        if not part.index:
            yield from self.collect(metric, window, scopes, records_until)

    def labels_tell_resources(self, metric: Metric) -> bool:
        return True


def asked_periods(bench: ReprocessingBench) -> list[int]:
    """Return the numbers of periods of the windows that were tried."""
    return [call.window.count for call in bench.collector.calls if call.metric == "cpu"]


def test_the_windows_of_a_large_scope_grow_again_after_a_failure(bench: ReprocessingBench) -> None:
    bench.collector = DivisibleCollector()
    bench.collector.resources = [f"r{number}" for number in range(12)]
    # One period weighs 216, and 8 periods have 192 frames.
    bench.settings = dataclasses.replace(bench.settings, batch_frames=200)
    bench.reprocessor = bench.another()
    bench.now = hour(2000)
    bench.rate("a", count=30)
    (task,) = bench.queue("a", end=30)
    failures = [errors.TryLater("timed out")]
    bench.collector.failures.append(lambda call: failures.pop() if failures else None)
    bench.run_tasks()
    assert asked_periods(bench) == [8, 1, 8, 8, 8, 5]
    assert bench.outcomes(task) == "sw" * 30


def test_after_a_failure_a_window_is_shorter_than_the_one_that_failed(
    bench: ReprocessingBench,
) -> None:
    bench.collector.resources = [f"r{number}" for number in range(10)]
    bench.settings = dataclasses.replace(bench.settings, batch_frames=50)
    bench.reprocessor = bench.another()
    bench.now = hour(2000)
    bench.rate("a", count=50)
    bench.queue("a", end=50)
    bench.collector.failures.append(lambda call: errors.TryLater("timed out"))
    bench.run_tasks()
    assert asked_periods(bench) == [2, 1]


def test_scopes_are_not_divided_because_the_back_end_was_down(bench: ReprocessingBench) -> None:
    bench.collector = collector = DivisibleCollector()
    bench.reprocessor = bench.another()
    bench.rate("a", "b", "c")
    bench.queue("a", "b", "c", end=1)
    bench.collector.failures.append(lambda call: errors.TryLater("refused"))
    bench.run_tasks()
    assert collector.parts
    bench.collector.failures.clear()
    collector.parts = 0
    bench.now += HOUR
    bench.run_tasks()
    assert collector.parts == 0
    assert bench.storage.tasks.tasks() == []

"""The rater: collects, prices and commits a batch."""

import dataclasses

from ratekit.domain.rules.rule import RuleBook
from ratekit.interfaces import CommitResult, RatedBatch
from ratekit.processing.cycle import CycleResult
from tests.builders import HOUR, metric
from tests.fakes import CollectCall, FakeLedger, FakeModule
from tests.unit.processing.rating_bench import (
    DUE,
    RatingBench,
)


def test_a_batch_is_one_call_for_each_metric() -> None:
    bench = RatingBench("a", "b", "c")
    bench.rate()
    assert [(call.metric, call.scopes) for call in bench.collector.calls] == [
        ("cpu", ("a", "b", "c")),
        ("disk", ("a", "b", "c")),
    ]


def test_rules_are_compiled_once_until_they_change() -> None:
    module = FakeModule(1)
    bench = RatingBench("a", "b", limit=2, modules=[module])
    bench.rate()
    assert module.compiled == [1]
    bench.rules.book = RuleBook(2, ())
    bench.now += HOUR
    bench.rate()
    assert module.compiled == [1, 2]


def test_when_rules_change_between_pricing_and_storing_the_batch_is_priced_again() -> None:
    changed: list[RatedBatch] = []

    class Changing(FakeLedger):
        def commit(self, batch: RatedBatch) -> CommitResult:
            if not changed:
                changed.append(batch)
                self._rules.book = RuleBook(2, ())
            return super().commit(batch)

    module = FakeModule(1)
    bench = RatingBench("a", modules=[module], ledger=Changing)
    assert bench.rate() == CycleResult(frames=DUE * 2, periods=DUE, failed_scopes=0)
    assert module.compiled == [1, 2]
    assert [batch.rules_version for batch in bench.ledger.commits] == [2]


def test_usage_that_metrics_yml_skips_is_not_stored() -> None:
    bench = RatingBench("a")
    skipping = dataclasses.replace(metric("cpu"), skip=lambda series, quantity, price: True)
    bench.orchestrator.adopt(
        dataclasses.replace(bench.settings, metrics=[skipping, metric("disk")])
    )
    bench.rate()
    [batch] = bench.ledger.commits
    assert {rated.series.metric for rated in batch.series} == {"disk"}
    assert batch.metrics == ("cpu", "disk")


def test_new_settings_apply_from_the_next_batch() -> None:
    bench = RatingBench("a", "b", limit=DUE)

    def reload(_: CollectCall) -> None:
        bench.orchestrator.adopt(dataclasses.replace(bench.settings, metrics=[metric("gpu")]))

    bench.fail(reload)
    bench.rate()
    assert [call.metric for call in bench.collector.calls] == ["cpu", "disk", "gpu"]
    assert [batch.metrics for batch in bench.ledger.commits] == [("cpu", "disk"), ("gpu",)]

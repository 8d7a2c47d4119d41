"""The log says, in one short line, that scopes have stopped using a metric, or use it again."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from ratekit.domain.scope import Scope
from ratekit.interfaces import CommitResult, RatedBatch
from tests.builders import HOUR, MONTH, SECOND, metric
from tests.fakes import FakeLedger
from tests.unit.processing.rating_bench import RatingBench

SCOPES = [f"scope-{number}" for number in range(7)]


class StoppedUsageLedger(FakeLedger):
    """Reports for each batch that all scopes have stopped using cpu."""

    metrics: tuple[str, ...] = ("cpu",)

    def commit(self, batch: RatedBatch) -> CommitResult:
        commit = super().commit(batch)
        stopped = [(Scope(id_), metric) for metric in self.metrics for id_ in sorted(self.states)]
        return dataclasses.replace(commit, stopped_usage=stopped)


class StoppedUsageOfAllMetricsLedger(StoppedUsageLedger):
    """Reports it for all metrics."""

    metrics = ("disk", "cpu")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_metric_without_usage_is_one_line_with_the_first_scopes_and_the_period(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = RatingBench(*SCOPES, ledger=StoppedUsageLedger)
    bench.now = MONTH + 2 * HOUR + SECOND  # one period is due
    bench.rate()
    assert warnings(caplog) == [
        "metric cpu: usage stopped during 2026-01-01T00:00Z/2026-01-01T01:00Z for 7 scopes that "
        "had usage in every earlier period: scope-0, scope-1, scope-2, scope-3, scope-4 and 2 more"
    ]


def test_each_metric_has_its_own_line(caplog: pytest.LogCaptureFixture) -> None:
    bench = RatingBench("a", ledger=StoppedUsageOfAllMetricsLedger)
    bench.now = MONTH + 2 * HOUR + SECOND  # one period is due
    bench.rate()
    assert [line.partition(":")[0] for line in warnings(caplog)] == ["metric cpu", "metric disk"]
    assert warnings(caplog)[0].endswith("for 1 scope that had usage in every earlier period: a")


def test_usage_that_metrics_yml_skips_has_not_stopped(caplog: pytest.LogCaptureFixture) -> None:
    bench = RatingBench("a", ledger=StoppedUsageOfAllMetricsLedger)
    cpu, disk = bench.settings.metrics
    skipping = dataclasses.replace(cpu, skip_zero=True)
    bench.orchestrator.adopt(dataclasses.replace(bench.settings, metrics=[skipping, disk]))
    bench.now = MONTH + 2 * HOUR + SECOND  # one period is due
    bench.rate()
    assert [line.partition(":")[0] for line in warnings(caplog)] == ["metric disk"]


def test_a_batch_has_the_name_of_each_collected_metric_once() -> None:
    bench = RatingBench("a")
    cpu, disk = bench.settings.metrics
    twin = dataclasses.replace(disk, name="disk.twin")
    bench.orchestrator.adopt(dataclasses.replace(bench.settings, metrics=[disk, twin, cpu]))
    bench.now = MONTH + 2 * HOUR + SECOND  # one period is due
    bench.rate()
    assert {batch.metrics for batch in bench.ledger.commits} == {("cpu", "disk")}


class ResumedUsageLedger(FakeLedger):
    """Reports for each batch that all scopes use cpu and disk again."""

    def commit(self, batch: RatedBatch) -> CommitResult:
        commit = super().commit(batch)
        resumed = [(Scope(id_), name) for name in ("disk", "cpu") for id_ in sorted(self.states)]
        return dataclasses.replace(commit, resumed_usage=resumed)


def infos(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    return [line for line in lines if word in line]


def test_usage_that_is_back_is_one_line_a_metric_and_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    bench = RatingBench("a", "b", ledger=ResumedUsageLedger)
    bench.now = MONTH + 2 * HOUR + SECOND  # one period is due
    bench.rate()
    assert infos(caplog, "usage is back") == [
        f"metric {name}: usage is back during 2026-01-01T00:00Z/2026-01-01T01:00Z for 2 scopes: "
        "a, b"
        for name in ("cpu", "disk")
    ]
    assert warnings(caplog) == []


def test_metrics_without_usage_so_far_are_one_line_after_the_first_cycle_that_rates(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    bench = RatingBench("a")
    bench.collector.silent_metrics.add("gpu")
    metrics = [*bench.settings.metrics, metric("gpu")]
    bench.orchestrator.adopt(dataclasses.replace(bench.settings, metrics=metrics))
    bench.now = MONTH + HOUR  # nothing is due
    bench.rate()
    assert infos(caplog, "so far") == []
    bench.now = MONTH + 2 * HOUR + SECOND
    bench.rate()
    bench.now += HOUR
    bench.rate()
    assert infos(caplog, "so far") == [
        "1 metric has no usage in any scope so far: gpu; check their names with ratekit metric "
        "check"
    ]
    assert warnings(caplog) == []

"""A metric that a scope has stopped to use is said in the log, shortly."""

from __future__ import annotations

import dataclasses
import datetime
import logging

import pytest

from ratekit.domain.scope import Scope
from ratekit.interfaces import CommitResult, RatedBatch
from tests.fakes import FakeLedger
from tests.unit.processing.test_orchestrator import HOUR, MONTH, Office

SECOND = datetime.timedelta(seconds=1)
SEVEN = [f"scope-{number}" for number in range(7)]


class TellingLedger(FakeLedger):
    """Says of each batch that all scopes have stopped to use cpu."""

    metrics: tuple[str, ...] = ("cpu",)

    def commit(self, batch: RatedBatch) -> CommitResult:
        done = super().commit(batch)
        silent = [(Scope(one), metric) for metric in self.metrics for one in sorted(self.states)]
        return dataclasses.replace(done, stopped_usage=silent)


class TellingOfBoth(TellingLedger):
    """Says it of all metrics."""

    metrics = ("disk", "cpu")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]


def test_a_metric_that_falls_silent_is_one_line_with_the_first_scopes_and_the_period(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = Office(*SEVEN, ledger=TellingLedger)
    office.now = MONTH + 2 * HOUR + SECOND  # one period is due
    office.rate()
    assert warnings(caplog) == [
        "metric cpu: usage stopped at 2026-01-01T00:00Z/2026-01-01T01:00Z for 7 scopes that had "
        "usage in every earlier period: scope-0, scope-1, scope-2, scope-3, scope-4 and 2 more"
    ]


def test_each_metric_has_its_own_line(caplog: pytest.LogCaptureFixture) -> None:
    office = Office("a", ledger=TellingOfBoth)
    office.now = MONTH + 2 * HOUR + SECOND  # one period is due
    office.rate()
    assert [line.partition(":")[0] for line in warnings(caplog)] == ["metric cpu", "metric disk"]
    assert warnings(caplog)[0].endswith("for 1 scope that had usage in every earlier period: a")


def test_silence_that_metrics_yml_asks_for_is_not_said(caplog: pytest.LogCaptureFixture) -> None:
    office = Office("a", ledger=TellingOfBoth)
    cpu, disk = office.settings.metrics
    skipping = dataclasses.replace(cpu, skip_zero=True)
    office.orchestrator.adopt(dataclasses.replace(office.settings, metrics=[skipping, disk]))
    office.now = MONTH + 2 * HOUR + SECOND  # one period is due
    office.rate()
    assert [line.partition(":")[0] for line in warnings(caplog)] == ["metric disk"]


def test_the_ledger_is_told_by_which_metrics_was_rated() -> None:
    office = Office("a")
    cpu, disk = office.settings.metrics
    twin = dataclasses.replace(disk, name="disk.twin")
    office.orchestrator.adopt(dataclasses.replace(office.settings, metrics=[disk, twin, cpu]))
    office.now = MONTH + 2 * HOUR + SECOND  # one period is due
    office.rate()
    assert {one.metrics for one in office.ledger.commits} == {("cpu", "disk")}

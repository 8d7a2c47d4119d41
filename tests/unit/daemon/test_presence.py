"""What a worker reports of itself for operators."""

from __future__ import annotations

import dataclasses

import pytest

from ratekit import errors
from ratekit.processing.cycle import CycleResult
from tests.builders import HOUR, MINUTE, SECOND
from tests.unit.daemon.fake_monitoring import FakeMonitoring
from tests.unit.daemon.test_worker import NOON, Day, failing, run

WELL = CycleResult


def test_a_cycle_is_reported_when_it_starts_and_when_it_ends() -> None:
    monitoring = FakeMonitoring()
    run(Day(hours=0.5, now=NOON + 20 * MINUTE), WELL, monitoring=monitoring)
    announcement, start, end, *later = monitoring.reports
    assert announcement == start
    assert (start.name, start.seen_at, start.next_cycle) == ("worker", NOON + 20 * MINUTE, None)
    assert (end.next_cycle, end.error) == (NOON + HOUR + SECOND, None)
    assert start.started_at == end.started_at == NOON + 20 * MINUTE
    # It reports that it is alive while it waits.
    assert {dataclasses.replace(report, seen_at=end.seen_at) for report in later} == {end}
    assert [(report.seen_at - end.seen_at) / SECOND for report in later[:3]] == [30, 60, 90]


def test_a_worker_that_ends_removes_its_report() -> None:
    monitoring = FakeMonitoring()
    run(Day(hours=0.5), WELL, monitoring=monitoring)
    assert monitoring.removed_names == ["worker"]


def test_a_worker_writes_nothing_to_a_migrated_database() -> None:
    monitoring = FakeMonitoring()
    run(Day(hours=1), failing(errors.SchemaChanged("migrated")), monitoring=monitoring)
    assert len(monitoring.reports) == 2
    assert monitoring.removed_names == []


def test_an_error_is_reported_with_the_start_of_the_first_cycle_that_failed() -> None:
    monitoring = FakeMonitoring()
    cycle = failing(errors.NoRules())
    run(Day(hours=0.5), cycle, cycle, cycle, WELL, monitoring=monitoring)
    ends = monitoring.reports[2::2]
    assert [end.error for end in ends[:3]] == [str(errors.NoRules())] * 3
    assert {end.error_since for end in ends[:3]} == {NOON}
    assert (ends[-1].error, ends[-1].error_since) == (None, None)


def test_a_bug_is_reported_without_its_text() -> None:
    monitoring = FakeMonitoring()
    run(Day(hours=0.1), failing(ValueError("secret")), monitoring=monitoring)
    assert monitoring.reports[-1].error == "unexpected error (ValueError), see the log"


@pytest.mark.parametrize("failure", [errors.TryLater("no database"), RuntimeError("bug")])
def test_rating_goes_on_if_nothing_can_be_recorded(failure: Exception) -> None:
    monitoring = FakeMonitoring()
    monitoring.failure = failure
    assert len(run(Day(hours=2.5), WELL, monitoring=monitoring).starts) == 3

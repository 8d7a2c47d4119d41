"""Describing, checking and sampling metrics, on a model of Gnocchi."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator
from fractions import Fraction
from typing import Any

import pytest

from ratekit import errors
from ratekit.admin import metric as metric_admin
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import Window
from ratekit.domain.reporting.findings import Finding, Severity
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.domain.usage.trace import TraceStep
from tests.fakes import FakeCollector
from tests.unit.collectors.gnocchi.test_diagnostics import HOUR, METRIC, SIX, gnocchi

CALENDAR = Calendar(HOUR, 2)
OTHER = dataclasses.replace(METRIC, public_name="flavor", metadata=("image",))


def collector(client: Any) -> GnocchiCollector:
    return GnocchiCollector(client, "project_id", HOUR, 2 * HOUR, clock=lambda: SIX + HOUR)


def problems(entries: list[metric_admin.MetricFinding]) -> set[tuple[str | None, str, Severity]]:
    return {
        (entry.metric, entry.finding.check, entry.finding.verdict)
        for entry in entries
        if entry.finding.verdict is not Severity.OK
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        ({"factor": Fraction(1, 1024), "offset": Fraction(1)}, "* 1/1024 + 1"),
        ({"offset": Fraction(-1, 2), "mutate": Mutate.CEIL}, "- 1/2 CEIL"),
        ({"prorate": True}, "prorate"),
        ({"mutate": Mutate.MAP, "mutate_map": {Fraction(4): Fraction(1)}}, "MAP {4: 1}"),
    ],
)
def test_a_conversion_is_written_in_the_order_of_its_steps(
    changes: dict[str, Any], text: str
) -> None:
    assert metric_admin.conversion(dataclasses.replace(METRIC, **changes)) == text


def test_a_metric_is_found_by_its_public_name_or_its_unique_name() -> None:
    two = dataclasses.replace(METRIC, name="memory", public_name="cpu")
    assert metric_admin.find([METRIC, two], "cpu") is two
    assert metric_admin.find([METRIC], "cpu") is METRIC


@pytest.mark.parametrize(
    ("word", "hint"),
    [("instanc", "did you mean 'instance'"), ("cpu", "use a public name: instance, flav")],
)
def test_an_unknown_or_ambiguous_metric_is_refused_with_a_hint(word: str, hint: str) -> None:
    with pytest.raises(errors.OperatorError, match=hint):
        metric_admin.find([METRIC, OTHER], word)


def test_findings_about_the_back_end_itself_come_once_and_last() -> None:
    client = gnocchi("good")
    client.backlog_size = 7
    entries = metric_admin.check([METRIC, OTHER], collector(client))
    assert [entry.finding.check for entry in entries].count("backlog") == 1
    assert entries[-1].metric is None
    assert "7 measures" in entries[-1].finding.detail
    assert problems(entries) == {
        ("flavor", "attributes", Severity.WARNING), (None, "backlog", Severity.WARNING),
    }  # fmt: skip


class Refusing(GnocchiCollector):
    """Refuses one metric."""

    error: errors.RatekitError = errors.OperatorError("no such aggregate")

    def __init__(self, client: Any) -> None:
        super().__init__(client, "project_id", HOUR, 2 * HOUR, clock=lambda: SIX + HOUR)

    def inspect(self, metric: Metric) -> list[Finding]:
        if metric is OTHER:
            raise self.error
        return list(super().inspect(metric))


def test_a_metric_that_the_back_end_refuses_hides_no_other() -> None:
    entries = metric_admin.check([OTHER, METRIC], Refusing(gnocchi("other")))
    assert {("flavor", "inspection", Severity.ERROR),
            ("instance", "archive policy other", Severity.ERROR)} <= problems(entries)  # fmt: skip


@pytest.mark.parametrize("error", [errors.AccessDenied("403"), errors.TryLater("503")])
def test_a_back_end_that_refuses_or_fails_is_an_error_and_no_finding(
    error: errors.RatekitError,
) -> None:
    refusing = Refusing(gnocchi("good"))
    refusing.error = error
    with pytest.raises(type(error)):
        metric_admin.check([METRIC, OTHER], refusing)


def test_by_default_the_newest_period_that_is_due_is_sampled() -> None:
    now = SIX + datetime.timedelta(minutes=5)
    window = metric_admin.sample_period(CALENDAR, None, now)
    assert window == Window(SIX - 2 * HOUR, HOUR, 1)
    assert window.begin + HOUR == CALENDAR.due_until(now)
    assert metric_admin.sample_period(CALENDAR, SIX, now) == Window(SIX, HOUR, 1)


def test_a_period_off_the_grid_is_refused_with_its_neighbours() -> None:
    with pytest.raises(errors.OperatorError, match="06:00:00Z and 2026-01-01T07:00:00Z"):
        metric_admin.sample_period(CALENDAR, SIX + HOUR / 2, SIX)


class RecordingCollector(FakeCollector):
    """Records the scopes of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[list[str]] = []

    def trace(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[TraceStep]:
        self.requests.append(list(scopes))
        return iter(())


def test_a_sample_requests_each_scope_once_and_not_all_at_the_same_time() -> None:
    scopes = [f"s{n:03}" for n in range(60)]
    recording = RecordingCollector()
    window, scope_ids = Window(SIX, HOUR, 1), [*scopes, "s001"]
    assert list(metric_admin.sample(METRIC, recording, window, scope_ids)) == []
    assert [scope for request in recording.requests for scope in request] == scopes
    assert max(map(len, recording.requests)) < len(scopes)


def test_a_collector_that_cannot_explain_its_quantities_is_an_error() -> None:
    with pytest.raises(errors.OperatorError, match="cannot explain"):
        list(metric_admin.sample(METRIC, FakeCollector(), Window(SIX, HOUR, 1), ["p1"]))

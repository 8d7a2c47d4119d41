"""What operators ask about metrics, on a model of Gnocchi."""

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
from tests.unit.collectors.gnocchi.test_diagnostics import HOUR, METRIC, SIX, archive

CALENDAR = Calendar(HOUR, 2)
OTHER = dataclasses.replace(METRIC, public_name="flavor", metadata=("image",))


def collector(client: Any) -> GnocchiCollector:
    return GnocchiCollector(client, "project_id", HOUR, 2 * HOUR, clock=lambda: SIX + HOUR)


def bad(found: list[metric_admin.MetricFinding]) -> set[tuple[str | None, str, Severity]]:
    return {
        (one.metric, one.finding.check, one.finding.verdict)
        for one in found
        if one.finding.verdict is not Severity.OK
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
def test_a_conversion_is_told_in_the_order_it_is_done(changes: dict[str, Any], text: str) -> None:
    assert metric_admin.conversion(dataclasses.replace(METRIC, **changes)) == text


def test_a_metric_is_found_by_its_public_name_or_its_only_other() -> None:
    two = dataclasses.replace(METRIC, name="memory", public_name="cpu")
    assert metric_admin.find([METRIC, two], "cpu") is two
    assert metric_admin.find([METRIC], "cpu") is METRIC


@pytest.mark.parametrize(
    ("word", "hint"), [("instanc", "did you mean 'instance'"), ("cpu", "use a public name: instance, flav")]
)
def test_a_metric_that_cannot_be_told_is_refused_with_a_hint(word: str, hint: str) -> None:
    with pytest.raises(errors.OperatorError, match=hint):
        metric_admin.find([METRIC, OTHER], word)


def test_what_is_about_the_back_end_as_a_whole_is_told_once_and_last() -> None:
    client = archive("good")
    client.waiting = 7
    found = metric_admin.check([METRIC, OTHER], collector(client))
    assert [one.finding.check for one in found].count("backlog") == 1
    assert found[-1].metric is None
    assert found[-1].finding.detail == "7 measures wait for metricd"
    assert bad(found) == {
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
    found = metric_admin.check([OTHER, METRIC], Refusing(archive("odd")))
    assert {("flavor", "inspection", Severity.ERROR),
            ("instance", "archive policy odd", Severity.ERROR)} <= bad(found)  # fmt: skip


@pytest.mark.parametrize("error", [errors.AccessDenied("403"), errors.TryLater("503")])
def test_a_back_end_that_answers_nobody_is_no_finding(error: errors.RatekitError) -> None:
    one = Refusing(archive("good"))
    one.error = error
    with pytest.raises(type(error)):
        metric_admin.check([METRIC, OTHER], one)


def test_the_newest_period_that_is_due_is_sampled_unless_another_is_named() -> None:
    now = SIX + datetime.timedelta(minutes=5)
    window = metric_admin.sample_period(CALENDAR, None, now)
    assert window == Window(SIX - 2 * HOUR, HOUR, 1)
    assert window.begin + HOUR == CALENDAR.due_until(now)
    assert metric_admin.sample_period(CALENDAR, SIX, now) == Window(SIX, HOUR, 1)


def test_a_period_off_the_grid_is_refused_with_its_neighbours() -> None:
    with pytest.raises(errors.OperatorError, match="06:00:00Z and 2026-01-01T07:00:00Z"):
        metric_admin.sample_period(CALENDAR, SIX + HOUR / 2, SIX)


class Telling(FakeCollector):
    """Remembers who was asked for together."""

    def __init__(self) -> None:
        super().__init__()
        self.together: list[list[str]] = []

    def trace(self, metric: Metric, window: Window, scopes: Collection[str]) -> Iterator[TraceStep]:
        self.together.append(list(scopes))
        return iter(())


def test_a_sample_asks_for_each_scope_once_and_not_for_all_together() -> None:
    scopes = [f"s{n:03}" for n in range(60)]
    asked = Telling()
    assert list(metric_admin.sample(METRIC, asked, Window(SIX, HOUR, 1), [*scopes, "s001"])) == []
    assert [one for some in asked.together for one in some] == scopes
    assert max(map(len, asked.together)) < len(scopes)


def test_a_collector_that_does_not_tell_its_steps_is_named() -> None:
    with pytest.raises(errors.OperatorError, match="cannot explain"):
        list(metric_admin.sample(METRIC, FakeCollector(), Window(SIX, HOUR, 1), ["p1"]))

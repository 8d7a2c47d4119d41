"""Findings on a metric, without rating it."""

from __future__ import annotations

import dataclasses
import datetime
from fractions import Fraction
from typing import Any

import pytest

from ratekit import errors
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.reporting.findings import Finding, Severity
from ratekit.domain.usage.metric import Metric, Mutate
from tests.fakes import Phase, Resource
from tests.unit.collectors.gnocchi.fake_gnocchi import FakeGnocchi, policy

HOUR = datetime.timedelta(hours=1)
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
POLICIES = (policy("good", {300: 48, 3600: None}), policy("other", {420: None}))
METRIC = Metric(
    name="cpu",
    public_name="instance",
    unit="h",
    factor=Fraction(1),
    offset=Fraction(0),
    groupby=("user_id",),
    metadata=("flavor",),
    mutate=Mutate.NONE,
    extra_args=GnocchiArgs("instance", aggregation_method="mean", force_granularity=300),
)


def gnocchi(*under: str) -> FakeGnocchi:
    """A resource under each of these policies, measured until six."""
    resources = [
        Resource(
            f"r{n}", [Phase(SIX - HOUR, None, {"project_id": "p1", "flavor": "m1"})], {SIX: 1.0}
        )
        for n in range(len(under))
    ]
    return FakeGnocchi(resources, POLICIES, {f"r{n}": name for n, name in enumerate(under)})


def inspect(
    client: Any, metric: Metric = METRIC, now: datetime.datetime = SIX + HOUR
) -> dict[str, Finding]:
    collector = GnocchiCollector(client, "project_id", HOUR, 2 * HOUR, clock=lambda: now)
    result = collector.inspect(metric)
    by_name = {finding.check: finding for finding in result}
    assert len(by_name) == len(result)
    return by_name


def verdicts(findings: dict[str, Finding]) -> dict[str, Severity]:
    return {
        name: finding.verdict
        for name, finding in findings.items()
        if finding.verdict is not Severity.OK
    }


def test_without_problems_every_check_is_ok_and_needs_no_remedy() -> None:
    findings = inspect(gnocchi("good", "good"))
    assert verdicts(findings) == {}
    assert {finding.remedy for finding in findings.values()} == {""}
    assert {name: finding.detail for name, finding in findings.items()} == {
        "resource type": "Gnocchi has the resource type 'instance'",
        "attributes": "'instance' has an attribute for every label",
        "metrics": "2 resources of any type with 'cpu'",
        "archive policy good": "2 metrics, queried with 300 s, kept for 2 d",
        "newest measure": "aggregated at 2026-01-01T06:00:00Z, 1 h ago",
        "backlog": "metricd has 0 measures to process",
    }


def test_an_unknown_resource_type_is_the_only_finding() -> None:
    client = gnocchi("good")
    client.attributes = lambda _: None  # type: ignore[method-assign,assignment]
    findings = inspect(client)
    assert verdicts(findings) == {"resource type": Severity.WARNING}
    assert list(findings) == ["resource type"]


@pytest.mark.parametrize(
    ("change", "verdict", "names"),
    [
        ({"metadata": ("flavor", "image")}, Severity.WARNING, "image"),
        ({"groupby": ("colour", "shape")}, Severity.WARNING, "colour, shape"),
        ({"extra_args": GnocchiArgs("instance", "serial")}, Severity.ERROR, "serial"),
    ],
)
def test_attributes_that_the_type_lacks_are_named(
    change: dict[str, Any], verdict: Severity, names: str
) -> None:
    finding = inspect(gnocchi("good"), dataclasses.replace(METRIC, **change))["attributes"]
    assert finding.verdict is verdict
    assert f"has no {names};" in finding.detail
    assert finding.remedy


def test_each_archive_policy_is_counted_and_judged_most_used_first() -> None:
    findings = inspect(gnocchi("other", "other", "good", "other"))
    names = [name for name in findings if name.startswith("archive policy")]
    assert names == ["archive policy other", "archive policy good"]
    assert verdicts(findings) == {"archive policy other": Severity.ERROR}
    assert findings[names[0]].detail == "3 metrics; lacks a granularity of 300 s: not rated"
    assert findings["metrics"].detail == "4 resources of any type with 'cpu'"


def test_a_metric_without_resources_is_a_warning() -> None:
    assert verdicts(inspect(gnocchi())) == {"metrics": Severity.WARNING}


def test_a_metric_without_recent_measures_is_a_warning() -> None:
    findings = inspect(gnocchi("good"), now=SIX + 30 * HOUR)
    assert verdicts(findings) == {"newest measure": Severity.WARNING}


def test_a_backlog_is_a_warning() -> None:
    client = gnocchi("good")
    client.backlog_size = 1234
    findings = inspect(client)
    assert verdicts(findings) == {"backlog": Severity.WARNING}
    assert findings["backlog"].detail == "metricd has 1,234 measures to process"


def test_a_backlog_that_ratekit_may_not_read_hides_no_other_finding() -> None:
    def refuse() -> int:
        raise errors.AccessDenied("Gnocchi refused with 403: Forbidden")

    client = gnocchi("good")
    client.backlog = refuse  # type: ignore[method-assign]
    findings = inspect(client)
    assert verdicts(findings) == {"backlog": Severity.WARNING}
    assert "get status" in findings["backlog"].remedy


@pytest.mark.parametrize(("prorate", "count", "expected"), [
    (False, 5, {}), (True, 0, {}), (True, 5, {"started_at": Severity.WARNING}),
])  # fmt: skip
def test_resources_without_a_start_matter_where_periods_are_prorated(
    prorate: bool, count: int, expected: dict[str, Severity]
) -> None:
    client = gnocchi("good")
    client.without_start = count
    assert verdicts(inspect(client, dataclasses.replace(METRIC, prorate=prorate))) == expected


def with_values(values: dict[int, float]) -> FakeGnocchi:
    """A resource with these values by the hour before six."""
    cloud = gnocchi("good")
    buckets = {SIX - hour * HOUR: value for hour, value in values.items()}
    cloud.resources = [dataclasses.replace(cloud.resources[0], buckets=buckets)]
    return cloud


def test_values_below_zero_are_a_warning_that_names_the_lowest() -> None:
    findings = inspect(with_values({3: -1.0, 2: -40.5, 1: 0.0, 0: 7.0}))
    assert verdicts(findings) == {"values": Severity.WARNING}
    assert findings["values"].detail == (
        "2 aggregates below zero; the lowest is -40.5, of resource r0 at 2026-01-01T04:00:00Z"
    )


@pytest.mark.parametrize(("hours", "verdict"), [(24, {}), (25, {"counter gaps": Severity.WARNING})])
def test_growth_over_a_long_gap_of_a_counter_is_a_warning(
    hours: int, verdict: dict[str, Severity]
) -> None:
    args = GnocchiArgs("instance", re_aggregation_method="rate:sum", force_granularity=300)
    cloud = with_values({hours: 100.0, 0: 1300.0})
    findings = inspect(cloud, dataclasses.replace(METRIC, extra_args=args))
    assert verdicts(findings) == verdict
    if verdict:
        assert "resource r0 until 2026-01-01T06:00:00Z, a growth of 1200" in (
            findings["counter gaps"].detail
        )
    assert verdicts(inspect(cloud)) == {}

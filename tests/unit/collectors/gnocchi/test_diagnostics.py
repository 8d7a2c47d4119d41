"""What an operator is told of a metric without rating it."""

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
from tests.unit.collectors.gnocchi.archive import Archive, policy

HOUR = datetime.timedelta(hours=1)
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
POLICIES = (policy("good", {300: 48, 3600: None}), policy("odd", {420: None}))
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


def archive(*under: str) -> Archive:
    """A resource under each of these policies, measured until six."""
    resources = [
        Resource(
            f"r{n}", [Phase(SIX - HOUR, None, {"project_id": "p1", "flavor": "m1"})], {SIX: 1.0}
        )
        for n in range(len(under))
    ]
    return Archive(resources, POLICIES, {f"r{n}": name for n, name in enumerate(under)})


def inspect(
    client: Any, metric: Metric = METRIC, now: datetime.datetime = SIX + HOUR
) -> dict[str, Finding]:
    collector = GnocchiCollector(client, "project_id", HOUR, 2 * HOUR, clock=lambda: now)
    found = collector.inspect(metric)
    named = {one.check: one for one in found}
    assert len(named) == len(found)
    return named


def verdicts(found: dict[str, Finding]) -> dict[str, Severity]:
    return {what: one.verdict for what, one in found.items() if one.verdict is not Severity.OK}


def test_where_all_is_well_every_check_says_so_and_asks_for_nothing() -> None:
    found = inspect(archive("good", "good"))
    assert verdicts(found) == {}
    assert {one.remedy for one in found.values()} == {""}
    assert {what: one.detail for what, one in found.items()} == {
        "resource type": "Gnocchi has the resource type 'instance'",
        "attributes": "'instance' has every attribute that is a label",
        "metrics": "2 resources of any type have 'cpu'",
        "archive policy good": "2 metrics, asked for with 300 s, kept for 2 days, 0:00:00",
        "newest measure": "aggregated at 2026-01-01T06:00:00Z, 1:00:00 ago",
        "backlog": "0 measures wait for metricd",
    }


def test_a_resource_type_that_is_not_there_is_all_there_is_to_say() -> None:
    client = archive("good")
    client.attributes = lambda _: None  # type: ignore[method-assign,assignment]
    found = inspect(client)
    assert verdicts(found) == {"resource type": Severity.WARNING}
    assert list(found) == ["resource type"]


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
    found = inspect(archive("good"), dataclasses.replace(METRIC, **change))["attributes"]
    assert found.verdict is verdict
    assert f"has no {names};" in found.detail
    assert found.remedy


def test_each_archive_policy_is_counted_and_judged_most_used_first() -> None:
    found = inspect(archive("odd", "odd", "good", "odd"))
    used = [what for what in found if what.startswith("archive policy")]
    assert used == ["archive policy odd", "archive policy good"]
    assert verdicts(found) == {"archive policy odd": Severity.ERROR}
    assert found[used[0]].detail == "3 metrics, without a granularity of 300 s: not rated"
    assert found["metrics"].detail == "4 resources of any type have 'cpu'"


def test_a_metric_that_nobody_has_is_a_warning() -> None:
    assert verdicts(inspect(archive())) == {"metrics": Severity.WARNING}


def test_a_metric_that_is_measured_no_more_is_a_warning() -> None:
    found = inspect(archive("good"), now=SIX + 30 * HOUR)
    assert verdicts(found) == {"newest measure": Severity.WARNING}


def test_measures_that_wait_are_a_warning() -> None:
    client = archive("good")
    client.waiting = 1234
    found = inspect(client)
    assert verdicts(found) == {"backlog": Severity.WARNING}
    assert found["backlog"].detail == "1,234 measures wait for metricd"


def test_a_backlog_that_gnocchi_keeps_to_itself_hides_nothing_else() -> None:
    def refuse() -> int:
        raise errors.AccessDenied("Gnocchi refused with 403: Forbidden")

    client = archive("good")
    client.backlog = refuse  # type: ignore[method-assign]
    found = inspect(client)
    assert verdicts(found) == {"backlog": Severity.WARNING}
    assert "get status" in found["backlog"].remedy


@pytest.mark.parametrize(("prorate", "without", "expected"), [
    (False, 5, {}), (True, 0, {}), (True, 5, {"started_at": Severity.WARNING}),
])  # fmt: skip
def test_resources_without_a_start_matter_where_periods_are_prorated(
    prorate: bool, without: int, expected: dict[str, Severity]
) -> None:
    client = archive("good")
    client.startless = without
    assert verdicts(inspect(client, dataclasses.replace(METRIC, prorate=prorate))) == expected

"""Resources whose archive policies lack aggregates, or keep them briefly, on a real Gnocchi.

The resources are those of tests/stack/unusual_policies.py.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.cmd import configuration
from ratekit.collectors.gnocchi.api.connect import open_client
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.findings import Severity
from ratekit.domain.usage.metric import Metric
from tests import builders, stack
from tests.builders import HOUR

NUMBERS = {
    "share-1": 1, "share-2": 2, "share-3": 3, "share-hourly": 4, "share-extremes": 5,
    "share-gone": 6, "port-1": 7, "port-2": 8, "port-fine-1": 9, "port-fine-2": 10,
    "port-sevens": 11, "snapshot-1": 12, "snapshot-brief": 13, "archive-stopped": 14,
}  # fmt: skip


def metric(name: str, granularity: int, resource_key: str = "id") -> Metric:
    return builders.metric(
        name,
        unit="GB",
        extra_args=GnocchiArgs(
            name.partition(".")[0],
            resource_key=resource_key,
            aggregation_method="mean",
            force_granularity=granularity,
        ),
    )


class CloudCollector:
    """A collector on the real Gnocchi, and its requests."""

    def __init__(self, cloud: stack.Stack, caplog: pytest.LogCaptureFixture) -> None:
        self.cloud = cloud
        self.plan = cloud.plan()
        self._caplog = caplog
        self.collector = self.make()

    def make(self, allow_expired: bool = False) -> GnocchiCollector:
        conf = configuration.load_for_rating(
            "functional", ["--config-file", str(self.cloud.conf_path)]
        )
        client = open_client(conf)
        return GnocchiCollector(client, "project_id", HOUR, 2 * HOUR, allow_expired=allow_expired)

    def id(self, name: str) -> str:
        return str(self.plan.resource(name).id)

    def collect(
        self,
        metric: Metric,
        first: int = 0,
        count: int = 2,
        projects: Sequence[str] = ("policies", "demo-01"),
    ) -> dict[str, dict[int, Decimal]]:
        """Return name of the resource -> hour -> quantity."""
        names = {str(resource.id): resource.name for resource in self.plan.resources}
        scopes = [self.cloud.project_ids[project] for project in projects]
        window = Window(self.plan.begin + first * HOUR, HOUR, count)
        self._last = metric, window, scopes
        return {
            names.get(series.groupby.get("id") or "", "all"): {
                (begin - self.plan.begin) // HOUR: quantity for begin, quantity in series.points
            }
            for series in self.collector.collect(metric, window, scopes)
        }

    def last_exclusions(self) -> Sequence[Exclusion]:
        """Return the exclusions of the last collection."""
        return self.collector.exclusions(*self._last)

    def requests(self) -> list[str]:
        """Return the requests since the last call; ``caplog`` is at DEBUG for keystoneauth."""
        lines = [
            record.getMessage()
            for record in self._caplog.records
            if record.name.startswith("keystoneauth.session") and "curl" in record.getMessage()
        ]
        self._caplog.clear()
        return [line for line in lines if "/v1/" in line]


@pytest.fixture
def cloud_collector(cloud: stack.Stack, caplog: pytest.LogCaptureFixture) -> CloudCollector:
    caplog.set_level(logging.DEBUG, "keystoneauth")
    return CloudCollector(cloud, caplog)


def whole(*names: str, hours: Sequence[int] = (0, 1)) -> dict[str, dict[int, Decimal]]:
    return {name: {hour: Decimal(NUMBERS[name]) for hour in hours} for name in names}


def test_other_resources_are_rated_and_excluded_ones_are_logged_once(
    cloud_collector: CloudCollector, caplog: pytest.LogCaptureFixture
) -> None:
    shares = metric("share.size", 300)
    # A resource that existed in the first hour only is not reported.
    assert cloud_collector.collect(shares, 2) == whole(
        "share-1", "share-2", "share-3", hours=(2, 3)
    )
    texts = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    requests = cloud_collector.requests()
    assert len(requests) <= 1 + 1 + 10, requests
    hourly, extremes = cloud_collector.id("share-hourly"), cloud_collector.id("share-extremes")
    assert len(texts) == 2
    [hourly_text] = [text for text in texts if hourly in text]
    for fact in ("'share.size'", "'hourly'", "granularity of 300 s"):
        assert fact in hourly_text
    [extremes_text] = [text for text in texts if extremes in text]
    for fact in ("'share.size'", "'extremes'", "aggregation method 'mean'"):
        assert fact in extremes_text
    scope = cloud_collector.cloud.project_ids["policies"]
    assert {(exclusion.scope, exclusion.metric, exclusion.resource)
        for exclusion in cloud_collector.last_exclusions()} == {
        (scope, "share.size", hourly), (scope, "share.size", extremes),
    }  # fmt: skip
    # The next batch needs one request, and a search for resources that were recorded late.
    assert cloud_collector.collect(shares, 4) == whole(
        "share-1", "share-2", "share-3", hours=(4, 5)
    )
    assert ["/v1/aggregates" in line for line in cloud_collector.requests()] == [True, False]
    assert not [record for record in caplog.records if record.levelno == logging.ERROR]


def test_a_metric_whose_aggregate_no_resource_has_is_an_error(
    cloud_collector: CloudCollector,
) -> None:
    with pytest.raises(errors.OperatorError) as caught:
        cloud_collector.collect(metric("backup.size", 300))
    for fact in ("2 ", "'hourly'", "300 s", "3600 s"):
        assert fact in str(caught.value)
    assert not cloud_collector.last_exclusions()
    assert cloud_collector.collect(metric("backup.size", 300), projects=["demo-01"]) == {}


def test_each_archive_policy_is_asked_for_its_own_largest_granularity(
    cloud_collector: CloudCollector,
) -> None:
    collected = cloud_collector.collect(metric("port.drops", 0))
    assert collected == whole("port-1", "port-2", "port-fine-1", "port-fine-2")
    aggregates = [line for line in cloud_collector.requests() if "/v1/aggregates" in line]
    assert sorted(line.partition("granularity=")[2].partition('"')[0] for line in aggregates) == [
        "300", "3600",
    ]  # fmt: skip
    [exclusion] = cloud_collector.last_exclusions()
    assert exclusion.resource == cloud_collector.id("port-sevens")
    assert "3600 s" in exclusion.reason


def test_usage_of_two_requests_under_equal_labels_adds_up(cloud_collector: CloudCollector) -> None:
    scope = cloud_collector.cloud.project_ids["policies"]
    window = Window(cloud_collector.plan.begin, HOUR, 2)
    [series] = cloud_collector.collector.collect(
        metric("port.drops", 0, "project_id"), window, [scope]
    )
    assert series.groupby == {"project_id": scope}
    assert [quantity for _, quantity in series.points] == [Decimal(7 + 8 + 9 + 10)] * 2


def test_one_granularity_in_use_is_one_request(cloud_collector: CloudCollector) -> None:
    assert cloud_collector.collect(metric("share.size", 0))
    cloud_collector.requests()
    assert cloud_collector.collect(metric("share.size", 0), 2)
    assert len(cloud_collector.requests()) == 1


def test_expired_usage_is_an_error_and_never_zero(cloud_collector: CloudCollector) -> None:
    snapshots = metric("snapshot.size", 300)
    with pytest.raises(errors.OperatorError) as caught:
        cloud_collector.collect(snapshots)
    resource = cloud_collector.id("snapshot-brief")
    for fact in ("'brief'", "300 s", "'snapshot.size'", "3 h", resource, "--allow-expired"):
        assert fact in str(caught.value)
    # Other projects are collected.
    assert cloud_collector.collect(snapshots, projects=["demo-01"]) == {}


def test_allow_expired_rates_the_remaining_data(
    cloud_collector: CloudCollector, caplog: pytest.LogCaptureFixture
) -> None:
    cloud_collector.collector = cloud_collector.make(allow_expired=True)
    assert cloud_collector.collect(metric("snapshot.size", 300)) == whole("snapshot-1")
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "--allow-expired" in record.getMessage()


def test_a_metric_without_recent_measures_still_has_its_aggregates(
    cloud_collector: CloudCollector,
) -> None:
    collected = cloud_collector.collect(metric("archive.size", 300))
    assert collected == whole("archive-stopped")


def test_a_short_window_costs_one_request_and_one_search_when_policies_are_known(
    cloud_collector: CloudCollector,
) -> None:
    instances = dataclasses.replace(
        metric("cpu", 300),
        extra_args=GnocchiArgs("instance", aggregation_method="mean", force_granularity=300),
    )
    assert cloud_collector.collect(instances, 40)
    cloud_collector.requests()
    assert cloud_collector.collect(instances, 42)
    assert ["/v1/aggregates" in line for line in cloud_collector.requests()] == [True, False]


def test_an_inspection_finds_what_rating_would_exclude(cloud_collector: CloudCollector) -> None:
    findings = cloud_collector.collector.inspect(metric("share.size", 300))
    by_check = {finding.check: finding for finding in findings}
    assert by_check["resource type"].verdict is Severity.OK
    assert by_check["attributes"].verdict is Severity.OK
    assert by_check["metrics"].detail.startswith("6 ")
    assert "'share.size'" in by_check["metrics"].detail
    assert by_check["archive policy ratekit"].verdict is Severity.OK
    assert by_check["archive policy ratekit"].detail.startswith("3 metrics")
    assert "300 s" in by_check["archive policy ratekit"].detail
    assert by_check["archive policy hourly"].verdict is Severity.ERROR
    assert by_check["archive policy extremes"].verdict is Severity.ERROR
    assert by_check["newest measure"].verdict is Severity.OK
    assert by_check["backlog"].verdict is Severity.OK


def test_the_collector_is_ready_without_a_backlog(cloud_collector: CloudCollector) -> None:
    conf = configuration.load_for_rating(
        "functional", ["--config-file", str(cloud_collector.cloud.conf_path)]
    )
    collector = GnocchiCollector(open_client(conf), "project_id", HOUR, 2 * HOUR, max_backlog=0)
    assert collector.not_ready() is None

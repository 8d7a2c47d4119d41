"""Resources whose archive policies are at fault, or forgetful, on a real Gnocchi.

They are those of tests/stack/unusual_policies.py.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest

from ratekit import errors
from ratekit.cmd import configuration
from ratekit.collectors.gnocchi.api.connect import open_client
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.findings import Severity
from ratekit.domain.usage.metric import Metric, Mutate
from tests import stack

HOUR = datetime.timedelta(hours=1)
NUMBERS = {
    "share-1": 1, "share-2": 2, "share-3": 3, "share-hourly": 4, "share-extremes": 5,
    "share-gone": 6, "port-1": 7, "port-2": 8, "port-fine-1": 9, "port-fine-2": 10,
    "port-sevens": 11, "snapshot-1": 12, "snapshot-brief": 13, "archive-stopped": 14,
}  # fmt: skip


def metric(name: str, granularity: int, resource_key: str = "id") -> Metric:
    return Metric(
        name=name,
        public_name=name,
        unit="GB",
        factor=Fraction(1),
        offset=Fraction(0),
        groupby=(),
        metadata=(),
        mutate=Mutate.NONE,
        extra_args=GnocchiArgs(
            name.partition(".")[0],
            resource_key=resource_key,
            aggregation_method="mean",
            force_granularity=granularity,
        ),
    )


class Bench:
    """A collector on the real Gnocchi, and what it asked."""

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
        of: Metric,
        first: int = 0,
        count: int = 2,
        projects: Sequence[str] = ("policies", "demo-01"),
    ) -> dict[str, dict[int, Decimal]]:
        """Name of the resource -> hour -> quantity."""
        names = {str(one.id): one.name for one in self.plan.resources}
        scopes = [self.cloud.project_ids[project] for project in projects]
        window = Window(self.plan.begin + first * HOUR, HOUR, count)
        self._last = of, window, scopes
        return {
            names.get(one.groupby.get("id") or "", "all"): {
                (begin - self.plan.begin) // HOUR: quantity for begin, quantity in one.points
            }
            for one in self.collector.collect(of, window, scopes)
        }

    def left_out(self) -> Sequence[Exclusion]:
        """What was not rated last time although it should be."""
        return self.collector.exclusions(*self._last)

    def requests(self) -> list[str]:
        """Requests since the last call; ``caplog`` is at DEBUG for keystoneauth."""
        lines = [
            record.getMessage()
            for record in self._caplog.records
            if record.name.startswith("keystoneauth.session") and "curl" in record.getMessage()
        ]
        self._caplog.clear()
        return [line for line in lines if "/v1/" in line]


@pytest.fixture
def bench(cloud: stack.Stack, caplog: pytest.LogCaptureFixture) -> Bench:
    caplog.set_level(logging.DEBUG, "keystoneauth")
    return Bench(cloud, caplog)


def whole(*names: str, hours: Sequence[int] = (0, 1)) -> dict[str, dict[int, Decimal]]:
    return {name: {hour: Decimal(NUMBERS[name]) for hour in hours} for name in names}


def test_the_rest_is_rated_and_the_resources_at_fault_are_named_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    shares = metric("share.size", 300)
    # What is gone since the first hour is nobody's concern.
    assert bench.collect(shares, 2) == whole("share-1", "share-2", "share-3", hours=(2, 3))
    texts = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    requests = bench.requests()
    assert len(requests) <= 1 + 1 + 10, requests
    hourly, extremes = bench.id("share-hourly"), bench.id("share-extremes")
    assert len(texts) == 2
    [hourly_text] = [text for text in texts if hourly in text]
    for fact in ("'share.size'", "'hourly'", "granularity of 300 s"):
        assert fact in hourly_text
    [extremes_text] = [text for text in texts if extremes in text]
    for fact in ("'share.size'", "'extremes'", "aggregation method 'mean'"):
        assert fact in extremes_text
    scope = bench.cloud.project_ids["policies"]
    assert {(one.scope, one.metric, one.resource) for one in bench.left_out()} == {
        (scope, "share.size", hourly), (scope, "share.size", extremes),
    }  # fmt: skip
    # The next batch asks right the first time.
    assert bench.collect(shares, 4) == whole("share-1", "share-2", "share-3", hours=(4, 5))
    assert ["/v1/aggregates" in line for line in bench.requests()] == [True]
    assert not [record for record in caplog.records if record.levelno == logging.ERROR]


def test_a_metric_that_no_resource_has_as_asked_for_is_held(bench: Bench) -> None:
    with pytest.raises(errors.OperatorError) as caught:
        bench.collect(metric("backup.size", 300))
    for fact in ("2 ", "'hourly'", "300 s", "3600 s"):
        assert fact in str(caught.value)
    assert not bench.left_out()
    assert bench.collect(metric("backup.size", 300), projects=["demo-01"]) == {}


def test_each_archive_policy_is_asked_for_its_own_largest_granularity(bench: Bench) -> None:
    found = bench.collect(metric("port.drops", 0))
    assert found == whole("port-1", "port-2", "port-fine-1", "port-fine-2")
    aggregates = [line for line in bench.requests() if "/v1/aggregates" in line]
    assert sorted(line.partition("granularity=")[2].partition('"')[0] for line in aggregates) == [
        "300", "3600",
    ]  # fmt: skip
    [left_out] = bench.left_out()
    assert left_out.resource == bench.id("port-sevens")
    assert "3600 s" in left_out.reason


def test_what_comes_from_two_requests_under_equal_labels_adds_up(bench: Bench) -> None:
    scope = bench.cloud.project_ids["policies"]
    window = Window(bench.plan.begin, HOUR, 2)
    [one] = bench.collector.collect(metric("port.drops", 0, "project_id"), window, [scope])
    assert one.groupby == {"project_id": scope}
    assert [quantity for _, quantity in one.points] == [Decimal(7 + 8 + 9 + 10)] * 2


def test_one_granularity_in_use_is_one_request(bench: Bench) -> None:
    assert bench.collect(metric("share.size", 0))
    bench.requests()
    assert bench.collect(metric("share.size", 0), 2)
    assert len(bench.requests()) == 1


def test_usage_that_gnocchi_has_forgotten_is_held_and_never_zero(bench: Bench) -> None:
    snapshots = metric("snapshot.size", 300)
    with pytest.raises(errors.OperatorError) as caught:
        bench.collect(snapshots)
    resource = bench.id("snapshot-brief")
    for fact in ("'brief'", "300 s", "'snapshot.size'", "3:00:00", resource, "--allow-expired"):
        assert fact in str(caught.value)
    # Others are not held.
    assert bench.collect(snapshots, projects=["demo-01"]) == {}


def test_an_operator_may_have_what_is_there_rated(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.collector = bench.make(allow_expired=True)
    assert bench.collect(metric("snapshot.size", 300)) == whole("snapshot-1")
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "--allow-expired" in record.getMessage()


def test_what_was_measured_no_more_in_time_is_still_kept(bench: Bench) -> None:
    found = bench.collect(metric("archive.size", 300))
    assert found == whole("archive-stopped")


def test_a_normal_window_costs_one_request_beyond_what_is_known_of_policies(bench: Bench) -> None:
    instances = dataclasses.replace(
        metric("cpu", 300),
        extra_args=GnocchiArgs("instance", aggregation_method="mean", force_granularity=300),
    )
    assert bench.collect(instances, 40)
    bench.requests()
    assert bench.collect(instances, 42)
    assert ["/v1/aggregates" in line for line in bench.requests()] == [True]


def test_an_inspection_finds_what_rating_would_stumble_over(bench: Bench) -> None:
    found = bench.collector.inspect(metric("share.size", 300))
    by_what = {one.check: one for one in found}
    assert by_what["resource type"].verdict is Severity.OK
    assert by_what["attributes"].verdict is Severity.OK
    assert by_what["metrics"].detail.startswith("6 ")
    assert "'share.size'" in by_what["metrics"].detail
    assert by_what["archive policy ratekit"].verdict is Severity.OK
    assert by_what["archive policy ratekit"].detail.startswith("3 metrics")
    assert "300 s" in by_what["archive policy ratekit"].detail
    assert by_what["archive policy hourly"].verdict is Severity.ERROR
    assert by_what["archive policy extremes"].verdict is Severity.ERROR
    assert by_what["newest measure"].verdict is Severity.OK
    assert by_what["backlog"].verdict is Severity.OK


def test_nothing_waits_for_metricd_here(bench: Bench) -> None:
    conf = configuration.load_for_rating(
        "functional", ["--config-file", str(bench.cloud.conf_path)]
    )
    collector = GnocchiCollector(open_client(conf), "project_id", HOUR, 2 * HOUR, max_backlog=0)
    assert collector.not_ready() is None

"""Coverage of a scope's periods on the real cloud, and the resources excluded from them."""

from __future__ import annotations

import datetime
import pathlib
from collections import Counter

import pytest

from ratekit import composition, concurrency
from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import Kind, cells
from ratekit.domain.reporting.reports import ALL_SCOPES
from tests import stack
from tests.builders import HOUR
from tests.functional.conftest import Deployment, sqlite_url

SHARES = """
  share.size:
    unit: GB
    groupby: [id]
    extra_args: {resource_type: share, aggregation_method: mean, force_granularity: 300}
"""
PORTS = """
  port.drops:
    unit: drops
    groupby: [id]
    extra_args: {resource_type: port, aggregation_method: mean, force_granularity: 0}
"""
NOTHING = """
  share.nothing:
    unit: GB
    extra_args: {resource_type: share, aggregation_method: mean, force_granularity: 300}
"""


class PolicyDeployment(Deployment):
    """Rates the project whose resources have unusual archive policies."""

    def __init__(self, cloud: stack.Stack, folder: pathlib.Path) -> None:
        super().__init__(cloud, sqlite_url(cloud, folder))
        self.scope = cloud.project_ids["policies"]
        self._metrics = folder / "metrics.yml"
        self.configure("fetcher", backend="static")
        self.configure("fetcher_static", scopes=[self.scope])
        self.configure("collect", metrics_conf=str(self._metrics))

    def measure(self, *metrics: str) -> None:
        """Replace metrics.yml, as a reload does."""
        self._metrics.write_text("metrics:" + "".join(metrics))
        if self._parts is not None:
            settings = composition.read_settings(self.conf, concurrency.side_by_side)
            self._parts.orchestrator.adopt(settings)

    def id(self, name: str) -> str:
        return str(self.plan.resource(name).id)


@pytest.fixture
def deployment(cloud: stack.Stack, tmp_path: pathlib.Path) -> PolicyDeployment:
    return PolicyDeployment(cloud, tmp_path)


def test_each_period_has_points_or_is_silent_or_not_configured(
    deployment: PolicyDeployment,
) -> None:
    begin = deployment.plan.begin
    due = 2 * HOUR + datetime.timedelta(seconds=1)
    deployment.measure(SHARES, NOTHING)
    deployment.rate(begin + 3 * HOUR + due)
    deployment.measure(SHARES, PORTS)
    deployment.rate(begin + 5 * HOUR + due)
    facts = deployment.storage.reports.coverage(deployment.scope, begin - HOUR, begin + 8 * HOUR)
    coverage = cells(facts, Window(begin - HOUR, HOUR, 9))
    frames = Counter((frame.metric, frame.begin) for frame in deployment.frames())
    assert set(coverage) == {"share.size", "share.nothing", "port.drops"}
    for metric, line in coverage.items():
        for cell in line:
            assert cell.points == frames[metric, cell.begin]
    assert frames["share.size", begin] >= 3
    kinds = {metric: [cell.kind for cell in line] for metric, line in coverage.items()}
    unrated = [Kind.NOT_RATED] * 2
    assert kinds == {
        "share.size": [Kind.BEFORE, *[Kind.POINTS] * 6, *unrated],
        "share.nothing": [Kind.BEFORE, *[Kind.SILENT] * 4, *[Kind.NOT_CONFIGURED] * 2, *unrated],
        "port.drops": [Kind.BEFORE, *[Kind.NOT_CONFIGURED] * 4, *[Kind.POINTS] * 2, *unrated],
    }


def test_excluded_resources_are_stored_with_their_periods(
    deployment: PolicyDeployment,
) -> None:
    begin = deployment.plan.begin
    deployment.measure(SHARES)
    deployment.rate(begin + 3 * HOUR)
    assert deployment.storage.reports.scopes(ALL_SCOPES)[0].rated_until > begin
    deployment.rate(begin + 6 * HOUR)
    until = deployment.storage.reports.scopes(ALL_SCOPES)[0].rated_until
    facts = deployment.storage.reports.coverage(deployment.scope, begin, until)
    exclusions = {(span.exclusion.resource, span.begin, span.end) for span in facts.exclusions}
    assert {
        (deployment.id("share-hourly"), begin, until),
        (deployment.id("share-extremes"), begin, until),
    } <= exclusions
    assert {resource for resource, _, _ in exclusions}.isdisjoint(
        {str(frame.groupby["id"]) for frame in deployment.frames()}
    )

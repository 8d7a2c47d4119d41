"""What is told of each period of a scope, on the real cloud, and of what was left out of it."""

from __future__ import annotations

import datetime
import pathlib
from collections import Counter

import pytest

from ratekit import composition, concurrency
from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import Kind, cells
from tests import stack
from tests.functional.conftest import Office, sqlite_url

HOUR = datetime.timedelta(hours=1)
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


class OddOffice(Office):
    """Rates the project with resources whose archive policies are at fault."""

    def __init__(self, cloud: stack.Stack, folder: pathlib.Path) -> None:
        super().__init__(cloud, sqlite_url(cloud, folder))
        self.scope = cloud.project_ids["policies"]
        self._metrics = folder / "metrics.yml"
        self.configure("fetcher", backend="static")
        self.configure("fetcher_static", scopes=[self.scope])
        self.configure("collect", metrics_conf=str(self._metrics))

    def measure(self, *metrics: str) -> None:
        """Put another metrics.yml in force, as a reload does."""
        self._metrics.write_text("metrics:" + "".join(metrics))
        if self._parts is not None:
            settings = composition.read_settings(self.conf, concurrency.side_by_side)
            self._parts.orchestrator.adopt(settings)

    def id(self, name: str) -> str:
        return str(self.plan.resource(name).id)


@pytest.fixture
def office(cloud: stack.Stack, tmp_path: pathlib.Path) -> OddOffice:
    return OddOffice(cloud, tmp_path)


def test_each_period_is_used_or_silent_or_was_not_asked_for(office: OddOffice) -> None:
    begin = office.plan.begin
    due = 2 * HOUR + datetime.timedelta(seconds=1)
    office.measure(SHARES, NOTHING)
    office.rate(begin + 3 * HOUR + due)
    office.measure(SHARES, PORTS)
    office.rate(begin + 5 * HOUR + due)
    facts = office.storage.reports.coverage(office.scope, begin - HOUR, begin + 8 * HOUR)
    shown = cells(facts, Window(begin - HOUR, HOUR, 9))
    frames = Counter((one.metric, one.begin) for one in office.frames())
    assert set(shown) == {"share.size", "share.nothing", "port.drops"}
    for metric, line in shown.items():
        for cell in line:
            assert cell.points == frames[metric, cell.begin]
    assert frames["share.size", begin] >= 3
    kinds = {metric: [cell.kind for cell in line] for metric, line in shown.items()}
    rest = [Kind.NOT_RATED] * 2
    assert kinds == {
        "share.size": [Kind.BEFORE, *[Kind.POINTS] * 6, *rest],
        "share.nothing": [Kind.BEFORE, *[Kind.SILENT] * 4, *[Kind.NOT_CONFIGURED] * 2, *rest],
        "port.drops": [Kind.BEFORE, *[Kind.NOT_CONFIGURED] * 4, *[Kind.POINTS] * 2, *rest],
    }


def test_resources_that_are_left_out_are_kept_with_their_periods(office: OddOffice) -> None:
    begin = office.plan.begin
    office.measure(SHARES)
    office.rate(begin + 3 * HOUR)
    assert office.storage.reports.scopes()[0].rated_until > begin
    office.rate(begin + 6 * HOUR)
    until = office.storage.reports.scopes()[0].rated_until
    facts = office.storage.reports.coverage(office.scope, begin, until)
    found = {(span.exclusion.resource, span.begin, span.end) for span in facts.exclusions}
    assert {
        (office.id("share-hourly"), begin, until),
        (office.id("share-extremes"), begin, until),
    } <= found
    assert {one for one, _, _ in found}.isdisjoint(
        {str(one.groupby["id"]) for one in office.frames()}
    )

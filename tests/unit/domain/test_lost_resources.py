"""What counts as lost when labels, lengths of periods and metrics are not what they were."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ratekit.domain.lost import lost
from ratekit.domain.reports import FrameRow
from ratekit.domain.series import RatedSeries, Series
from tests.contract.given import HOUR, hour

ONE = Decimal(1)
Labels = dict[str, str | None]


def frame(labels: Labels, begin: float = 0) -> FrameRow:
    """Return a usage that was charged for."""
    return FrameRow(hour(0) + begin * HOUR, "a", "cpu", "u", ONE, ONE, labels, {})


def usage(labels: Labels, *begins: int) -> RatedSeries:
    """Return what is collected now, by default in the first hour."""
    points = [(hour(begin), ONE) for begin in begins or (0,)]
    return RatedSeries(Series("a", "cpu", "u", labels, {}, points), [ONE] * len(points))


def words(stored: list[FrameRow], collected: list[RatedSeries]) -> list[str]:
    """Return why periods are kept."""
    return list(lost(stored, collected, HOUR, ("cpu",)).values())


R1: Labels = {"id": "r1", "project_id": "a"}
R2: Labels = {"id": "r2", "project_id": "a"}


@pytest.mark.parametrize(
    "now",
    [
        pytest.param({"id": "r1", "project_id": "a", "user": "u"}, id="one more"),
        pytest.param({"id": "r1"}, id="one less"),
        pytest.param({"id": "r1", "user": "u"}, id="another"),
    ],
)
def test_a_lost_resource_is_noticed_although_labels_have_changed(now: Labels) -> None:
    gone = "not there any more: cpu of id=r2 project_id=a"
    assert words([frame(R1), frame(R2)], [usage(now)]) == [gone]


def test_without_a_label_in_common_only_the_metric_tells() -> None:
    assert words([frame(R1), frame(R2)], [usage({"uuid": "x"})]) == []
    assert words([frame(R1)], [usage({"uuid": "x"}, 1)]) == ["not there any more: cpu"]


def test_usage_that_has_fewer_labels_does_not_stand_for_a_resource() -> None:
    """Two metrics of the same public name."""
    now = [usage({**R1, "user": "u"}), usage({"project_id": "a"})]
    gone = "not there any more: cpu of id=r2 project_id=a"
    assert words([frame(R2)], now) == [gone]


def test_frames_of_shorter_periods_are_found_in_the_period_that_they_are_in() -> None:
    stored = [frame(R1, 0.5), frame(R2, 1.5)]
    assert lost(stored, [usage(R1, 0, 1)], HOUR, ("cpu",)) == {
        hour(1): "not there any more: cpu of id=r2 project_id=a"
    }

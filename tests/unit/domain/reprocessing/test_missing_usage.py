"""What was charged for and is not there any more: usage, and labels that prices hang on."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.missing_usage import lost
from ratekit.domain.series import RatedSeries, Series

BEGIN = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
NOBODY: Mapping[str, str | None] = {}
SMALL = {"flavor": "m1"}


def frame(price: str, metadata: Mapping[str, str | None] = NOBODY, **groupby: str) -> FrameRow:
    return FrameRow(BEGIN, "p", "vm", "u", Decimal(1), Decimal(price), groupby, metadata)


def usage(price: str, metadata: Mapping[str, str | None] = NOBODY, **groupby: str) -> RatedSeries:
    series = Series("p", "vm", "u", groupby, metadata, [(BEGIN, Decimal(1))])
    return RatedSeries(series, [Decimal(price)])


def told(stored: list[FrameRow], collected: list[RatedSeries]) -> str | None:
    found = lost(stored, collected, HOUR, ["vm"])
    return found[BEGIN].removeprefix("not there any more: ") if found else None


FREE = "label flavor of vm, without which it costs nothing"


def test_a_label_without_which_usage_costs_nothing_is_named() -> None:
    assert told([frame("0.14", SMALL, id="r1")], [usage("0", id="r1")]) == FREE


def test_a_label_that_told_usages_apart_is_named_as_well() -> None:
    assert told([frame("0.14", id="r1", flavor="m1")], [usage("0", id="r1")]) == FREE


def test_several_labels_are_named_together() -> None:
    stored = frame("1", {"flavor": "m1", "az": "a", "host": None}, id="r1")
    assert told([stored], [usage("0", {"host": None}, id="r1")]) == (
        "labels az and flavor of vm, without which it costs nothing"
    )


@pytest.mark.parametrize(
    ("stored", "collected"),
    [
        # It costs something all the same, or cost nothing before.
        (frame("0.14", SMALL, id="r1"), [usage("0.01", id="r1")]),
        (frame("0", SMALL, id="r1"), [usage("0", id="r1")]),
        # No label is gone: the price is.
        (frame("0.14", SMALL, id="r1"), [usage("0", SMALL, id="r1")]),
        (frame("0.14", SMALL, id="r1"), [usage("0", id="r1", flavor="m1")]),
        # All usages with its labels count.
        (frame("0.14", SMALL, id="r1"), [usage("0.2", id="r1"), usage("0", id="r1")]),
        (frame("0.14", id="r1", flavor="m1"), [usage("0.1", id="r1")]),
        (frame("0.14", id="r1", p="p"), [usage("0.1", uuid="r9", p="p")]),
    ],
)
def test_what_costs_something_or_has_its_labels_is_no_loss(
    stored: FrameRow, collected: list[RatedSeries]
) -> None:
    assert told([stored], collected) is None


def test_what_others_cost_is_no_excuse() -> None:
    stored = [frame("0.14", SMALL, id="r1"), frame("3", {"flavor": "m2"}, id="r2")]
    assert told(stored, [usage("0", id="r1"), usage("3", id="r2")]) == FREE
    # Nor where it has another set of labels.
    others = [usage("0", id="r1"), usage("3", node="n1")]
    assert told([frame("0.14", SMALL, id="r1")], others) == FREE
    assert told([frame("0.14", id="r1", flavor="m1")], others) == FREE
    assert told([frame("0.14", id="r2")], others) == "vm of id=r2"


def test_of_labels_that_have_other_names_those_that_stayed_tell_what_is_gone() -> None:
    stored = [frame("1", id="r1", flavor="m1"), frame("1", id="r2", flavor="m1")]
    assert told(stored, [usage("1", id="r1")]) == "vm of flavor=m1 id=r2"


def test_without_a_label_in_common_only_the_metric_tells() -> None:
    assert told([frame("1", id="r1")], [usage("1", uuid="x")]) is None
    assert told([frame("1", id="r1")], []) == "vm"


R1: dict[str, Any] = {"id": "r1", "project_id": "p"}
R2: dict[str, Any] = {"id": "r2", "project_id": "p"}


@pytest.mark.parametrize(
    "now",
    [
        pytest.param({"id": "r1", "project_id": "p", "user": "u"}, id="one more"),
        pytest.param({"id": "r1"}, id="one less"),
        pytest.param({"id": "r1", "user": "u"}, id="another"),
    ],
)
def test_a_lost_resource_is_noticed_although_labels_have_changed(now: dict[str, Any]) -> None:
    stored = [frame("1", **R1), frame("1", **R2)]
    assert told(stored, [usage("1", **now)]) == "vm of id=r2 project_id=p"


def test_usage_that_has_fewer_labels_does_not_stand_for_a_resource() -> None:
    """Two metrics of the same public name."""
    now = [usage("1", user="u", **R1), usage("1", project_id="p")]
    assert told([frame("1", **R2)], now) == "vm of id=r2 project_id=p"


def test_frames_of_shorter_periods_are_found_in_the_period_that_they_are_in() -> None:
    stored = [
        dataclasses.replace(frame("1", **R1), begin=BEGIN + HOUR / 2),
        dataclasses.replace(frame("1", **R2), begin=BEGIN + 3 * HOUR / 2),
    ]
    points = [(BEGIN, Decimal(1)), (BEGIN + HOUR, Decimal(1))]
    now = RatedSeries(Series("p", "vm", "u", R1, {}, points), [Decimal(1)] * 2)
    assert lost(stored, [now], HOUR, ["vm"]) == {
        BEGIN + HOUR: "not there any more: vm of id=r2 project_id=p"
    }

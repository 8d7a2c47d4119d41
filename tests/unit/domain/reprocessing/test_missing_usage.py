"""Charged usage, and labels that its price depends on, that the back end no longer has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.missing_usage import find_missing_usage
from ratekit.domain.series import RatedSeries, Series
from tests.builders import HOUR, MONTH

NO_LABELS: Mapping[str, str | None] = {}
SMALL = {"flavor": "m1"}


def frame(price: str, metadata: Mapping[str, str | None] = NO_LABELS, **groupby: str) -> FrameRow:
    return FrameRow(MONTH, "p", "vm", "u", Decimal(1), Decimal(price), groupby, metadata)


def usage(
    price: str, metadata: Mapping[str, str | None] = NO_LABELS, **groupby: str
) -> RatedSeries:
    series = Series("p", "vm", "u", groupby, metadata, [(MONTH, Decimal(1))])
    return RatedSeries(series, [Decimal(price)])


def missing_usage(stored: list[FrameRow], collected: list[RatedSeries]) -> str | None:
    reasons = find_missing_usage(stored, collected, HOUR, ["vm"])
    return reasons[MONTH].removeprefix("no longer available: ") if reasons else None


FREE = "label flavor of vm, without which it costs nothing"


def test_a_label_without_which_usage_costs_nothing_is_named() -> None:
    assert missing_usage([frame("0.14", SMALL, id="r1")], [usage("0", id="r1")]) == FREE


def test_a_label_that_identified_the_usage_is_named_too() -> None:
    assert missing_usage([frame("0.14", id="r1", flavor="m1")], [usage("0", id="r1")]) == FREE


def test_several_labels_are_named_together() -> None:
    stored = frame("1", {"flavor": "m1", "az": "a", "host": None}, id="r1")
    assert missing_usage([stored], [usage("0", {"host": None}, id="r1")]) == (
        "labels az and flavor of vm, without which it costs nothing"
    )


@pytest.mark.parametrize(
    ("stored", "collected"),
    [
        # It has a price now, or had none before.
        (frame("0.14", SMALL, id="r1"), [usage("0.01", id="r1")]),
        (frame("0", SMALL, id="r1"), [usage("0", id="r1")]),
        # No label is missing, only the price.
        (frame("0.14", SMALL, id="r1"), [usage("0", SMALL, id="r1")]),
        (frame("0.14", SMALL, id="r1"), [usage("0", id="r1", flavor="m1")]),
        # All usages with its labels count.
        (frame("0.14", SMALL, id="r1"), [usage("0.2", id="r1"), usage("0", id="r1")]),
        (frame("0.14", id="r1", flavor="m1"), [usage("0.1", id="r1")]),
        (frame("0.14", id="r1", p="p"), [usage("0.1", uuid="r9", p="p")]),
    ],
)
def test_usage_that_has_a_price_or_all_its_labels_is_not_missing(
    stored: FrameRow, collected: list[RatedSeries]
) -> None:
    assert missing_usage([stored], collected) is None


def test_the_price_of_other_usages_does_not_count() -> None:
    stored = [frame("0.14", SMALL, id="r1"), frame("3", {"flavor": "m2"}, id="r2")]
    assert missing_usage(stored, [usage("0", id="r1"), usage("3", id="r2")]) == FREE
    # Nor if those have another set of labels.
    other_usages = [usage("0", id="r1"), usage("3", node="n1")]
    assert missing_usage([frame("0.14", SMALL, id="r1")], other_usages) == FREE
    assert missing_usage([frame("0.14", id="r1", flavor="m1")], other_usages) == FREE
    assert missing_usage([frame("0.14", id="r2")], other_usages) == "vm of id=r2"


def test_after_labels_were_renamed_the_remaining_ones_identify_what_is_missing() -> None:
    stored = [frame("1", id="r1", flavor="m1"), frame("1", id="r2", flavor="m1")]
    assert missing_usage(stored, [usage("1", id="r1")]) == "vm of flavor=m1 id=r2"


def test_without_a_label_in_common_only_the_metric_counts() -> None:
    assert missing_usage([frame("1", id="r1")], [usage("1", uuid="x")]) is None
    assert missing_usage([frame("1", id="r1")], []) == "vm"


R1: dict[str, Any] = {"id": "r1", "project_id": "p"}
R2: dict[str, Any] = {"id": "r2", "project_id": "p"}


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"id": "r1", "project_id": "p", "user": "u"}, id="one label more"),
        pytest.param({"id": "r1"}, id="one label less"),
        pytest.param({"id": "r1", "user": "u"}, id="another label"),
    ],
)
def test_a_missing_resource_is_found_although_labels_have_changed(labels: dict[str, Any]) -> None:
    stored = [frame("1", **R1), frame("1", **R2)]
    assert missing_usage(stored, [usage("1", **labels)]) == "vm of id=r2 project_id=p"


def test_usage_with_fewer_labels_does_not_count_as_a_resource() -> None:
    """Two metrics of the same public name."""
    collected = [usage("1", user="u", **R1), usage("1", project_id="p")]
    assert missing_usage([frame("1", **R2)], collected) == "vm of id=r2 project_id=p"


def test_frames_of_shorter_periods_are_found_in_the_period_that_they_are_in() -> None:
    stored = [
        dataclasses.replace(frame("1", **R1), begin=MONTH + HOUR / 2),
        dataclasses.replace(frame("1", **R2), begin=MONTH + 3 * HOUR / 2),
    ]
    points = [(MONTH, Decimal(1)), (MONTH + HOUR, Decimal(1))]
    collected = RatedSeries(Series("p", "vm", "u", R1, {}, points), [Decimal(1)] * 2)
    assert find_missing_usage(stored, [collected], HOUR, ["vm"]) == {
        MONTH + HOUR: "no longer available: vm of id=r2 project_id=p"
    }


def test_excluded_usage_is_told_apart_from_usage_that_is_gone() -> None:
    stored = [frame("1", id="r1"), frame("1", id="r2")]
    disk = dataclasses.replace(frame("1", id="r3"), metric="disk")
    exclusions = [
        Exclusion("p", "vm", "r1", "its quantity is 1e+400", "correct it"),
        Exclusion("p", "vm", "id=r4", "unused", "correct it"),
        Exclusion("p", "disk", "r1", "of another resource", "correct it"),
    ]
    reasons = find_missing_usage(
        [*stored, disk], [usage("1", id="r2")], HOUR, ["vm", "disk"], exclusions
    )
    assert reasons == {
        MONTH: "excluded from rating: vm of id=r1: its quantity is 1e+400; "
        "no longer available: disk"
    }

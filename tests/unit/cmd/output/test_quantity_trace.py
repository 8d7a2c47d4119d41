"""How ratekit explain shows the calculation of a quantity, on a fake of Gnocchi."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit import errors
from ratekit.cmd.output import quantity_trace
from ratekit.cmd.output.cells import Cell
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.reprocessing.task import (
    Charge,
    Order,
    PeriodOutcome,
    PeriodRecord,
    Swap,
    Task,
    TaskKind,
    TaskNote,
)
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.scope import Scope
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.interfaces import Collector
from tests.fakes import Resource
from tests.unit.collectors.gnocchi.test_response import (
    HOUR,
    MINUTE,
    SIX,
    collector,
    instance,
    metric,
)

#: A key that several resources may have in common.
ARGS = GnocchiArgs(
    "instance", aggregation_method="mean", force_granularity=300, resource_key="vcpus"
)
OF = metric(args=ARGS)
#: Twenty minutes of the old flavor, then the new one; a value every five minutes.
RESIZED = instance(
    "r1", [(-600, "p1", "a"), (20, "p1", "b")], {5 * number: 6.0 for number in range(12)}
)


def frame(quantity: str, flavor: str = "a", begin_minute: int = 0) -> FrameRow:
    return FrameRow(
        begin=SIX + begin_minute * MINUTE,
        scope="p1",
        metric="instance",
        unit="h",
        quantity=Decimal(quantity),
        price=Decimal(0),
        groupby={"project_id": "p1", "vcpus": "1"},
        metadata={"flavor": flavor},
    )


def show(row: FrameRow, of: Metric, *cloud: Resource, collection: Swap | None = None) -> Cell:
    def source() -> tuple[Sequence[Metric], Collector]:
        return [of], collector(*cloud)

    return quantity_trace.cell(row, source, Calendar(HOUR, 2), collection)


def collection_at(minute: int) -> Swap:
    """A task that collected the hour again at ``minute`` after six."""
    at = SIX + minute * MINUTE
    order = Order(Scope("p1"), SIX, SIX + HOUR, HOUR, TaskKind.COLLECT)
    task = Task(7, order, TaskNote("late records", "bob@host", at), 1, SIX + HOUR)
    record = PeriodRecord(SIX, PeriodOutcome.SWAPPED, None, Charge(), Charge(), at)
    return Swap(task, record)


def test_values_are_reduced_converted_and_shared() -> None:
    of = dataclasses.replace(OF, factor=Fraction(1, 12), mutate=Mutate.CEIL)
    cell = show(frame("0.333333333333333333"), of, RESIZED)
    assert cell.text.splitlines() == [
        "mean of 6, 6, 6, 6 = 6; * 1/12 CEIL = 1; share 1/3 = 0.333333333333333333",
        "equals the stored quantity",
    ]
    assert cell.machine == {
        "steps": [
            {
                "values": ["6", "6", "6", "6"],
                "reducer": "mean",
                "value": "6",
                "conversion": "* 1/12 CEIL",
                "share": "1/3",
                "quantity": "0.333333333333333333",
            }
        ],
        "quantity": "0.333333333333333333",
        "records_until": None,
        "unavailable": None,
    }


def test_prorating_shows_in_the_share() -> None:
    deleted = instance("r1", [(-600, "p1", "a")], {0: 6.0, 5: 6.0, 10: 6.0, 15: 6.0})
    ended = dataclasses.replace(deleted.phases[0], ended_at=SIX + 20 * MINUTE)
    of = dataclasses.replace(OF, prorate=True)
    cell = show(frame("2"), of, dataclasses.replace(deleted, phases=[ended]))
    assert cell.text.splitlines() == [
        "mean of 6, 6, 6, 6 = 6; share 1/3 = 2",
        "equals the stored quantity",
    ]


def test_many_values_are_counted_and_resources_of_equal_labels_added_up() -> None:
    second = instance("r2", [(-600, "p1", "b")], {5 * number: 3.0 for number in range(12)})
    cell = show(frame("7", "b"), OF, RESIZED, second)
    assert cell.text.splitlines() == [
        "mean of 6, 6, 6, 6, 6, 6, 6, 6 = 6; share 2/3 = 4",
        "mean of 12 values = 3",
        "sum: 4 + 3 = 7",
        "equals the stored quantity",
    ]


def test_a_quantity_that_differs_today_is_reported() -> None:
    cell = show(frame("5", "b"), OF, RESIZED)
    assert cell.text.splitlines()[-1].startswith("stored: 5; measures, metrics.yml or")
    assert cell.machine["quantity"] == "4"


def test_usage_that_was_collected_again_follows_the_records_of_that_time() -> None:
    """Recorded at 08:30, so live rating did not charge 06:00; reprocessed at 12:00."""
    late = instance("r1", [(150, "p1", "b")], {5 * number: 6.0 for number in range(12)})
    cell = show(frame("6", "b"), OF, late, collection=collection_at(360))
    assert cell.text.splitlines() == [
        "mean of 12 values = 6",
        "by the records made before 2026-01-01T12:00:00Z, when task 7 collected it again",
        "equals the stored quantity",
    ]
    assert cell.machine["records_until"] == "2026-01-01T12:00:00Z"


def test_records_that_are_newer_than_the_collection_are_not_followed() -> None:
    late = instance("r1", [(150, "p1", "b")], {5 * number: 6.0 for number in range(12)})
    cell = show(frame("6", "b"), OF, late, collection=collection_at(140))
    assert cell.text == (
        "not available: the metering back end no longer has data of this frame; task 7 collected "
        "it again at 2026-01-01T08:20:00Z"
    )


def test_after_a_reset_the_records_of_live_rating_count_again() -> None:
    late = instance("r2", [(150, "p1", "b")], {5 * number: 3.0 for number in range(12)})
    cell = show(frame("4", "b"), OF, RESIZED, late, collection=collection_at(360))
    assert cell.text.splitlines() == [
        "mean of 6, 6, 6, 6, 6, 6, 6, 6 = 6; share 2/3 = 4",
        "equals the stored quantity",
    ]
    assert cell.machine["records_until"] is None


def test_a_missing_trace_is_a_line_with_the_reason() -> None:
    server = dataclasses.replace(OF, public_name="server")
    renamed = show(frame("5"), server, RESIZED)
    gone = show(frame("5", "c"), OF, RESIZED)
    off_grid = show(frame("5", begin_minute=30), OF, RESIZED)
    for cell, why in (
        (renamed, "metrics.yml no longer has a metric called 'instance'"),
        (gone, "the metering back end no longer has data of this frame"),
        (off_grid, "no period of 1 h starts at 2026-01-01T06:30:00Z; the nearest start at"),
    ):
        assert cell.text.startswith(f"not available: {why}")
        assert cell.machine["unavailable"].startswith(why)
        assert (cell.machine["quantity"], cell.machine["steps"]) == (None, [])


def test_an_error_of_many_lines_is_one_line_without_passwords() -> None:
    def source() -> tuple[Sequence[Metric], Collector]:
        raise errors.TryLater("http://me:secret@gnocchi does not\nanswer")

    cell = quantity_trace.cell(frame("5"), source, Calendar(HOUR, 2))
    assert cell.text == "not available: http://gnocchi does not answer"

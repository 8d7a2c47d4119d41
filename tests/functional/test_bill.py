"""The bill is right, to the last digit."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest

from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.connect import open_client
from ratekit.domain.reporting.reports import FrameRow, Selection
from tests.functional.conftest import METRICS, RATED, RULES, Office
from tests.functional.oracle import Bill, Oracle

UTC = datetime.UTC
HOUR = datetime.timedelta(hours=1)


def as_bill(frames: list[FrameRow]) -> Bill:
    """Frames in the oracle's form; fails on a frame that is there twice."""
    bill: Bill = {}
    for frame in frames:
        labels = tuple(sorted({**frame.groupby, **frame.metadata}.items()))
        key = (frame.scope, frame.begin, frame.metric, labels)
        assert key not in bill, f"charged twice: {key}"
        bill[key] = (frame.quantity, frame.price)
    return bill


def oracle(office: Office) -> Oracle:
    ids = {name: id_ for name, id_ in office.cloud.project_ids.items() if name in RATED}
    return Oracle.read(office.plan, ids, str(METRICS), str(RULES))


def test_every_frame_equals_the_one_worked_out_from_raw_measures(office: Office) -> None:
    outcome = office.rate()
    bill = oracle(office).bill()
    assert as_bill(office.frames()) == bill
    assert (outcome.frames, outcome.failed) == (len(bill), 0)
    assert {frame[2] for frame in bill} >= {"instance", "volume.size", "image.size", "ip.floating"}


def test_sums_in_reports_are_exact(office: Office) -> None:
    office.rate()
    bill = oracle(office).bill()
    expected: dict[tuple[str, str], tuple[Fraction, Fraction]] = {}
    for (scope, _, metric, _), (quantity, price) in bill.items():
        old = expected.get((scope, metric), (Fraction(0), Fraction(0)))
        expected[scope, metric] = (old[0] + Fraction(quantity), old[1] + Fraction(price))
    rows = office.storage.reports.summary(Selection(), ["scope", "metric"], UTC)
    assert {
        (row.group["scope"], row.group["metric"]): (
            Fraction(row.quantity or 0),
            Fraction(row.price),
        )
        for row in rows
    } == expected
    by_flavor = office.storage.reports.summary(
        Selection(metrics=("instance",)), ["flavor_name"], UTC
    )
    whole = sum((Fraction(row.price) for row in by_flavor), Fraction(0))
    assert whole == sum(
        (price for (_, metric), (_, price) in expected.items() if metric == "instance"),
        Fraction(0),
    )


def test_a_second_pass_writes_nothing(office: Office) -> None:
    office.rate()
    before = office.frames()
    again = office.rate()
    assert (again.frames, again.periods, again.failed) == (0, 0, 0)
    assert office.frames() == before


def test_hour_by_hour_gives_the_frames_of_one_catch_up(
    new_office: Callable[[], Office], caplog: pytest.LogCaptureFixture
) -> None:
    at_once, hourly = new_office(), new_office()
    with caplog.at_level("DEBUG", logger="keystoneauth"):
        at_once.rate()
    asked = [
        record.getMessage()
        for record in caplog.records
        if "/v1/aggregates" in record.getMessage() and "curl" in record.getMessage()
    ]
    for metric in ("cpu", "volume.size", "ip.floating"):
        assert 1 <= sum(f'"{metric}"' in line for line in asked) <= 12, metric
    written = []
    for begin in at_once.plan.hours():
        # The first moment at which the period that begins at ``begin`` is due.
        written.append(hourly.rate(begin + 2 * HOUR + datetime.timedelta(seconds=1)).frames)
    assert len(written) == 48
    assert as_bill(hourly.frames()) == as_bill(at_once.frames())
    assert sum(written) == len(at_once.frames())


def instance_hours(office: Office, name: str) -> dict[tuple[datetime.datetime, str], Decimal]:
    """(hour, flavor) -> quantity of one of the plan's instances."""
    resource = office.plan.resource(name)
    return {
        (frame.begin, str(frame.metadata["flavor_name"])): frame.quantity
        for frame in office.frames(metrics=("instance",))
        if frame.groupby["id"] == str(resource.id)
    }


def test_special_lives_of_instances(new_office: Callable[[], Office]) -> None:
    office = new_office()
    office.rate()
    turn = office.plan.turning_hour
    hours = set(office.plan.hours())
    one = Decimal(1)
    resized = instance_hours(office, "resized")
    third = Decimal("0.333333333333333333")
    assert (resized[turn, "m1.small"], resized[turn, "m1.large"]) == (third, one - third)
    assert all(
        resized[hour, "m1.small" if hour < turn else "m1.large"] == one for hour in hours - {turn}
    )
    assert len(resized) == 49
    assert instance_hours(office, "renamed") == {(hour, "m1.small"): one for hour in hours}
    for name, first, last in (
        ("deleted", office.plan.begin, turn),
        ("created", turn, office.plan.end - HOUR),
        ("late", turn - HOUR, office.plan.end - HOUR),
    ):
        charged = {(hour, "m1.small"): one for hour in hours if first <= hour <= last}
        assert instance_hours(office, name) == charged, name
    assert instance_hours(office, "silent") == {}


def test_a_late_record_is_told_from_a_resource_that_was_there_before(
    new_office: Callable[[], Office],
) -> None:
    office = new_office()
    late, resized = office.plan.resource("late"), office.plan.resource("resized")
    scope = office.cloud.project_ids["cases"]
    starts = {str(one.id): one.revisions[-1].begin for one in (late, resized)}
    client = open_client(office.conf)

    def older(scopes: list[str], start: datetime.datetime) -> dict[str, bool]:
        query = AggregateQuery(
            "cpu",
            "mean",
            "instance",
            "project_id",
            scopes,
            ["id"],
            start,
            office.plan.end,
            300,
            HOUR,
        )
        return client.older_revisions(query, starts)

    assert older([scope], office.plan.begin) == {str(resized.id): True}
    assert older(["somebody-else"], office.plan.begin) == {str(resized.id): False}
    assert older([scope], office.plan.turning_hour + HOUR) == {str(resized.id): False}

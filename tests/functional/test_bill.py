"""The bill is right, to the last digit."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest

from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.connect import open_client
from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow, Selection
from ratekit.domain.series import Shared
from tests.builders import HOUR
from tests.functional.conftest import FULL, METRICS, RATED, RULES, Deployment
from tests.functional.oracle import Bill, BillOracle

UTC = datetime.UTC


def as_bill(frames: list[FrameRow]) -> Bill:
    """Return frames as a bill; fail on a frame that is there twice."""
    bill: Bill = {}
    for frame in frames:
        labels = tuple(sorted({**frame.groupby, **frame.metadata}.items()))
        key = (frame.scope, frame.begin, frame.metric, labels)
        assert key not in bill, f"charged twice: {key}"
        bill[key] = (frame.quantity, frame.price)
    return bill


def oracle(deployment: Deployment) -> BillOracle:
    ids = {name: id_ for name, id_ in deployment.cloud.project_ids.items() if name in RATED}
    return BillOracle.read(deployment.plan, ids, str(METRICS), str(RULES))


def test_every_frame_equals_the_one_computed_from_raw_measures(deployment: Deployment) -> None:
    result = deployment.rate()
    bill = oracle(deployment).bill()
    assert as_bill(deployment.frames()) == bill
    assert (result.frames, result.failed_scopes) == (len(bill), 0)
    assert {frame[2] for frame in bill} >= {"instance", "volume.size", "image.size", "ip.floating"}


def test_sums_in_reports_are_exact(deployment: Deployment) -> None:
    deployment.rate()
    bill = oracle(deployment).bill()
    expected: dict[tuple[str, str], tuple[Fraction, Fraction]] = {}
    for (scope, _, metric, _), (quantity, price) in bill.items():
        old = expected.get((scope, metric), (Fraction(0), Fraction(0)))
        expected[scope, metric] = (old[0] + Fraction(quantity), old[1] + Fraction(price))
    rows = deployment.storage.reports.summary(
        Selection(scopes=ALL_SCOPES), ["scope", "metric"], UTC
    )
    assert {
        (row.group["scope"], row.group["metric"]): (
            Fraction(row.quantity or 0),
            Fraction(row.price),
        )
        for row in rows
    } == expected
    by_flavor = deployment.storage.reports.summary(
        Selection(metrics=("instance",), scopes=ALL_SCOPES), ["flavor_name"], UTC
    )
    instances = sum((Fraction(row.price) for row in by_flavor), Fraction(0))
    assert instances == sum(
        (price for (_, metric), (_, price) in expected.items() if metric == "instance"),
        Fraction(0),
    )


def test_a_second_cycle_writes_nothing(deployment: Deployment) -> None:
    deployment.rate()
    before = deployment.frames()
    second = deployment.rate()
    assert (second.frames, second.periods, second.failed_scopes) == (0, 0, 0)
    assert deployment.frames() == before


def test_rating_hour_by_hour_gives_the_frames_of_one_catch_up(
    new_deployment: Callable[[], Deployment], caplog: pytest.LogCaptureFixture
) -> None:
    at_once, hourly = new_deployment(), new_deployment()
    plan = at_once.plan
    hours = [begin for begin in plan.hours() if FULL or abs(begin - plan.turning_hour) < 6 * HOUR]
    for deployment in (at_once, hourly):
        deployment.configure("collect", start=hours[0].isoformat())
    # The first second at which the period that starts at an hour is due.
    due = {begin: begin + 2 * HOUR + datetime.timedelta(seconds=1) for begin in hours}
    with caplog.at_level("DEBUG", logger="keystoneauth"):
        at_once.rate(due[hours[-1]])
    requests = [
        record.getMessage()
        for record in caplog.records
        if "/v1/aggregates" in record.getMessage() and "curl" in record.getMessage()
    ]
    for metric in ("cpu", "volume.size", "ip.floating"):
        assert 1 <= sum(f'"{metric}"' in line for line in requests) <= 12, metric
    written = [hourly.rate(due[begin]).frames for begin in hours]
    bill = as_bill(at_once.frames())
    assert {begin for _, begin, _, _ in bill} == set(hours)
    assert as_bill(hourly.frames()) == bill
    assert sum(written) == len(bill)


def instance_hours(
    deployment: Deployment, name: str
) -> dict[tuple[datetime.datetime, str], Decimal]:
    """Return (hour, flavor) -> quantity of one of the plan's instances."""
    resource = deployment.plan.resource(name)
    return {
        (frame.begin, str(frame.metadata["flavor_name"])): frame.quantity
        for frame in deployment.frames(metrics=("instance",))
        if frame.groupby["id"] == str(resource.id)
    }


def test_instances_that_change_within_an_hour_are_charged_by_their_revisions(
    new_deployment: Callable[[], Deployment],
) -> None:
    deployment = new_deployment()
    deployment.rate()
    turn = deployment.plan.turning_hour
    hours = set(deployment.plan.hours())
    whole = Decimal(1)
    resized = instance_hours(deployment, "resized")
    third = Decimal("0.333333333333333333")
    assert (resized[turn, "m1.small"], resized[turn, "m1.large"]) == (third, whole - third)
    assert all(
        resized[hour, "m1.small" if hour < turn else "m1.large"] == whole for hour in hours - {turn}
    )
    assert len(resized) == 49
    assert instance_hours(deployment, "renamed") == {(hour, "m1.small"): whole for hour in hours}
    for name, first, last in (
        ("deleted", deployment.plan.begin, turn),
        ("created", turn, deployment.plan.end - HOUR),
        ("late", turn - HOUR, deployment.plan.end - HOUR),
    ):
        expected = {(hour, "m1.small"): whole for hour in hours if first <= hour <= last}
        assert instance_hours(deployment, name) == expected, name
    assert instance_hours(deployment, "silent") == {}


def test_a_threshold_sees_what_an_instance_used_in_the_hour_of_its_resize(
    new_deployment: Callable[[], Deployment], tmp_path: pathlib.Path
) -> None:
    rules = tmp_path / "hashmap.yml"
    rules.write_text("services: {instance: {thresholds: [{level: 1, cost: 9, type: flat}]}}")
    deployment = new_deployment()
    deployment.apply(rules)
    deployment.rate()
    resource, turn = deployment.plan.resource("resized"), deployment.plan.turning_hour
    frames = {
        (frame.begin, frame.metadata["flavor_name"]): frame
        for frame in deployment.frames(metrics=("instance",))
        if frame.groupby["id"] == str(resource.id)
    }
    whole, third = Decimal(1), Decimal("0.333333333333333333")
    before, after = frames[turn, "m1.small"], frames[turn, "m1.large"]
    assert (before.shared, before.price) == (Shared(whole, third), 9 * third)
    assert (after.shared, after.price) == (Shared(whole, whole - third), 9 * (whole - third))
    others = [frame for (begin, _), frame in frames.items() if begin != turn]
    assert {(frame.shared, frame.price) for frame in others} == {(None, Decimal(9))}


def test_the_records_of_a_time_are_read_from_the_real_service(
    new_deployment: Callable[[], Deployment],
) -> None:
    deployment = new_deployment()
    plan, client = deployment.plan, open_client(deployment.conf)
    late, resized = plan.resource("late"), plan.resource("resized")
    scope = deployment.cloud.project_ids["cases"]

    def starts(
        begin: datetime.datetime, until: datetime.datetime
    ) -> dict[str, list[datetime.datetime]]:
        query = AggregateQuery(
            "cpu", "mean", "instance", "project_id", ["another-scope"], ["id"], begin, plan.end,
            300, HOUR,
        )  # fmt: skip
        records = client.history(query, [str(late.id), str(resized.id)], until)
        assert {record.scope for rows in records.values() for record in rows} == {scope}
        return {id_: [record.start for record in rows] for id_, rows in records.items()}

    first, second = (revision.begin for revision in resized.revisions)
    [recorded] = (revision.begin for revision in late.revisions)
    assert starts(plan.begin, plan.end) == {
        str(late.id): [recorded], str(resized.id): [first, second],
    }  # fmt: skip
    assert starts(plan.turning_hour + HOUR, plan.end) == {
        str(late.id): [recorded], str(resized.id): [second],
    }  # fmt: skip
    assert starts(plan.begin, recorded) == {str(resized.id): [first]}

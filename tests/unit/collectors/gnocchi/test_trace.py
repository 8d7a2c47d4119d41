"""The steps of a trace add up to what is collected."""

import dataclasses
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.domain import exact
from ratekit.domain.period import Window
from ratekit.domain.usage.metric import Metric
from tests.fakes import Resource
from tests.unit.collectors.gnocchi.test_response import (
    HOUR,
    HOURS,
    MINUTE,
    SIX,
    TRANSFERRED,
    clouds,
    collector,
    instance,
    metric,
)

Key = tuple[str, tuple[tuple[str, str | None], ...], object]


def collect(cloud: list[Resource], metric_: Metric) -> dict[Key, Decimal]:
    result = collector(*cloud).collect(metric_, Window(SIX, HOUR, HOURS), ["p1", "p2"])
    return {
        (series.scope, (*series.groupby.items(), *series.metadata.items()), begin): quantity
        for series in result
        for begin, quantity in series.points
    }


@pytest.mark.parametrize("groupby", [("project_id",), ("flavor",)])
@given(clouds(), st.booleans())
def test_steps_of_equal_labels_and_period_add_up_to_the_point(
    groupby: tuple[str, ...], cloud: list[Resource], prorate: bool
) -> None:
    traced_metric = dataclasses.replace(metric(groupby), prorate=prorate)
    sums: dict[Key, Decimal] = {}
    window = Window(SIX, HOUR, HOURS)
    for step in collector(*cloud).trace(traced_metric, window, ["p1", "p2"]):
        labels = (*step.groupby.items(), *step.metadata.items())
        key = (step.scope, labels, step.trace.begin)
        sums[key] = exact.EXACT.add(sums.get(key, exact.ZERO), step.trace.quantity)
    assert sums == collect(cloud, traced_metric)


def test_scopes_that_are_not_in_the_query_have_no_steps() -> None:
    steps = collector(TRANSFERRED).trace(metric(), Window(SIX, HOUR, HOURS), ["p1"])
    assert {step.scope for step in steps} == {"p1"}


def test_a_deletion_without_a_bucket_shows_in_the_share() -> None:
    alive = instance("r1", [(-600, "p1", "a"), (20, "p1", "a")], {0: 6.0, 5: 6.0, 10: 6.0, 15: 6.0})
    ended = dataclasses.replace(alive.phases[1], ended_at=SIX + 20 * MINUTE)
    deleted = dataclasses.replace(alive, phases=[alive.phases[0], ended])
    args = GnocchiArgs("instance", aggregation_method="mean", force_granularity=300)
    traced_metric = dataclasses.replace(metric(args=args), prorate=True)
    [step] = collector(deleted).trace(traced_metric, Window(SIX, HOUR, 1), ["p1"])
    assert (step.trace.value, step.trace.share) == (Fraction(6), Fraction(1, 3))
    assert step.trace.quantity == 2

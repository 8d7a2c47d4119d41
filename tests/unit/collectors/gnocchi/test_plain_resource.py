"""Plain resources cost what the arithmetic of all others makes of them, digit by digit."""

import datetime
import json
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.group import read_groups
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.reduction import build_reduction
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.collectors.gnocchi.usage_series import UsageSeries
from ratekit.domain.exact import EXACT
from ratekit.domain.period import Window
from ratekit.domain.usage.metric import Metric, Mutate

HOUR = datetime.timedelta(hours=1)
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
WINDOW = Window(SIX, HOUR, 3)
NAMES = ("id", "project_id", "flavor", "vcpus", "absent")
NUMBERS = [
    "5.0", "5.0", "0.10", "1e5", "1E-7", "12345678901234567.5", "-3.0", "7", "0.0", "-0.0",
    "5e-19", "15e-19", "-5e-19", "1706.6666666666667", "1e20", "0.3333333333333333",
]  # fmt: skip


@st.composite
def responses(draw: st.DrawFn, granularity: datetime.timedelta) -> str:
    """A response's text: resources with one to three revisions, with gaps, old and new."""
    rows = []
    for index in range(draw(st.integers(1, 4))):
        born = draw(st.sampled_from([-600, -60, 0, 20, 200, 260]))
        # Most have one revision, so that most are plain or nearly so.
        cut_count = draw(st.sampled_from([0, 0, 0, 0, 1, 2]))
        cuts = draw(st.sets(st.integers(born + 1, 280), min_size=cut_count, max_size=cut_count))
        turns = [born, *sorted(cuts)]
        started = draw(st.sampled_from([None, born, born, -30, 90]))
        for start, end in zip(turns, [*turns[1:], None], strict=True):
            begins = [SIX + number * granularity for number in range(5 * HOUR // granularity)]
            buckets = [
                f'["{begin.isoformat()}", 60.0, {draw(st.sampled_from(NUMBERS))}]'
                for begin in begins
                if (start == born or begin + granularity > minute(start))
                and (end is None or begin < minute(end))
                and draw(st.integers(0, 9))
            ]
            ended = (
                draw(st.sampled_from([None, None, None, None, 70, 180])) if end is None else None
            )
            group = {
                "id": f"r{index}", "project_id": "p1", "revision_start": text(start),
                "revision_end": text(end), "started_at": text(started), "ended_at": text(ended),
                "flavor": draw(st.sampled_from(["a", "b", None])),
                "vcpus": draw(st.sampled_from(["2", "2", None, 2.5, 4, True])),
            }  # fmt: skip
            aggregated = ", ".join(buckets)
            rows.append(
                f'{{"measures": {{"measures": {{"aggregated": [{aggregated}]}}}}, '
                f'"group": {json.dumps(group)}}}'
            )
    return f"[{', '.join(draw(st.permutations(rows)))}]"


def minute(number: float) -> datetime.datetime:
    return SIX + number * HOUR / 60


def text(number: float | None) -> str | None:
    return None if number is None else minute(number).isoformat()


@st.composite
def cases(draw: st.DrawFn) -> UsageSeries:
    """What builds the series of a random response, with and without foreign scopes."""
    seconds = draw(st.sampled_from([600, 1800, 3600]))
    granularity = datetime.timedelta(seconds=seconds)
    method = draw(st.sampled_from(["mean", "max", "min", "sum", "last", "median"]))
    args = GnocchiArgs(
        "instance", "id", method, None, seconds, draw(st.booleans()),
        negative=draw(st.sampled_from(["zero", "keep"])),
    )  # fmt: skip
    metric = Metric(
        "m", "m", "u",
        draw(st.sampled_from([Fraction(1), Fraction(1, 1024), Fraction(1, 3), Fraction(-5, 2)])),
        draw(st.sampled_from([Fraction(0), Fraction(1, 10), Fraction(2, 7)])),
        ("id", "project_id"), (), draw(st.sampled_from([Mutate.NONE, Mutate.NONE, Mutate.CEIL])),
        args, prorate=method != "sum" and draw(st.booleans()),
    )  # fmt: skip
    query = AggregateQuery(
        "m", method, "instance", "project_id", ["p1"], NAMES[:-1], SIX, WINDOW.end + 2 * HOUR,
        seconds, HOUR,
    )  # fmt: skip
    records_until = draw(st.sampled_from([None, None, SIX - 2 * HOUR, SIX, SIX + 9 * HOUR]))
    reduction = build_reduction(metric, args, WINDOW, 2 * HOUR, seconds, records_until)
    groups = read_groups(draw(responses(granularity)).encode()) or []
    response = AggregateResponse(groups, NAMES, query)
    if draw(st.booleans()):
        # The resource has belonged to another scope too.
        moved = draw(st.sampled_from(sorted(response.ids())))
        response.replace(
            [
                group if number % 2 else changed_group(group, {"project_id": "p2"})
                for number, group in enumerate(groups)
                if group.attributes["id"] == moved
            ]
        )
    return UsageSeries(response, metric, 2, reduction)


def changed_group(group: Any, changes: Mapping[str, Any]) -> Any:
    return type(group)({**group.attributes, **changes}, group.begins, group.values)


@settings(max_examples=200)
@given(cases())
def test_both_paths_have_the_same_digits(usage_series: UsageSeries) -> None:
    """The steps that explain a quantity never take the short path."""
    explained: dict[Any, Decimal] = {}
    for step in usage_series.steps():
        labels = (step.scope, *step.groupby.items(), *step.metadata.items())
        key = labels, step.trace.begin
        explained[key] = EXACT.add(explained.get(key, Decimal(0)), step.trace.quantity)
    built = {
        ((series.scope, *series.groupby.items(), *series.metadata.items()), begin): quantity
        for series in usage_series.build()
        for begin, quantity in series.points
    }
    assert {key: value.as_tuple() for key, value in built.items()} == {
        key: value.as_tuple() for key, value in explained.items()
    }
    assert not usage_series.unstorable


@pytest.mark.parametrize("value", ["1e30", "-1e30", "1e9999", "1e2000", "9" * 1000])
def test_a_plain_resource_that_cannot_be_stored_is_left_out_for_that_period(value: str) -> None:
    args = GnocchiArgs("instance", "id", "max", None, 3600, negative="keep")
    zero = Fraction(0)
    metric = Metric("m", "m", "u", Fraction(1), zero, ("id", "project_id"), (), Mutate.NONE, args)
    query = AggregateQuery(
        "m", "max", "instance", "project_id", ["p1"], NAMES[:-1], SIX, WINDOW.end, 3600, HOUR
    )
    group = {
        "id": "r1", "project_id": "p1", "revision_start": text(-600), "revision_end": None,
        "flavor": "a", "vcpus": None,
    }  # fmt: skip
    buckets = f'["{text(0)}", 60.0, 5.0], ["{text(60)}", 60.0, {value}], ["{text(120)}", 60.0, 5.0]'
    content = (
        f'[{{"measures": {{"measures": {{"aggregated": [{buckets}]}}}}, '
        f'"group": {json.dumps(group)}}}]'
    )
    response = AggregateResponse(read_groups(content.encode()) or [], NAMES, query)
    assert len(response.plain_resources()) == 1
    usage_series = UsageSeries(
        response, metric, 2, build_reduction(metric, args, WINDOW, HOUR, 3600)
    )
    [series] = usage_series.build()
    assert [begin for begin, _ in series.points] == [SIX, SIX + 2 * HOUR]
    assert [resource.id for resource in usage_series.unstorable] == ["r1"]

"""Plain resources cost what the arithmetic of all others makes of them, digit by digit."""

import collections
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
from ratekit.domain.usage.quantities import usages
from ratekit.domain.usage.remarks import Remark

HOUR = datetime.timedelta(hours=1)
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
WINDOW = Window(SIX, HOUR, 3)
NAMES = ("id", "project_id", "flavor", "vcpus", "absent")
NUMBERS = [
    "5.0", "5.0", "0.10", "1e5", "1E-7", "12345678901234567.5", "-3.0", "-20.0", "7", "0.0", "-0.0",
    "5e-19", "15e-19", "-5e-19", "1706.6666666666667", "1e20", "0.3333333333333333",
]  # fmt: skip


#: Buckets are there from an hour before the window until two hours after it.
FIRST, HOURS = SIX - HOUR, 6


@st.composite
def responses(draw: st.DrawFn, granularity: datetime.timedelta) -> str:
    """A response's text: resources with one to three revisions, with gaps, old and new."""
    rows = []
    for index in range(draw(st.integers(1, 4))):
        # Most are old and have one revision, so that most are plain or nearly so.
        born = draw(st.sampled_from([-600, -600, -600, -600, -80, -70, -60, 0, 20, 200]))
        cut_count = draw(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2]))
        cuts = draw(st.sets(st.integers(born + 1, 280), min_size=cut_count, max_size=cut_count))
        turns = [born, *sorted(cuts)]
        started = draw(st.sampled_from([None, born, -30, 90]))
        readings = draw(rows_of_buckets(granularity))
        for start, end in zip(turns, [*turns[1:], None], strict=True):
            buckets = [
                f'["{begin.isoformat()}", 60.0, {value}]'
                for begin, value in readings
                if (start == born or begin + granularity > minute(start))
                and (end is None or begin < minute(end))
            ]
            ended = None if end else draw(st.sampled_from([None, None, None, None, None, 70, 180]))
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


@st.composite
def rows_of_buckets(
    draw: st.DrawFn, granularity: datetime.timedelta
) -> list[tuple[datetime.datetime, str]]:
    """The buckets of a resource: values in any order or rising until they restart; some absent."""
    count = HOURS * HOUR // granularity
    values = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=8))
    if draw(st.booleans()):
        values.sort(key=Decimal)
    absent = draw(st.sets(st.integers(0, count - 1), max_size=2))
    if draw(st.booleans()):
        # Silent for longer.
        first = draw(st.one_of(st.just(0), st.integers(0, count - 1)))
        absent |= set(range(first, first + draw(st.integers(1, count))))
    return [
        (FIRST + number * granularity, values[number % len(values)])
        for number in range(count)
        if number not in absent
    ]


def minute(number: float) -> datetime.datetime:
    return SIX + number * HOUR / 60


def text(number: float | None) -> str | None:
    return None if number is None else minute(number).isoformat()


@st.composite
def settings_of_metrics(draw: st.DrawFn, seconds: int, is_counter: bool) -> GnocchiArgs:
    """Some with custom queries that do or do not decide on negative steps."""
    method = draw(st.sampled_from(["mean", "max", "min", "sum", "last", "median"]))
    rate = draw(st.sampled_from(["rate:sum", "rate:max", "rate:mean"])) if is_counter else None
    query = ""
    if draw(st.booleans()):
        template = draw(st.sampled_from(["(max {} -2)", "(max {} -2)", "(* {} 0.1)"]))
        query = template.format(
            "(aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD))"
        )
    return GnocchiArgs(
        "instance", "id", method, rate, seconds, draw(st.booleans()), query,
        "count" if is_counter and draw(st.booleans()) else "ignore",
        draw(st.sampled_from([seconds, 2 * seconds, 5400, 86400])),
        draw(st.sampled_from(["zero", "keep"])),
    )  # fmt: skip


@st.composite
def cases(draw: st.DrawFn, is_counter: bool) -> tuple[UsageSeries, list[tuple[str, Remark]]]:
    """What builds the series of a random response, and the remarks that it has to make.

    With and without foreign scopes and older readings of counters.
    """
    seconds = draw(st.sampled_from([300, 1800, 3600]))
    args = draw(settings_of_metrics(seconds, is_counter))
    metric = Metric(
        "m", "m", "u",
        draw(st.sampled_from([Fraction(1), Fraction(1, 1024), Fraction(1, 3), Fraction(-5, 2)])),
        draw(st.sampled_from([Fraction(0), Fraction(1, 10), Fraction(2, 7)])),
        ("id", "project_id"), (), draw(st.sampled_from([Mutate.NONE, Mutate.NONE, Mutate.CEIL])),
        args,
        prorate=not is_counter and args.aggregation_method != "sum" and draw(st.booleans()),
    )  # fmt: skip
    query = AggregateQuery(
        "m", args.aggregation_method, "instance", "project_id", ["p1"], NAMES[:-1],
        SIX - HOUR if is_counter else SIX, WINDOW.end + 2 * HOUR, seconds, HOUR,
    )  # fmt: skip
    records_until = draw(
        st.sampled_from([None, None, SIX - 3 * HOUR / 2, SIX - 3 * HOUR / 2, SIX, SIX + 9 * HOUR])
    )
    reduction = build_reduction(metric, args, WINDOW, 2 * HOUR, seconds, records_until)
    content = draw(responses(datetime.timedelta(seconds=seconds)))
    groups = [
        without_buckets_before(query.start, group) for group in read_groups(content.encode()) or []
    ]
    response = AggregateResponse(groups, NAMES, query)
    if draw(st.integers(0, 3)) == 0:
        # The resource has belonged to another scope too.
        moved = draw(st.sampled_from(sorted(response.ids())))
        response.replace(
            [
                group if number % 2 else changed_group(group, {"project_id": "p2"})
                for number, group in enumerate(groups)
                if group.attributes["id"] == moved
            ]
        )
    ids = draw(st.sets(st.sampled_from(sorted(response.ids()))))
    before = query.start - draw(st.sampled_from([1, 2, 12])) * datetime.timedelta(seconds=seconds)
    response.add_previous({id_: (before, Decimal(draw(st.integers(0, 9)))) for id_ in ids})
    remarks: list[tuple[str, Remark]] = []
    for id_, resource in response.resources():
        of_resource: list[Remark] = []
        list(usages(resource, reduction, of_resource))
        remarks += [(id_, remark) for remark in of_resource]
    return UsageSeries(response, metric, 2, reduction), remarks


def without_buckets_before(start: datetime.datetime, group: Any) -> Any:
    first = sum(begin < start.isoformat() for begin in group.begins)
    return type(group)(group.attributes, group.begins[first:], group.values[first:])


def changed_group(group: Any, changes: Mapping[str, Any]) -> Any:
    return type(group)({**group.attributes, **changes}, group.begins, group.values)


@pytest.mark.parametrize("is_counter", [False, True], ids=["gauges", "counters"])
@settings(max_examples=400)
@given(data=st.data())
def test_both_paths_have_the_same_digits(data: st.DataObject, is_counter: bool) -> None:
    """The steps that explain a quantity never take the short path."""
    usage_series, remarks = data.draw(cases(is_counter))
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
    assert collections.Counter(usage_series.remarks) == collections.Counter(remarks)


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

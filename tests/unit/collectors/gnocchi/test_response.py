"""From the groups that Gnocchi returns to series, and the questions that fetch them."""

import dataclasses
import datetime
import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.group import group_rows
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.collectors.gnocchi.usage_series import UsageSeries
from ratekit.domain.period import Window
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.domain.usage.reducers import REDUCERS
from ratekit.domain.usage.reduction import Reduction
from tests.fakes import History, Phase, Resource

HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
NAMES = ("project_id", "flavor", "vcpus")


def metric(
    groupby: Sequence[str] = ("project_id",),
    metadata: Sequence[str] = ("flavor",),
    args: GnocchiArgs | None = None,
) -> Metric:
    return Metric(
        name="cpu",
        public_name="instance",
        unit="h",
        factor=Fraction(1),
        offset=Fraction(0),
        groupby=tuple(groupby),
        metadata=tuple(metadata),
        mutate=Mutate.NONE,
        extra_args=args or GnocchiArgs("instance", aggregation_method="mean"),
    )


def row(
    id_: str = "r1",
    start: str = "2026-01-01T00:00:00+00:00",
    end: str | None = None,
    aggregated: Any = (("2026-01-01T06:00:00+00:00", 3600, Decimal(5)),),
    **attributes: Any,
) -> dict[str, Any]:
    group = {"id": id_, "revision_start": start, "revision_end": end, "project_id": "p1"}
    return {
        "group": {**group, **attributes},
        "measures": {"measures": {"aggregated": [list(bucket) for bucket in aggregated]}},
    }


def query(groupby: Sequence[str] = NAMES, scopes: Sequence[str] = ("p1", "p2")) -> AggregateQuery:
    return AggregateQuery(
        metric="cpu",
        aggregation_method="mean",
        resource_type="instance",
        scope_key="project_id",
        scopes=scopes,
        groupby=groupby,
        start=SIX,
        stop=SIX + 2 * HOUR,
        granularity=3600,
        period=HOUR,
    )


def series(*rows: Any, of: AggregateQuery | None = None) -> list[Series]:
    """The series of rows; by default they are of a query for the labels that all of them have."""
    if of is None:
        of = query([name for name in NAMES if all(name in row["group"] for row in rows)])
    reduction = Reduction(
        period_of={SIX: SIX, SIX + HOUR: SIX + HOUR},
        step=HOUR,
        granularity=HOUR,
        patience=HOUR,
        reducer=REDUCERS["mean"],
        convert=metric().convert,
        quantity=metric().quantity,
    )
    return UsageSeries(
        AggregateResponse(group_rows(rows), NAMES, of), metric(), 1, reduction
    ).build()


# Labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("m1.small", "m1.small"), ("", ""), (None, None), (Decimal(4), "4"),
        (Decimal("2.50"), "2.5"), (True, "True"), (False, "False"), ("\u00e9", "\u00e9"),
    ],
)  # fmt: skip
def test_a_label_is_text_or_null(value: object, label: str | None) -> None:
    [result] = series(row(flavor=value, vcpus="1"))
    assert result.metadata == {"flavor": label, "vcpus": "1"}
    assert result.groupby == {"project_id": "p1"}


def test_an_attribute_that_is_not_in_the_query_is_an_empty_label() -> None:
    [result] = series(row(flavor="m1"))
    assert result.metadata == {"flavor": "m1", "vcpus": ""}


@pytest.mark.parametrize("name", NAMES)
def test_a_group_without_a_label_of_the_query_is_an_invalid_response(name: str) -> None:
    """With an empty label in its place, a wrong rule would price it."""
    good, bad = row("r1", flavor="m1", vcpus="1"), row("r2", flavor="m1", vcpus="1")
    del bad["group"][name]
    with pytest.raises(errors.InvalidResponse, match=name):
        series(good, bad, of=query())


def test_a_scope_that_is_not_in_the_query_is_an_invalid_response() -> None:
    with pytest.raises(errors.InvalidResponse, match="project_id 'p3', which is not in the query"):
        series(row(flavor="m1", vcpus="1", project_id="p3"), of=query())


@pytest.mark.parametrize("begins", [("06", "06"), ("07", "06"), ("06", "07", "07")])
def test_a_bucket_that_comes_twice_or_late_is_an_invalid_response(begins: Sequence[str]) -> None:
    """It would count twice."""
    buckets = [(f"2026-01-01T{hour}:00:00+00:00", 3600, Decimal(5)) for hour in begins]
    with pytest.raises(errors.InvalidResponse, match="not in order of time"):
        series(row(flavor="m1", vcpus="1", aggregated=buckets), of=query())


def test_a_series_has_the_name_and_the_unit_of_its_metric() -> None:
    [result] = series(row(flavor="m1"))
    assert (result.scope, result.metric, result.unit) == ("p1", "instance", "h")
    assert result.points == [(SIX, Decimal(5))]


def test_resources_with_equal_labels_add_up() -> None:
    [result] = series(row("r1", flavor="m1"), row("r2", flavor="m1"), row("r3", flavor="m1"))
    assert result.points == [(SIX, Decimal(15))]


def test_resources_with_other_labels_are_other_series() -> None:
    results = series(row("r1", flavor="m1"), row("r2", flavor="m2"), row("r3", flavor=None))
    assert {result.metadata["flavor"]: result.points for result in results} == {
        "m1": [(SIX, Decimal(5))], "m2": [(SIX, Decimal(5))], None: [(SIX, Decimal(5))],
    }  # fmt: skip


def test_the_time_zone_of_a_timestamp_is_used() -> None:
    for begin in ("2026-01-01T06:00:00+00:00", "2026-01-01T07:00:00+01:00", "2026-01-01T06:00:00"):
        [result] = series(row(aggregated=[(begin, 3600, Decimal(5))]))
        assert result.points == [(SIX, Decimal(5))]


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [
        row("r1", "2026-01-01T00:00:00+00:00", "2026-01-01T06:20:00+00:00", flavor="a"),
        row("r1", "2026-01-01T06:20:00+00:00", "2026-01-01T06:30:00+00:00", flavor="b"),
        row("r1", "2026-01-01T06:30:00+00:00", flavor="a"),
        row("r2", flavor="b"),
    ]
    results = {
        tuple(
            sorted((result.metadata["flavor"], tuple(result.points)) for result in series(*order))
        )
        for order in itertools.permutations(rows)
    }
    assert len(results) == 1


# Invalid responses ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        row(aggregated=[("2026-01-01T06:00:00+00:00", 3600, None)]),
        row(aggregated=[("2026-01-01T06:00:00+00:00", 3600, "5")]),
        row(aggregated=[("2026-01-01T06:00:00+00:00", 3600, [5])]),
        row(aggregated=[("yesterday", 3600, Decimal(5))]),
        row(aggregated=[("2026-01-01T06:00:00+00:00", Decimal(5))]),
        row(start="long ago"),
        row(start=None),  # type: ignore[arg-type]
        row(end="soon"),
        row(project_id=None),
        {},
        {"group": {"id": "r1"}, "measures": {}},
        {"group": None, "measures": None},
        None,
        "r1",
    ],
)
def test_a_row_that_cannot_be_parsed_is_an_invalid_response(bad: Any) -> None:
    with pytest.raises(errors.TryLater, match="Gnocchi"):
        series(row("r0"), bad, of=query(["project_id"]))


def test_a_revision_that_comes_twice_is_an_invalid_response() -> None:
    with pytest.raises(errors.TryLater, match="revision twice"):
        series(row("r1", flavor="a"), row("r2"), row("r1", flavor="b"))


def test_no_rows_are_no_series() -> None:
    assert series() == []


# The query ----------------------------------------------------------------------------------

ATTRIBUTES = ("flavor", "vcpus")


def instance(
    id_: str, turns: Sequence[tuple[int, str, str]], buckets: Mapping[int, float]
) -> Resource:
    """A resource.

    :param turns: (minute after six, project, flavor) from then on
    """
    ends = [*(minute for minute, _, _ in turns[1:]), None]
    phases = [
        Phase(
            SIX + minute * MINUTE,
            None if end is None else SIX + end * MINUTE,
            {"project_id": project, "flavor": flavor, "vcpus": "1"},
        )
        for (minute, project, flavor), end in zip(turns, ends, strict=True)
    ]
    return Resource(id_, phases, {SIX + at * MINUTE: value for at, value in buckets.items()})


def collector_on(history: History) -> GnocchiCollector:
    return GnocchiCollector(history, "project_id", HOUR, HOUR)  # type: ignore[arg-type]


def collector(*resources: Resource, attributes: Sequence[str] = ATTRIBUTES) -> GnocchiCollector:
    return collector_on(History(resources, attributes))


Frames = dict[tuple[str, str | None, datetime.datetime], Decimal]


def frames(
    source: GnocchiCollector,
    first: int,
    count: int,
    scopes: Sequence[str],
    granularity: int = 3600,
    method: str = "mean",
    reducer: str | None = None,
    prorate: bool = False,
) -> Frames:
    """Quantities of a window that starts ``first`` hours after six, by scope, flavor and hour."""
    args = GnocchiArgs(
        "instance", aggregation_method=method, re_aggregation_method=reducer,
        force_granularity=granularity,
    )  # fmt: skip
    prorated = dataclasses.replace(metric(args=args), prorate=prorate)
    window = Window(SIX + first * HOUR, HOUR, count)
    result: Frames = {}
    for series in source.collect(prorated, window, scopes):
        for begin, quantity in series.points:
            # Each resource is a series of its own, and they come in any order.
            key = series.scope, series.metadata["flavor"], begin
            result[key] = result.get(key, Decimal(0)) + quantity
    return result


def test_one_query_reads_many_scopes_and_periods() -> None:
    history = History([], ATTRIBUTES)
    gnocchi_collector = collector_on(history)
    assert list(gnocchi_collector.collect(metric(), Window(SIX, HOUR, 7), ["p1", "p2", "p3"])) == []
    [query] = history.queries
    assert (query.start, query.stop) == (SIX, SIX + 8 * HOUR)
    assert query.groupby == [
        "ended_at", "flavor", "id", "project_id", "revision_end", "revision_start", "started_at",
    ]  # fmt: skip
    assert query.scopes == ["p1", "p2", "p3"]


def test_the_scope_and_the_resource_are_always_labels() -> None:
    gnocchi_collector = collector(instance("r1", [(-60, "p1", "m1")], {0: 5.0}))
    [result] = gnocchi_collector.collect(
        metric(groupby=(), metadata=("id", "vcpus")), Window(SIX, HOUR, 1), ["p1"]
    )
    assert result.groupby == {"id": "r1", "project_id": "p1"}
    assert result.metadata == {"vcpus": "1"}


def test_metadata_that_the_resource_type_lacks_is_an_empty_label_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gnocchi_collector = collector(instance("r1", [(-60, "p1", "m1")], {0: 5.0}))
    for _ in range(2):
        [result] = gnocchi_collector.collect(
            metric(metadata=("flavor", "image")), Window(SIX, HOUR, 1), ["p1"]
        )
        assert result.metadata == {"flavor": "m1", "image": ""}
    assert caplog.messages == [
        "instance: Gnocchi's resource type 'instance' has no attribute 'image'; "
        "the label stays empty"
    ]


def test_an_unknown_resource_type_means_no_usage_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class WithoutTypes(History):
        def attributes(self, resource_type: str) -> None:
            return None

    gnocchi_collector = collector_on(WithoutTypes([]))
    for _ in range(2):
        assert list(gnocchi_collector.collect(metric(), Window(SIX, HOUR, 1), ["p1"])) == []
    assert caplog.messages == [
        "instance: Gnocchi has no resource type 'instance'; nothing is charged"
    ]


def test_a_scope_key_that_the_resource_type_lacks_is_for_an_operator() -> None:
    gnocchi_collector = GnocchiCollector(History([], ATTRIBUTES), "domain_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    with pytest.raises(errors.OperatorError, match="'instance' has no attribute 'domain_id'"):
        list(gnocchi_collector.collect(metric(groupby=()), Window(SIX, HOUR, 1), ["d1"]))


def test_a_metric_that_was_read_for_another_collector_is_a_programming_error() -> None:
    class OtherArgs:
        pass

    foreign_metric = metric()
    object.__setattr__(foreign_metric, "extra_args", OtherArgs())
    with pytest.raises(TypeError, match="no extra_args of the Gnocchi collector"):
        list(collector().collect(foreign_metric, Window(SIX, HOUR, 1), ["p1"]))


# Equal frames for any windows and batches ----------------------------------------------------

HOURS = 5


@st.composite
def clouds(draw: st.DrawFn) -> list[Resource]:
    """Some instances of two projects; they change flavors and owners."""
    resources = []
    for number in range(draw(st.integers(1, 4))):
        cuts = draw(st.lists(st.integers(-100, 360), min_size=1, max_size=4, unique=True))
        owners = st.sampled_from(["p1", "p2"])
        turns = [(cut, draw(owners), draw(st.sampled_from("abc"))) for cut in sorted(cuts)]
        tens = draw(st.sets(st.integers(-6, 42), max_size=17))
        buckets = {10 * ten: draw(st.integers(0, 999)) / 8 for ten in tens}
        whole = instance(f"r{number}", turns, buckets)
        last_phase = draw(st.sampled_from([*range(len(whole.phases)), None]))
        ended_at = SIX + draw(st.integers(-60, 300)) * MINUTE
        phases = [
            dataclasses.replace(
                phase, ended_at=None if last_phase is None or index < last_phase else ended_at
            )
            for index, phase in enumerate(whole.phases)
        ]
        # A resource is recorded when it starts, or later.
        started_at = whole.phases[0].start - draw(st.integers(0, 120)) * MINUTE
        resources.append(dataclasses.replace(whole, phases=phases, started_at=started_at))
    return resources


@pytest.mark.parametrize(
    ("method", "reducer", "prorate"),
    [
        *((method, None, False) for method in ("mean", "max", "last", "sum", "count")),
        *(("max", reducer, False) for reducer in ("rate:sum", "rate:mean", "rate:max")),
        *((method, None, True) for method in ("mean", "max", "last")),
    ],
)
@given(clouds(), st.lists(st.integers(1, HOURS - 1), unique=True), st.booleans())
def test_neither_windows_nor_batches_change_a_frame(
    method: str,
    reducer: str | None,
    prorate: bool,
    cloud: list[Resource],
    cuts: list[int],
    together: bool,
) -> None:
    # What comes after windows of an hour is not read, but searched for late records.
    settings = (600, method, reducer, prorate)
    whole = frames(collector(*cloud), 0, HOURS, ["p1", "p2"], *settings)
    parts: Frames = {}
    for first, end in itertools.pairwise([0, *sorted(cuts), HOURS]):
        for scopes in [["p2", "p1"]] if together else [["p1"], ["p2"]]:
            parts |= frames(collector(*cloud), first, end - first, scopes, *settings)
    assert parts == whole


TRANSFERRED = instance(
    "r1", [(-600, "p1", "a"), (200, "p2", "a")], {at: 6.0 for at in range(0, 600, 60)}
)


@pytest.mark.parametrize("scopes", [["p1", "p2"], ["p1"], ["p2"]])
@pytest.mark.parametrize("granularity", [300, 3600])
def test_a_transferred_resource_costs_each_owner_its_part_of_the_hour(
    scopes: Sequence[str], granularity: int
) -> None:
    """Moved at 20 past nine; whoever is asked for together."""
    minutes = range(0, 600, granularity // 60)
    moved = dataclasses.replace(TRANSFERRED, buckets={SIX + at * MINUTE: 6.0 for at in minutes})
    result = frames(collector(moved), 0, HOURS, scopes, granularity)
    expected = {
        ("p1", 0): 6, ("p1", 1): 6, ("p1", 2): 6, ("p1", 3): 2, ("p2", 3): 4, ("p2", 4): 6,
    }  # fmt: skip
    assert {
        (scope, (begin - SIX) // HOUR): value for (scope, _, begin), value in result.items()
    } == {key: value for key, value in expected.items() if key[0] in scopes}


@pytest.mark.parametrize("value", [0.1, 1.971014492753623, 1706.6666666666667])
@pytest.mark.parametrize("minute", [1, 20, 59])
def test_the_digits_after_a_move_do_not_depend_on_who_is_asked_for(
    value: float, minute: int
) -> None:
    moved = instance("r1", [(-600, "p1", "a"), (minute, "p2", "a")], {0: value, 60: value})
    together = frames(collector(moved), 0, 2, ["p1", "p2"])
    alone = frames(collector(moved), 0, 2, ["p1"]) | frames(collector(moved), 0, 2, ["p2"])
    assert alone == together


def test_a_prorated_resource_that_moves_costs_one_hour() -> None:
    moved = instance(
        "r1", [(-600, "p1", "a"), (20, "p2", "a")], {at: 1.0 for at in range(0, 60, 5)}
    )
    for scopes in (["p1", "p2"], ["p1"], ["p2"]):
        result = frames(collector(moved), 0, 1, scopes, 300, prorate=True)
        thirds = {"p1": "0.333333333333333333", "p2": "0.666666666666666667"}
        assert {scope: value for (scope, _, _), value in result.items()} == {
            scope: Decimal(thirds[scope]) for scope in scopes
        }


def test_a_move_costs_two_requests_more_and_a_deletion_one() -> None:
    moved, resized = History([TRANSFERRED], ATTRIBUTES), History([], ATTRIBUTES)
    frames(collector_on(moved), 3, 1, ["p1"])
    assert (len(moved.queries), moved.histories) == (2, 1)
    assert (moved.queries[1].resource_ids, moved.queries[1].any_scope) == (["r1"], True)
    resized.resources = [
        instance("r2", [(-600, "p1", "a"), (20, "p1", "b")], {at: 1.0 for at in range(0, 60, 5)})
    ]
    frames(collector_on(resized), 0, 1, ["p1"], 300)
    assert (len(resized.queries), resized.histories) == (1, 0)


def test_a_new_owners_charge_does_not_depend_on_the_other_scopes_of_the_query() -> None:
    together = frames(collector(TRANSFERRED), 0, HOURS, ["p1", "p2"])
    alone = frames(collector(TRANSFERRED), 0, HOURS, ["p2"])
    assert alone == {key: quantity for key, quantity in together.items() if key[0] == "p2"}


def test_a_resource_that_comes_back_costs_the_same_in_each_window() -> None:
    back = instance(
        "r1",
        [(-600, "p1", "a"), (30, "p2", "a"), (200, "p1", "a")],
        {at: 6.0 for at in range(0, 600, 60)},
    )
    whole = frames(collector(back), 0, HOURS, ["p1"])
    parts: Frames = {}
    for hour in range(HOURS):
        parts |= frames(collector(back), hour, 1, ["p1"])
    assert parts == whole


# Counters, custom queries, ends --------------------------------------------------------------


def test_a_transferred_counter_is_charged_once() -> None:
    """Growth is shared by time between the owners, whoever is asked for together."""
    counting = instance(
        "r1", [(-600, "p1", "a"), (202, "p2", "a")], {at: 100.0 + at for at in range(-60, 300, 5)}
    )
    for granularity, buckets in ((300, counting.buckets), (3600, {
        at: value for at, value in counting.buckets.items() if at.minute == 0
    })):  # fmt: skip
        source = dataclasses.replace(counting, buckets=buckets)
        result = {
            key: quantity
            for scope in ("p1", "p2")
            for key, quantity in frames(
                collector(source), 0, 5, [scope], granularity, "max", "rate:sum"
            ).items()
        }
        together = frames(collector(source), 0, 5, ["p1", "p2"], granularity, "max", "rate:sum")
        assert together == result
        assert sum(result.values()) == 300
        assert result["p1", "a", SIX] == 60


def test_a_query_for_a_counter_reaches_one_period_back() -> None:
    history = History([], ATTRIBUTES)
    gnocchi_collector = collector_on(history)
    args = GnocchiArgs("instance", re_aggregation_method="rate:max", force_granularity=300)
    list(gnocchi_collector.collect(metric(args=args), Window(SIX, HOUR, 7), ["p1"]))
    [query] = history.queries
    assert (query.start, query.stop) == (SIX - HOUR, SIX + 8 * HOUR)


@pytest.mark.parametrize(
    ("granularity", "periods", "hours_after"),
    [(3600, 1, 1), (900, 1, 1), (600, 1, 0), (300, 1, 0), (300, 2, 1)],
)
def test_buckets_after_a_short_window_are_not_read_where_they_are_many(
    granularity: int, periods: int, hours_after: int
) -> None:
    history = History([TRANSFERRED], ATTRIBUTES)
    frames(collector_on(history), 0, periods, ["p1"], granularity)
    assert history.queries[0].stop == SIX + (periods + hours_after) * HOUR


def test_a_custom_query_reads_the_aggregate_and_applies_its_operations() -> None:
    resized = instance("r1", [(-600, "p1", "small"), (20, "p1", "large")], {0: 10.0})
    history = History([resized], ATTRIBUTES)
    gnocchi_collector = collector_on(history)
    args = GnocchiArgs(
        "instance",
        custom_query="(+ 2 (* 0.1 (aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME last))))",
    )
    result = {
        series.metadata["flavor"]: series.points[0][1]
        for series in gnocchi_collector.collect(metric(args=args), Window(SIX, HOUR, 1), ["p1"])
    }
    assert result == {"small": 1, "large": 2}
    assert (history.queries[0].metric, history.queries[0].aggregation_method) == ("cpu", "last")


def test_a_custom_query_may_name_another_metric_and_a_counter() -> None:
    counting = instance("r1", [(-600, "p1", "a")], {-60: 5.0, 0: 8.0})
    history = History([counting], ATTRIBUTES)
    gnocchi_collector = collector_on(history)
    args = GnocchiArgs("instance", custom_query="(* 2 (aggregate rate:max (metric cpu.time last)))")
    [result] = gnocchi_collector.collect(metric(args=args), Window(SIX, HOUR, 1), ["p1"])
    assert result.points == [(SIX, Decimal(6))]
    assert history.queries[0].metric == "cpu.time"


def test_a_sum_is_converted_whole_by_whole_before_it_is_shared() -> None:
    resized = instance("r1", [(-600, "p1", "small"), (20, "p1", "large")], {0: 10.0, 30: 4.0})
    args = GnocchiArgs(
        "instance", aggregation_method="sum", force_granularity=1800,
        custom_query="(- (aggregate sum (metric METRIC_NAME AGGREGATION_METHOD)) 1)",
    )  # fmt: skip
    gnocchi_collector = collector(resized)
    result = {
        series.metadata["flavor"]: series.points[0][1]
        for series in gnocchi_collector.collect(metric(args=args), Window(SIX, HOUR, 1), ["p1"])
    }
    assert result == {"small": 6, "large": 6}


def test_a_deletion_is_found_though_it_has_no_bucket() -> None:
    alive = instance("r1", [(-600, "p1", "a"), (20, "p1", "a")], {0: 6.0, 5: 6.0, 10: 6.0, 15: 6.0})
    ended = dataclasses.replace(alive.phases[1], ended_at=SIX + 20 * MINUTE)
    deleted = dataclasses.replace(alive, phases=[alive.phases[0], ended])
    result = frames(collector(deleted), 0, HOURS, ["p1"], 300, prorate=True)
    assert result == {("p1", "a", SIX): 2}


def test_a_measure_after_the_end_is_no_usage() -> None:
    """Deleted at two to seven; the last poll is stored after seven."""
    buckets = {at: 6.0 for at in (*range(0, 60, 5), 60)}
    alive = instance("r1", [(-600, "p1", "a"), (58, "p1", "a")], buckets)
    ended = dataclasses.replace(alive.phases[1], ended_at=SIX + 58 * MINUTE)
    deleted = dataclasses.replace(alive, phases=[alive.phases[0], ended])
    for method in ("mean", "max", "sum"):
        assert {begin for _, _, begin in frames(collector(deleted), 0, 3, ["p1"], 300, method)} == {
            SIX
        }
        assert frames(collector(deleted), 1, 1, ["p1"], 300, method) == {}


@pytest.mark.parametrize("late", [60, 200])
def test_a_record_that_is_made_after_a_period_was_due_counts_only_when_it_is_collected_again(
    late: int,
) -> None:
    """Measured from six on; the record is made an hour or more after the period is due."""
    buckets = {at: 6.0 for at in range(0, 60, 5)}
    late_record = instance("r1", [(120 + late, "p1", "a")], buckets)
    args = GnocchiArgs("instance", aggregation_method="mean", force_granularity=300)
    window = Window(SIX, HOUR, 1)
    for until, expected in (
        (None, []),
        (SIX + (120 + late) * MINUTE, []),
        (SIX + (121 + late) * MINUTE, [(SIX, Decimal(6))]),
    ):
        history = History([late_record], ATTRIBUTES)
        gnocchi_collector = collector_on(history)
        series = list(gnocchi_collector.collect(metric(args=args), window, ["p1"], until))
        assert [point for result in series for point in result.points] == expected
        assert all(query.stop <= window.end + HOUR for query in history.queries)


def test_a_resource_that_moves_in_later_is_not_charged_for_the_time_before() -> None:
    """Collected again, when its new owner has a revision that starts after the window."""
    moved = instance("r1", [(-600, "p1", "a"), (300, "p2", "a")], {0: 6.0})
    window = Window(SIX, HOUR, 1)
    later = SIX + 600 * MINUTE
    assert list(collector(moved).collect(metric(), window, ["p2"], later)) == []
    [series] = collector(moved).collect(metric(), window, ["p1"], later)
    assert series.points == [(SIX, Decimal(6))]


@pytest.mark.parametrize("value", [1e300, 1e31, -1e31])
def test_a_value_that_cannot_be_stored_excludes_its_resource_alone(
    value: float, caplog: pytest.LogCaptureFixture
) -> None:
    good = instance("r1", [(-600, "p1", "a")], {0: 512.0})
    huge = instance("r2", [(-600, "p1", "b")], {0: value})
    gnocchi_collector = collector(good, huge)
    args = GnocchiArgs("instance", aggregation_method="mean", negative="keep")
    window = Window(SIX, HOUR, 1)
    for _ in range(2):
        [series] = gnocchi_collector.collect(metric(args=args), window, ["p1", "p2"])
        assert series.points == [(SIX, Decimal(512))]
        [exclusion] = gnocchi_collector.exclusions(metric(args=args), window, ["p1", "p2"])
        assert (exclusion.scope, exclusion.resource) == ("p1", "r2")
    assert gnocchi_collector.exclusions(metric(args=args), window, ["p2"]) == []
    [message] = caplog.messages
    assert "excluded from rating and not charged: resource r2" in message


@pytest.mark.parametrize("new_owner", ["p1", "p2"])
def test_a_part_of_a_sum_that_cannot_be_stored_is_left_out_too(new_owner: str) -> None:
    """The part itself is small, but the whole that it is a share of is not."""
    turns = [(-600, "p1", "a"), (20, new_owner, "b")]
    huge = instance("r1", turns, {0: 5.0, 30: 1e50, 60: 7.0, 90: 7.0})
    gnocchi_collector = collector(huge)
    result = frames(gnocchi_collector, 0, 2, ["p1", "p2"], 1800, "sum")
    assert result == {(new_owner, "b", SIX + HOUR): 14}


@pytest.mark.parametrize("value", [-1e308, -0.1])
def test_the_warning_of_a_negative_value_can_write_any_number(
    value: float, caplog: pytest.LogCaptureFixture
) -> None:
    falling = instance("r1", [(-600, "p1", "a"), (20, "p1", "b")], {0: value, 30: value * 1.5})
    assert set(frames(collector(falling), 0, 1, ["p1"], 1800, "sum").values()) == {0}
    [message] = caplog.messages
    assert "values below zero count as 0" in message


def test_a_search_for_older_values_is_cut_where_there_are_many() -> None:
    """60 s buckets of a year: one resource at a time."""
    counters = [
        instance(f"r{number}", [(-6000, "p1", "a")], {-180: 100.0, 0: 140.0}) for number in range(3)
    ]
    history = History(counters, ATTRIBUTES)
    gnocchi_collector = collector_on(history)
    args = GnocchiArgs(
        "instance", re_aggregation_method="rate:sum", force_granularity=60, counter_gap=366 * 86400
    )
    series = list(gnocchi_collector.collect(metric(args=args), Window(SIX, HOUR, 1), ["p1"]))
    assert [result.points for result in series] == [[(SIX, Decimal(40))]] * 3
    assert [query.resource_ids for query in history.queries[1:]] == [["r0"], ["r1"], ["r2"]]


@pytest.mark.parametrize(
    ("method", "reducer", "expected"),
    [("mean", None, 0), ("rate:mean", None, 5), ("rate:mean", "sum", 10)],
)
def test_values_below_zero_count_as_zero_with_one_warning(
    method: str, reducer: str | None, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A stored rate is judged bucket by bucket, for one can hide in a positive sum."""
    falling = instance("r1", [(-600, "p1", "a")], {0: -90.0, 30: 10.0})
    result = frames(collector(falling), 0, 1, ["p1"], 1800, method, reducer)
    assert set(result.values()) == {expected}
    [message] = caplog.messages
    assert "resource r1" in message
    assert "values below zero count as 0" in message


def test_values_below_zero_may_be_kept() -> None:
    falling = instance("r1", [(-600, "p1", "a")], {0: -4.0})
    args = GnocchiArgs("instance", aggregation_method="mean", negative="keep")
    [series] = collector(falling).collect(metric(args=args), Window(SIX, HOUR, 1), ["p1"])
    assert series.points == [(SIX, Decimal(-4))]


def test_a_counter_that_was_silent_is_compared_with_the_value_before() -> None:
    """One request more, for what the previous period has no bucket of."""
    silent = instance("r1", [(-6000, "p1", "a")], {-300: 100.0, -240: 140.0, 0: 1300.0, 60: 1310.0})
    history = History([silent], ATTRIBUTES)
    gnocchi_collector = collector_on(history)
    result = frames(gnocchi_collector, 0, 2, ["p1"], 3600, "max", "rate:sum")
    assert list(result.values()) == [1160, 10]
    assert len(history.queries) == 2
    assert history.queries[1].stop == SIX - HOUR
    assert history.queries[1].start == SIX - 24 * HOUR


def test_a_metric_without_measures_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    # A young cloud has none of many metrics; only the storage knows what it had before.
    gnocchi_collector = collector()
    assert list(gnocchi_collector.collect(metric(), Window(SIX, HOUR, 1), ["p1"])) == []
    assert caplog.messages == []

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
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.domain.period import Window
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.domain.usage.quantities import Reduction
from ratekit.domain.usage.reducers import REDUCERS
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
        patience=2 * HOUR,
        reducer=REDUCERS["mean"],
        quantity=metric().quantity,
    )
    return list(AggregateResponse(rows, NAMES, of).series(metric(), 1, reduction))


# Labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("m1.small", "m1.small"), ("", ""), (None, None), (Decimal(4), "4"),
        (Decimal("2.50"), "2.50"), (True, "True"), (False, "False"), ("\u00e9", "\u00e9"),
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


def collector(*resources: Resource, attributes: Sequence[str] = ATTRIBUTES) -> GnocchiCollector:
    return GnocchiCollector(History(resources, attributes), "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]


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
    return {
        (series.scope, series.metadata["flavor"], begin): quantity
        for series in source.collect(prorated, window, scopes)
        for begin, quantity in series.points
    }


def test_one_query_reads_many_scopes_and_periods() -> None:
    history = History([], ATTRIBUTES)
    gnocchi_collector = GnocchiCollector(history, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    assert list(gnocchi_collector.collect(metric(), Window(SIX, HOUR, 7), ["p1", "p2", "p3"])) == []
    [query] = history.queries
    assert (query.start, query.stop) == (SIX, SIX + 9 * HOUR)
    assert query.groupby == [
        "flavor", "id", "project_id", "revision_end", "revision_start", "started_at",
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

    gnocchi_collector = GnocchiCollector(WithoutTypes([]), "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
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
        minutes = draw(st.sets(st.integers(-2, 14), max_size=17))
        buckets = {30 * half: draw(st.integers(0, 999)) / 8 for half in minutes}
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
    settings = (1800, method, reducer, prorate)
    whole = frames(collector(*cloud), 0, HOURS, ["p1", "p2"], *settings)
    parts: Frames = {}
    for first, end in itertools.pairwise([0, *sorted(cuts), HOURS]):
        for scopes in [["p2", "p1"]] if together else [["p1"], ["p2"]]:
            parts |= frames(collector(*cloud), first, end - first, scopes, *settings)
    assert parts == whole


TRANSFERRED = instance(
    "r1", [(-600, "p1", "a"), (200, "p2", "a")], {at: 6.0 for at in range(0, 600, 60)}
)


def test_a_transferred_resource_is_charged_to_both_owners_for_that_hour() -> None:
    result = frames(collector(TRANSFERRED), 0, HOURS, ["p1", "p2"])
    assert {(scope, (begin - SIX) // HOUR) for scope, _, begin in result} == {
        ("p1", 0), ("p1", 1), ("p1", 2), ("p1", 3), ("p2", 3), ("p2", 4),
    }  # fmt: skip
    assert set(result.values()) == {Decimal(6)}


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
    """A bucket's growth is charged to the owner at the start of the bucket."""
    counting = instance(
        "r1", [(-600, "p1", "a"), (202, "p2", "a")], {at: 100.0 + at for at in range(-60, 300, 5)}
    )
    for granularity, buckets in ((300, counting.buckets), (3600, {
        at: value for at, value in counting.buckets.items() if at.minute == 0
    })):  # fmt: skip
        source = dataclasses.replace(counting, buckets=buckets)
        result = frames(collector(source), 0, 5, ["p1", "p2"], granularity, "max", "rate:sum")
        assert sum(result.values()) == 300
        assert result["p1", "a", SIX] == 60


def test_a_query_for_a_counter_reaches_one_period_back() -> None:
    history = History([], ATTRIBUTES)
    gnocchi_collector = GnocchiCollector(history, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    args = GnocchiArgs("instance", re_aggregation_method="rate:max", force_granularity=300)
    list(gnocchi_collector.collect(metric(args=args), Window(SIX, HOUR, 7), ["p1"]))
    [query] = history.queries
    assert (query.start, query.stop) == (SIX - HOUR, SIX + 9 * HOUR)


def test_a_custom_query_reads_the_aggregate_and_applies_its_operations() -> None:
    resized = instance("r1", [(-600, "p1", "small"), (20, "p1", "large")], {0: 10.0})
    history = History([resized], ATTRIBUTES)
    gnocchi_collector = GnocchiCollector(history, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
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
    gnocchi_collector = GnocchiCollector(history, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
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


def test_ends_are_read_only_for_prorated_metrics() -> None:
    class WithoutEnds(History):
        def ends(self, query: AggregateQuery) -> Any:
            raise AssertionError("no query for ends is expected")

    gnocchi_collector = GnocchiCollector(
        WithoutEnds([TRANSFERRED], ATTRIBUTES), "project_id", HOUR, 2 * HOUR  # type: ignore[arg-type]
    )  # fmt: skip
    assert frames(gnocchi_collector, 0, 1, ["p1"])
    with pytest.raises(AssertionError):
        frames(gnocchi_collector, 0, 1, ["p1"], prorate=True)


def test_a_metric_without_measures_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    gnocchi_collector = collector()
    for _ in range(2):
        assert list(gnocchi_collector.collect(metric(), Window(SIX, HOUR, 1), ["p1"])) == []
    [message] = caplog.messages
    assert "no measures of 'cpu'" in message

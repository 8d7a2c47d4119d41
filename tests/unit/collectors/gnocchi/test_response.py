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
        "measures": {"measures": {"aggregated": [list(one) for one in aggregated]}},
    }


def question(
    groupby: Sequence[str] = NAMES, scopes: Sequence[str] = ("p1", "p2")
) -> AggregateQuery:
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
    )


def series(*rows: Any, asked: AggregateQuery | None = None) -> list[Series]:
    """What rows amount to; by default what they have is what was asked for."""
    if asked is None:
        asked = question([name for name in NAMES if all(name in one["group"] for one in rows)])
    how = Reduction(
        period_of={SIX: SIX, SIX + HOUR: SIX + HOUR},
        step=HOUR,
        granularity=HOUR,
        patience=2 * HOUR,
        reducer=REDUCERS["mean"],
        quantity=metric().quantity,
    )
    return list(AggregateResponse(rows, NAMES, asked).series(metric(), 1, how))


# Labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("m1.small", "m1.small"), ("", ""), (None, None), (Decimal(4), "4"),
        (Decimal("2.50"), "2.50"), (True, "True"), (False, "False"), ("\u00e9", "\u00e9"),
    ],
)  # fmt: skip
def test_a_label_is_text_or_null(value: object, label: str | None) -> None:
    [one] = series(row(flavor=value, vcpus="1"))
    assert one.metadata == {"flavor": label, "vcpus": "1"}
    assert one.groupby == {"project_id": "p1"}


def test_an_attribute_that_was_not_asked_for_is_an_empty_label() -> None:
    [one] = series(row(flavor="m1"))
    assert one.metadata == {"flavor": "m1", "vcpus": ""}


@pytest.mark.parametrize("name", NAMES)
def test_a_group_that_lacks_a_label_that_was_asked_for_is_senseless(name: str) -> None:
    """With an empty label in its place, a wrong rule would price it."""
    good, bad = row("r1", flavor="m1", vcpus="1"), row("r2", flavor="m1", vcpus="1")
    del bad["group"][name]
    with pytest.raises(errors.InvalidResponse, match=name):
        series(good, bad, asked=question())


def test_a_scope_that_was_not_asked_for_is_senseless() -> None:
    with pytest.raises(errors.InvalidResponse, match="project_id 'p3', which was not asked for"):
        series(row(flavor="m1", vcpus="1", project_id="p3"), asked=question())


@pytest.mark.parametrize("begins", [("06", "06"), ("07", "06"), ("06", "07", "07")])
def test_a_bucket_that_comes_twice_or_late_is_senseless(begins: Sequence[str]) -> None:
    """It would count twice."""
    buckets = [(f"2026-01-01T{hour}:00:00+00:00", 3600, Decimal(5)) for hour in begins]
    with pytest.raises(errors.InvalidResponse, match="not in the order of their times"):
        series(row(flavor="m1", vcpus="1", aggregated=buckets), asked=question())


def test_a_series_carries_what_the_metric_says() -> None:
    [one] = series(row(flavor="m1"))
    assert (one.scope, one.metric, one.unit) == ("p1", "instance", "h")
    assert one.points == [(SIX, Decimal(5))]


def test_resources_that_are_not_told_apart_add_up() -> None:
    [one] = series(row("r1", flavor="m1"), row("r2", flavor="m1"), row("r3", flavor="m1"))
    assert one.points == [(SIX, Decimal(15))]


def test_resources_with_other_labels_are_other_series() -> None:
    found = series(row("r1", flavor="m1"), row("r2", flavor="m2"), row("r3", flavor=None))
    assert {one.metadata["flavor"]: one.points for one in found} == {
        "m1": [(SIX, Decimal(5))], "m2": [(SIX, Decimal(5))], None: [(SIX, Decimal(5))],
    }  # fmt: skip


def test_the_time_zone_of_a_timestamp_is_heeded() -> None:
    for begin in ("2026-01-01T06:00:00+00:00", "2026-01-01T07:00:00+01:00", "2026-01-01T06:00:00"):
        [one] = series(row(aggregated=[(begin, 3600, Decimal(5))]))
        assert one.points == [(SIX, Decimal(5))]


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [
        row("r1", "2026-01-01T00:00:00+00:00", "2026-01-01T06:20:00+00:00", flavor="a"),
        row("r1", "2026-01-01T06:20:00+00:00", "2026-01-01T06:30:00+00:00", flavor="b"),
        row("r1", "2026-01-01T06:30:00+00:00", flavor="a"),
        row("r2", flavor="b"),
    ]
    found = {
        tuple(sorted((one.metadata["flavor"], tuple(one.points)) for one in series(*order)))
        for order in itertools.permutations(rows)
    }
    assert len(found) == 1


# Senseless answers ------------------------------------------------------------------------


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
def test_a_row_that_makes_no_sense_is_no_answer(bad: Any) -> None:
    with pytest.raises(errors.TryLater, match="Gnocchi"):
        series(row("r0"), bad, asked=question(["project_id"]))


def test_a_revision_that_came_twice_is_not_charged_twice() -> None:
    with pytest.raises(errors.TryLater, match="revision twice"):
        series(row("r1", flavor="a"), row("r2"), row("r1", flavor="b"))


def test_no_rows_are_no_series() -> None:
    assert series() == []


# The question that is asked -----------------------------------------------------------------

ATTRIBUTES = ("flavor", "vcpus")


def instance(
    id_: str, turns: Sequence[tuple[int, str, str]], buckets: Mapping[int, float]
) -> Resource:
    """A resource: (minute after six, project, flavor) from which it was so."""
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
    asked: GnocchiCollector,
    first: int,
    count: int,
    scopes: Sequence[str],
    granularity: int = 3600,
    method: str = "mean",
    reducer: str | None = None,
    prorate: bool = False,
) -> Frames:
    """What a window of hours after six is made of, by scope, flavor and hour."""
    args = GnocchiArgs(
        "instance", aggregation_method=method, re_aggregation_method=reducer,
        force_granularity=granularity,
    )  # fmt: skip
    of_kind = dataclasses.replace(metric(args=args), prorate=prorate)
    window = Window(SIX + first * HOUR, HOUR, count)
    return {
        (one.scope, one.metadata["flavor"], begin): quantity
        for one in asked.collect(of_kind, window, scopes)
        for begin, quantity in one.points
    }


def test_one_question_a_metric_however_many_scopes_and_periods() -> None:
    history = History([], ATTRIBUTES)
    asked = GnocchiCollector(history, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    assert list(asked.collect(metric(), Window(SIX, HOUR, 7), ["p1", "p2", "p3"])) == []
    [question] = history.questions
    assert (question.start, question.stop) == (SIX, SIX + 9 * HOUR)
    assert question.groupby == [
        "flavor", "id", "project_id", "revision_end", "revision_start", "started_at",
    ]  # fmt: skip
    assert question.scopes == ["p1", "p2", "p3"]


def test_the_scope_and_the_resource_are_always_labels() -> None:
    asked = collector(instance("r1", [(-60, "p1", "m1")], {0: 5.0}))
    [one] = asked.collect(
        metric(groupby=(), metadata=("id", "vcpus")), Window(SIX, HOUR, 1), ["p1"]
    )
    assert one.groupby == {"id": "r1", "project_id": "p1"}
    assert one.metadata == {"vcpus": "1"}


def test_metadata_that_the_resource_type_lacks_is_an_empty_label_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = collector(instance("r1", [(-60, "p1", "m1")], {0: 5.0}))
    for _ in range(2):
        [one] = asked.collect(metric(metadata=("flavor", "image")), Window(SIX, HOUR, 1), ["p1"])
        assert one.metadata == {"flavor": "m1", "image": ""}
    assert caplog.messages == [
        "instance: Gnocchi's resource type 'instance' has no attribute 'image'; "
        "the label stays empty"
    ]


def test_a_resource_type_that_gnocchi_lacks_is_silence_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Bare(History):
        def attributes(self, resource_type: str) -> None:
            return None

    asked = GnocchiCollector(Bare([]), "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    for _ in range(2):
        assert list(asked.collect(metric(), Window(SIX, HOUR, 1), ["p1"])) == []
    assert caplog.messages == ["Gnocchi has no resource type 'instance': instance is silent"]


def test_a_scope_key_that_the_resource_type_lacks_is_for_an_operator() -> None:
    asked = GnocchiCollector(History([], ATTRIBUTES), "domain_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    with pytest.raises(errors.OperatorError, match="'instance' has no domain_id"):
        list(asked.collect(metric(groupby=()), Window(SIX, HOUR, 1), ["d1"]))


def test_a_metric_that_was_read_for_another_collector_is_a_programming_error() -> None:
    class Other:
        pass

    other = metric()
    object.__setattr__(other, "extra_args", Other())
    with pytest.raises(TypeError, match="not read for Gnocchi"):
        list(collector().collect(other, Window(SIX, HOUR, 1), ["p1"]))


# Promise 13 ---------------------------------------------------------------------------------

HOURS = 5


@st.composite
def clouds(draw: st.DrawFn) -> list[Resource]:
    """Some instances of two projects; they change flavors and hands."""
    resources = []
    for number in range(draw(st.integers(1, 4))):
        cuts = draw(st.lists(st.integers(-100, 360), min_size=1, max_size=4, unique=True))
        owners = st.sampled_from(["p1", "p2"])
        turns = [(cut, draw(owners), draw(st.sampled_from("abc"))) for cut in sorted(cuts)]
        minutes = draw(st.sets(st.integers(-2, 14), max_size=17))
        buckets = {30 * half: draw(st.integers(0, 999)) / 8 for half in minutes}
        whole = instance(f"r{number}", turns, buckets)
        known = draw(st.sampled_from([*range(len(whole.phases)), None]))
        ended = SIX + draw(st.integers(-60, 300)) * MINUTE
        phases = [
            dataclasses.replace(phase, ended_at=None if known is None or index < known else ended)
            for index, phase in enumerate(whole.phases)
        ]
        # A resource is recorded when it begins, or later.
        started = whole.phases[0].start - draw(st.integers(0, 120)) * MINUTE
        resources.append(dataclasses.replace(whole, phases=phases, started_at=started))
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
    kind = (1800, method, reducer, prorate)
    whole = frames(collector(*cloud), 0, HOURS, ["p1", "p2"], *kind)
    parts: Frames = {}
    for first, end in itertools.pairwise([0, *sorted(cuts), HOURS]):
        for scopes in [["p2", "p1"]] if together else [["p1"], ["p2"]]:
            parts |= frames(collector(*cloud), first, end - first, scopes, *kind)
    assert parts == whole


TRANSFERRED = instance(
    "r1", [(-600, "p1", "a"), (200, "p2", "a")], {at: 6.0 for at in range(0, 600, 60)}
)


def test_a_resource_that_changes_hands_is_charged_to_each_for_the_hour_it_happens() -> None:
    found = frames(collector(TRANSFERRED), 0, HOURS, ["p1", "p2"])
    assert {(scope, (begin - SIX) // HOUR) for scope, _, begin in found} == {
        ("p1", 0), ("p1", 1), ("p1", 2), ("p1", 3), ("p2", 3), ("p2", 4),
    }  # fmt: skip
    assert set(found.values()) == {Decimal(6)}


def test_what_a_new_owner_pays_does_not_depend_on_who_is_asked_for_together() -> None:
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


# Counters, queries, lives --------------------------------------------------------------------


def test_a_counter_that_changes_hands_is_charged_once() -> None:
    """Each bucket's growth to whoever had it at the begin of the bucket."""
    counting = instance(
        "r1", [(-600, "p1", "a"), (202, "p2", "a")], {at: 100.0 + at for at in range(-60, 300, 5)}
    )
    for granularity, buckets in ((300, counting.buckets), (3600, {
        at: value for at, value in counting.buckets.items() if at.minute == 0
    })):  # fmt: skip
        one = dataclasses.replace(counting, buckets=buckets)
        found = frames(collector(one), 0, 5, ["p1", "p2"], granularity, "max", "rate:sum")
        assert sum(found.values()) == 300
        assert found["p1", "a", SIX] == 60


def test_a_question_about_a_counter_reaches_one_period_back() -> None:
    history = History([], ATTRIBUTES)
    asked = GnocchiCollector(history, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    args = GnocchiArgs("instance", re_aggregation_method="rate:max", force_granularity=300)
    list(asked.collect(metric(args=args), Window(SIX, HOUR, 7), ["p1"]))
    [question] = history.questions
    assert (question.start, question.stop) == (SIX - HOUR, SIX + 9 * HOUR)


def test_a_query_asks_for_the_aggregate_and_does_the_rest_itself() -> None:
    resized = instance("r1", [(-600, "p1", "small"), (20, "p1", "large")], {0: 10.0})
    history = History([resized], ATTRIBUTES)
    asked = GnocchiCollector(history, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    args = GnocchiArgs(
        "instance",
        custom_query="(+ 2 (* 0.1 (aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME last))))",
    )
    found = {
        one.metadata["flavor"]: one.points[0][1]
        for one in asked.collect(metric(args=args), Window(SIX, HOUR, 1), ["p1"])
    }
    assert found == {"small": 1, "large": 2}
    assert (history.questions[0].metric, history.questions[0].aggregation_method) == ("cpu", "last")


def test_a_query_may_name_another_metric_and_a_counter() -> None:
    counting = instance("r1", [(-600, "p1", "a")], {-60: 5.0, 0: 8.0})
    history = History([counting], ATTRIBUTES)
    asked = GnocchiCollector(history, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    args = GnocchiArgs("instance", custom_query="(* 2 (aggregate rate:max (metric cpu.time last)))")
    [one] = asked.collect(metric(args=args), Window(SIX, HOUR, 1), ["p1"])
    assert one.points == [(SIX, Decimal(6))]
    assert history.questions[0].metric == "cpu.time"


def test_a_sum_is_converted_whole_by_whole_before_it_is_shared() -> None:
    resized = instance("r1", [(-600, "p1", "small"), (20, "p1", "large")], {0: 10.0, 30: 4.0})
    args = GnocchiArgs(
        "instance", aggregation_method="sum", force_granularity=1800,
        custom_query="(- (aggregate sum (metric METRIC_NAME AGGREGATION_METHOD)) 1)",
    )  # fmt: skip
    asked = collector(resized)
    found = {
        one.metadata["flavor"]: one.points[0][1]
        for one in asked.collect(metric(args=args), Window(SIX, HOUR, 1), ["p1"])
    }
    assert found == {"small": 6, "large": 6}


def test_a_deletion_is_found_though_it_has_no_bucket() -> None:
    alive = instance("r1", [(-600, "p1", "a"), (20, "p1", "a")], {0: 6.0, 5: 6.0, 10: 6.0, 15: 6.0})
    ended = dataclasses.replace(alive.phases[1], ended_at=SIX + 20 * MINUTE)
    deleted = dataclasses.replace(alive, phases=[alive.phases[0], ended])
    found = frames(collector(deleted), 0, HOURS, ["p1"], 300, prorate=True)
    assert found == {("p1", "a", SIX): 2}


def test_an_end_is_looked_up_only_where_it_is_asked_for() -> None:
    class Endless(History):
        def ends(self, question: AggregateQuery) -> Any:
            raise AssertionError("nobody asked")

    asked = GnocchiCollector(
        Endless([TRANSFERRED], ATTRIBUTES), "project_id", HOUR, 2 * HOUR  # type: ignore[arg-type]
    )  # fmt: skip
    assert frames(asked, 0, 1, ["p1"])
    with pytest.raises(AssertionError):
        frames(asked, 0, 1, ["p1"], prorate=True)


def test_a_metric_that_nobody_has_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    asked = collector()
    for _ in range(2):
        assert list(asked.collect(metric(), Window(SIX, HOUR, 1), ["p1"])) == []
    [message] = caplog.messages
    assert "no measures of 'cpu'" in message

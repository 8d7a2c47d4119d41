"""Less usual keys of metrics.yml on a real Gnocchi: counters, custom queries, proration."""

import datetime
import itertools
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import pytest

from ratekit.cmd import configuration
from ratekit.collectors.gnocchi import custom_query
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import EPOCH, Window
from ratekit.domain.usage.metric import Metric, Mutate
from tests import builders, stack
from tests.builders import HOUR
from tests.functional.conftest import FULL
from tests.functional.quantities import round_half_even
from tests.stack.plan import Resource

MICROSECOND = datetime.timedelta(microseconds=1)
SECOND = datetime.timedelta(seconds=1)
DAY = datetime.timedelta(days=1)
#: (resource's id, hour after the plan's start) -> quantity of all flavors together
Usage = dict[tuple[str, int], Fraction]
FirstValue = Literal["ignore", "count"]


class CloudUsage:
    """The collector on the real cloud, and the plan's measures."""

    def __init__(self, cloud: stack.Stack) -> None:
        self.cloud = cloud
        self.plan = cloud.plan()
        self.hours = (self.plan.end - self.plan.begin) // HOUR
        conf: Any = configuration.load_for_rating(
            "functional", ["--config-file", str(cloud.conf_path)]
        )
        self._collector = GnocchiCollector.from_conf(conf)

    def instances(self) -> list[Resource]:
        return [resource for resource in self.plan.resources if resource.measures.get("cpu")]

    def frames(self, metric: Metric, first: int, count: int) -> dict[Any, Decimal]:
        window = Window(self.plan.begin + first * HOUR, HOUR, count)
        return {
            (
                series.groupby["id"],
                series.metadata["flavor_name"],
                (begin - self.plan.begin) // HOUR,
            ): quantity
            for series in self._collector.collect(
                metric, window, list(self.cloud.project_ids.values())
            )
            for begin, quantity in series.points
        }

    def _single_hours(self) -> set[int]:
        """Return all hours; in the short profile the first, the last, and those of changes."""
        turn = (self.plan.turning_hour - self.plan.begin) // HOUR
        some = {0, 1, *range(turn - 2, turn + 4), self.hours - 1}
        return set(range(self.hours)) if FULL else some

    def totals(self, metric: Metric) -> Usage:
        """Return the usage of the whole plan; single hours must give the same."""
        whole = self.frames(metric, 0, self.hours)
        parts: dict[Any, Decimal] = {}
        hours = self._single_hours()
        for hour in hours:
            parts |= self.frames(metric, hour, 1)
        assert parts == {key: whole[key] for key in whole if key[2] in hours}
        sums: Usage = {}
        for (id_, _, hour), quantity in whole.items():
            sums[id_, hour] = sums.get((id_, hour), Fraction(0)) + Fraction(quantity)
        return sums


@pytest.fixture(scope="module")
def usage(cloud: stack.Stack) -> CloudUsage:
    return CloudUsage(cloud)


def metric(args: GnocchiArgs, mutate: Mutate = Mutate.NONE, prorate: bool = False) -> Metric:
    return builders.metric(
        unit="ns",
        groupby=("id",),
        metadata=("flavor_name",),
        mutate=mutate,
        extra_args=args,
        prorate=prorate,
    )


@pytest.mark.parametrize("granularity", [300, 3600])
def test_a_prorated_instance_is_charged_for_the_time_it_existed(
    usage: CloudUsage, granularity: int
) -> None:
    """Also instances that are created, resized, renamed or deleted within an hour."""
    args = GnocchiArgs("instance", aggregation_method="mean", force_granularity=granularity)
    totals = usage.totals(metric(args, Mutate.NUMBOOL, prorate=True))
    expected = {}
    for instance in usage.instances():
        for hour, begin in enumerate(usage.plan.hours()):
            start = max(begin, instance.started_at)
            end = min(begin + HOUR, instance.ended_at or begin + HOUR)
            if start < end and instance.values("cpu", begin, begin + HOUR):
                share = Fraction((end - start) // MICROSECOND, HOUR // MICROSECOND)
                expected[str(instance.id), hour] = share
    # The labels' shares add up.
    assert totals == {key: Fraction(round_half_even(expected[key], 18)) for key in expected}
    assert any(share < 1 for share in expected.values())


@pytest.mark.parametrize("first_value", ["ignore", "count"])
@pytest.mark.parametrize("granularity", [300, 3600])
def test_an_hour_of_a_counter_is_its_growth(
    usage: CloudUsage, granularity: int, first_value: FirstValue
) -> None:
    args = GnocchiArgs(
        "instance", aggregation_method="last", re_aggregation_method="rate:sum",
        force_granularity=granularity, first_value=first_value,
    )  # fmt: skip
    totals = usage.totals(metric(args))
    expected: Usage = {}
    for instance in usage.instances():
        counter: dict[datetime.datetime, Decimal] = {}
        for measure in instance.measures["cpu"]:
            counter[measure.at - (measure.at - EPOCH) % (granularity * SECOND)] = measure.value
        if first_value == "count" and instance.started_at >= min(counter) - DAY:
            # No bucket is there, but the counter started with its resource.
            counter = {min(counter) - granularity * SECOND: Decimal(0), **counter}
        for (_, before), (begin, value) in itertools.pairwise(sorted(counter.items())):
            key = str(instance.id), (begin - usage.plan.begin) // HOUR
            expected[key] = expected.get(key, Fraction(0)) + Fraction(value - before)
    assert expected.keys() == totals.keys()
    # A cut bucket is known to 15 digits; nanoseconds are whole.
    assert all(abs(totals[key] - expected[key]) < 1 for key in expected)


@pytest.mark.parametrize("first_value", ["ignore", "count"])
def test_a_counter_without_an_earlier_value_has_no_usage(
    usage: CloudUsage, first_value: FirstValue
) -> None:
    """The first value of a new resource is usage only if its counter started with it."""
    args = GnocchiArgs(
        "instance", aggregation_method="last", re_aggregation_method="rate:max",
        force_granularity=3600, first_value=first_value,
    )  # fmt: skip
    totals = usage.totals(metric(args))
    created = str(usage.plan.resource("created").id)
    turn = (usage.plan.turning_hour - usage.plan.begin) // HOUR
    assert ((created, turn) in totals) == (first_value == "count")
    assert (created, turn + 1) in totals


QUERIES = [
    "(* 2 {})", "(/ {} 1073741824)", "(- {} 1000000000)", "(- 0.5 (neg {}))", "(abs (- 7 {}))",
    "(floor (/ {} 1000.5))", "(ceil (* {} 0.001))", "(% {} 997)", "(max {} 12000000000)",
    "(clip {} 1000 90000000000)", "(clip_min {} 5e9)", "(clip_max {} 5e9)", "(** (/ {} 1e9) 2)",
    "(> {} 60000000000)", "(+ (* {} 3) (/ 1 8))", "(clip {} 7)", "(negative (absolute {}))",
    "(mod (div {} 1000) 60)", "(add (mul {} 2) (sub 1 4))", "(pow (div {} 1e9) 3)", "(!= {} 0)",
]  # fmt: skip


@pytest.mark.parametrize("template", QUERIES)
def test_a_custom_query_gives_gnocchis_values_on_whole_buckets(
    usage: CloudUsage, template: str
) -> None:
    text = template.format("(aggregate mean (metric cpu mean))")
    instance = usage.plan.resource("renamed")
    project = usage.cloud.project_ids[instance.project]
    expected = gnocchi_values(usage.cloud, project, text)
    values = gnocchi_values(usage.cloud, project, "(aggregate mean (metric cpu mean))")
    convert = custom_query.read(text).convert
    assert convert is not None
    assert expected.keys() == values.keys()
    assert len(expected) > 100
    for key, value in values.items():
        assert float(convert(Decimal(repr(value)))) == pytest.approx(expected[key], rel=1e-12), key


def gnocchi_values(
    cloud: stack.Stack, project: str, operations: str
) -> Mapping[tuple[str, str], float]:
    """Return Gnocchi's values, without history: (resource's id, start) -> value."""
    response = cloud.session().post(
        f"{cloud.gnocchi_url}/v1/aggregates",
        params={"groupby": "id", "granularity": 3600},
        json={
            "operations": operations,
            "resource_type": "instance",
            "search": {"and": [{"=": {"project_id": project}}, {"=": {"type": "instance"}}]},
        },
    )
    return {
        (row["group"]["id"], begin): value
        for row in response.json()
        for begin, _, value in row["measures"]["measures"]["aggregated"]
    }


def test_a_custom_query_of_a_resized_instance_is_split_like_its_plain_value(
    usage: CloudUsage,
) -> None:
    """Gnocchi would also scale the amount that the query adds."""
    plain = GnocchiArgs("instance", aggregation_method="mean")
    text = "(+ 1000 (aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD)))"
    queried = GnocchiArgs("instance", aggregation_method="mean", custom_query=text)
    before, after = usage.totals(metric(plain)), usage.totals(metric(queried))
    assert after == {key: quantity + 1000 for key, quantity in before.items()}

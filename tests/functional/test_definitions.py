"""What metrics.yml's less usual keys mean on a real Gnocchi: counters, queries, lives."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from ratekit.cmd import configuration
from ratekit.collectors.gnocchi import custom_query
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import Window
from ratekit.domain.usage.metric import Metric, Mutate
from tests import stack
from tests.stack.plan import Resource

HOUR = datetime.timedelta(hours=1)
MICROSECOND = datetime.timedelta(microseconds=1)
#: (resource's id, hour after the plan's begin) -> quantity of all flavors together
Used = dict[tuple[str, int], Fraction]


class Market:
    """The collector on the real cloud, and what was measured there."""

    def __init__(self, cloud: stack.Stack) -> None:
        self.cloud = cloud
        self.plan = cloud.plan()
        self.hours = (self.plan.end - self.plan.begin) // HOUR
        conf: Any = configuration.load_for_rating(
            "functional", ["--config-file", str(cloud.conf_path)]
        )
        self._collector = GnocchiCollector.from_conf(conf)

    def instances(self) -> list[Resource]:
        return [one for one in self.plan.resources if one.measures.get("cpu")]

    def frames(self, metric: Metric, first: int, count: int) -> dict[Any, Decimal]:
        window = Window(self.plan.begin + first * HOUR, HOUR, count)
        return {
            (one.groupby["id"], one.metadata["flavor_name"], (begin - self.plan.begin) // HOUR): of
            for one in self._collector.collect(
                metric, window, list(self.cloud.project_ids.values())
            )
            for begin, of in one.points
        }

    def used(self, metric: Metric) -> Used:
        """The whole plan at once, which must be what its hours are one by one."""
        whole = self.frames(metric, 0, self.hours)
        parts: dict[Any, Decimal] = {}
        for hour in range(self.hours):
            parts |= self.frames(metric, hour, 1)
        assert parts == whole
        sums: Used = {}
        for (id_, _, hour), quantity in whole.items():
            sums[id_, hour] = sums.get((id_, hour), Fraction(0)) + Fraction(quantity)
        return sums


@pytest.fixture(scope="module")
def market(cloud: stack.Stack) -> Market:
    return Market(cloud)


def metric(args: GnocchiArgs, mutate: Mutate = Mutate.NONE, prorate: bool = False) -> Metric:
    return Metric(
        "cpu", "cpu", "ns", Fraction(1), Fraction(0), ("id",), ("flavor_name",), mutate, args,
        prorate=prorate,
    )  # fmt: skip


@pytest.mark.parametrize("granularity", [300, 3600])
def test_an_instance_costs_the_time_it_existed(market: Market, granularity: int) -> None:
    """Those that were born, resized, renamed and deleted within an hour too."""
    args = GnocchiArgs("instance", aggregation_method="mean", force_granularity=granularity)
    found = market.used(metric(args, Mutate.NUMBOOL, prorate=True))
    expected = {}
    for instance in market.instances():
        for hour, begin in enumerate(market.plan.hours()):
            born = max(begin, instance.started_at)
            died = min(begin + HOUR, instance.ended_at or begin + HOUR)
            if born < died and instance.values("cpu", begin, begin + HOUR):
                share = Fraction((died - born) // MICROSECOND, HOUR // MICROSECOND)
                expected[str(instance.id), hour] = share
    assert found.keys() == expected.keys()
    # The labels' shares are rounded to 18 places each.
    assert all(abs(found[key] - expected[key]) <= Fraction(1, 10**18) for key in expected)
    assert any(share < 1 for share in expected.values())


@pytest.mark.parametrize("granularity", [300, 3600])
def test_an_hour_of_a_counter_is_what_it_grew_by(market: Market, granularity: int) -> None:
    args = GnocchiArgs(
        "instance", aggregation_method="last", re_aggregation_method="rate:sum",
        force_granularity=granularity,
    )  # fmt: skip
    found = market.used(metric(args))
    expected = {}
    for instance in market.instances():
        for hour, begin in enumerate(market.plan.hours()):
            now = instance.values("cpu", begin, begin + HOUR)
            before = instance.values("cpu", begin - HOUR, begin)
            if now and before:
                expected[str(instance.id), hour] = now[-1] - before[-1]
            elif now and instance.started_at >= begin - HOUR:
                expected[str(instance.id), hour] = now[-1]
    assert expected.keys() <= found.keys()
    # A cut bucket is known to 15 digits; nanoseconds are whole.
    assert all(abs(found[key] - Fraction(expected[key])) < 1 for key in expected)


def test_reading_back_a_period_finds_no_more_than_there_is(market: Market) -> None:
    """The first hour of what is older than the plan can be compared with nothing."""
    args = GnocchiArgs(
        "instance", aggregation_method="last", re_aggregation_method="rate:max",
        force_granularity=3600,
    )  # fmt: skip
    old = {str(one.id) for one in market.instances() if one.started_at < market.plan.begin - HOUR}
    found = market.used(metric(args))
    assert not any((id_, 0) in found for id_ in old)


QUERIES = [
    "(* 2 {})", "(/ {} 1073741824)", "(- {} 1000000000)", "(- 0.5 (neg {}))", "(abs (- 7 {}))",
    "(floor (/ {} 1000.5))", "(ceil (* {} 0.001))", "(% {} 997)", "(max {} 12000000000)",
    "(clip {} 1000 90000000000)", "(clip_min {} 5e9)", "(clip_max {} 5e9)", "(** (/ {} 1e9) 2)",
    "(> {} 60000000000)", "(+ (* {} 3) (/ 1 8))", "(clip {} 7)", "(negative (absolute {}))",
    "(mod (div {} 1000) 60)", "(add (mul {} 2) (sub 1 4))", "(pow (div {} 1e9) 3)", "(!= {} 0)",
]  # fmt: skip


@pytest.mark.parametrize("template", QUERIES)
def test_a_query_yields_what_gnocchi_yields_on_whole_buckets(market: Market, template: str) -> None:
    text = template.format("(aggregate mean (metric cpu mean))")
    instance = market.plan.resource("renamed")
    project = market.cloud.project_ids[instance.project]
    theirs = gnocchis(market.cloud, project, text)
    values = gnocchis(market.cloud, project, "(aggregate mean (metric cpu mean))")
    convert = custom_query.read(text).convert
    assert convert is not None
    assert theirs.keys() == values.keys()
    assert len(theirs) > 100
    for key, value in values.items():
        assert float(convert(Decimal(repr(value)))) == pytest.approx(theirs[key], rel=1e-12), key


def gnocchis(cloud: stack.Stack, project: str, operations: str) -> Mapping[tuple[str, str], float]:
    """Gnocchi's own answer, without history: (resource's id, begin) -> value."""
    answer = cloud.session().post(
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
        for row in answer.json()
        for begin, _, value in row["measures"]["measures"]["aggregated"]
    }


def test_a_query_of_a_resized_instance_is_shared_like_its_plain_value(market: Market) -> None:
    """Gnocchi would scale what the query adds, too."""
    plain = GnocchiArgs("instance", aggregation_method="mean")
    text = "(+ 1000 (aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD)))"
    queried = GnocchiArgs("instance", aggregation_method="mean", custom_query=text)
    before, after = market.used(metric(plain)), market.used(metric(queried))
    assert before.keys() == after.keys()
    # Of hours that are shared, each share is rounded to 18 places.
    assert all(abs(after[key] - before[key] - 1000) <= Fraction(1, 10**17) for key in before)

"""What can be rated is, whatever archive policies some resources are under."""

from __future__ import annotations

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
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.usage.metric import Metric, Mutate
from tests.fakes import Phase, Resource
from tests.unit.collectors.gnocchi.archive import Archive, policy

HOUR = datetime.timedelta(hours=1)
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
WINDOW = Window(SIX, HOUR, 2)
GOOD = policy("good", {300: None, 3600: None})
POLICIES = (
    GOOD,
    policy("good too", {3600: None}),
    policy("fine", {300: None}),
    policy("odd", {420: None}),
    policy("extremes", {300: None, 3600: None}, ("max", "min")),
)
HOURLY = GnocchiArgs("instance", aggregation_method="mean", force_granularity=3600)
FINE = GnocchiArgs("instance", aggregation_method="mean", force_granularity=300)
ANY = GnocchiArgs("instance", aggregation_method="mean", force_granularity=0)


def metric(args: GnocchiArgs, name: str = "cpu") -> Metric:
    return Metric(
        name=name,
        public_name="instance",
        unit="h",
        factor=Fraction(1),
        offset=Fraction(0),
        groupby=(),
        metadata=("flavor",),
        mutate=Mutate.NONE,
        extra_args=args,
    )


def resource(id_: str, *owners: str, value: float = 8.0) -> Resource:
    """It was there long before six, and changed hands at seven if it did."""
    cuts = [SIX - 10 * HOUR, *(SIX + (1 + n) * HOUR for n in range(len(owners) - 1)), None]
    phases = [
        Phase(begin or SIX, end, {"project_id": owner, "flavor": "m1", "vcpus": "1"})
        for owner, (begin, end) in zip(owners, itertools.pairwise(cuts), strict=True)
    ]
    return Resource(id_, phases, {SIX + n * HOUR: value for n in range(4)})


class Clock:
    def __init__(self) -> None:
        self.now = SIX + 10 * HOUR

    def __call__(self) -> datetime.datetime:
        return self.now


class Cloud:
    """A collector over a cloud of so many good resources, ``g0`` and on, and others."""

    def __init__(self, good: int, others: Mapping[str, str], page: int = 1000) -> None:
        resources = [resource(f"g{n}", "p1") for n in range(good)]
        under = {f"g{n}": "good" for n in range(good)} | dict(others)
        resources += [resource(id_, "p2") for id_ in others]
        self.archive = Archive(resources, POLICIES, under, page)
        self.clock = Clock()
        client: Any = self.archive
        self.collector = GnocchiCollector(client, "project_id", HOUR, 2 * HOUR, clock=self.clock)
        self._last: tuple[Metric, Sequence[str]] = metric(FINE), ()

    def rated(self, args: GnocchiArgs, scopes: Sequence[str] = ("p1", "p2")) -> set[str | None]:
        """Ids of the resources that are rated, each for the whole window."""
        self._last = metric(args), scopes
        found = list(self.collector.collect(metric(args), WINDOW, scopes))
        for one in found:
            assert one.points == [(begin, Decimal(8)) for begin in WINDOW.begins()]
        return {one.groupby["id"] for one in found}

    def left_out(self) -> Sequence[Exclusion]:
        """What was not rated last time although it should be."""
        of, scopes = self._last
        return self.collector.exclusions(of, WINDOW, scopes)

    def asked(self) -> list[str]:
        """Names of the requests since the last call."""
        asked, self.archive.asked = self.archive.asked, []
        return asked


# One request where that will do ---------------------------------------------------------------


def test_a_normal_batch_asks_for_the_archive_policies_once_and_for_its_usage() -> None:
    cloud = Cloud(3, {})
    assert cloud.rated(FINE) == {"g0", "g1", "g2"}
    assert sorted(cloud.asked()) == ["aggregates", "archive_policies"]
    for _ in range(3):
        cloud.rated(FINE)
    assert cloud.asked() == ["aggregates"] * 3


# Faults -----------------------------------------------------------------------------------------


def test_one_bad_resource_among_two_hundred_costs_a_few_requests_once() -> None:
    cloud = Cloud(199, {"bad": "odd"})
    assert cloud.rated(FINE) == {f"g{n}" for n in range(199)}
    asked = cloud.asked()
    assert len(asked) - 1 <= 10, asked
    cloud.rated(FINE)
    assert cloud.asked() == ["aggregates"]
    assert cloud.archive.questions[-1].without == {"bad": frozenset({"p2"})}


def test_a_fault_is_told_once_and_listed_until_it_is_mended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    cloud = Cloud(2, {"bad": "odd", "worse": "extremes"})
    for _ in range(3):
        assert cloud.rated(FINE) == {"g0", "g1"}
        cloud.clock.now += HOUR
    remedy = (
        "delete that resource's metric 'cpu', so that it is made anew under another archive "
        "policy, or set force_granularity and aggregation_method to what all of them have"
    )
    lacks = {
        "bad": "Gnocchi keeps 'cpu' by archive policy 'odd', without a granularity of 300 s",
        "worse": "Gnocchi keeps 'cpu' by archive policy 'extremes', without the aggregation "
        "method 'mean'",
    }
    assert sorted(caplog.messages) == [
        f"instance: left out, and not charged for: resource {id_}: {reason}; {remedy}"
        for id_, reason in sorted(lacks.items())
    ]
    assert cloud.left_out() == [
        Exclusion("p2", "instance", id_, reason, remedy) for id_, reason in sorted(lacks.items())
    ]
    caplog.clear()
    cloud.archive.under["bad"] = "good"
    cloud.clock.now += HOUR
    assert cloud.rated(FINE) == {"g0", "g1", "bad"}
    assert caplog.messages == ["instance: no longer left out: 1 resources (bad)"]
    assert [one.resource for one in cloud.left_out()] == ["worse"]


def test_a_fault_that_appears_later_is_found_at_once() -> None:
    cloud = Cloud(2, {"bad": "odd", "later": "good"})
    assert cloud.rated(FINE) == {"g0", "g1", "later"}
    cloud.archive.under["later"] = "odd"
    cloud.clock.now += datetime.timedelta(seconds=11)
    assert cloud.rated(FINE) == {"g0", "g1"}


def test_who_has_no_faulty_resource_is_told_nothing_and_asked_for_plainly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cloud = Cloud(2, {"bad": "odd"})
    assert cloud.rated(FINE, ["p2"]) == set()
    caplog.clear()
    assert cloud.rated(FINE, ["p1"]) == {"g0", "g1"}
    assert caplog.messages == []
    assert cloud.archive.questions[-1].without == {}


def test_a_fault_of_another_resource_type_is_not_this_metrics() -> None:
    resources = [resource("g0", "p1"), resource("bad", "p1"), resource("alien", "p1")]
    under = {"g0": "good", "bad": "odd", "alien": "odd"}
    archive = Archive(resources, POLICIES, under, kinds={"alien": "port"})
    collector = GnocchiCollector(archive, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    assert len(list(collector.collect(metric(FINE), WINDOW, ["p1"]))) == 1
    assert [one.resource for one in collector.exclusions(metric(FINE), WINDOW, ["p1"])] == ["bad"]


def test_a_resource_that_ended_long_ago_is_left_out_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cloud = Cloud(2, {"dead": "odd", "dying": "odd"})
    cloud.archive.ended = {"dead": SIX - HOUR, "dying": SIX}
    assert cloud.rated(FINE) == {"g0", "g1"}
    assert set(cloud.archive.questions[-1].without) == {"dead", "dying"}
    assert [one.resource for one in cloud.left_out()] == ["dying"]
    assert len(caplog.messages) == 1


def test_nobody_is_held_for_what_ended_long_ago() -> None:
    cloud = Cloud(0, {"dead": "odd"})
    cloud.archive.ended = {"dead": SIX - HOUR}
    assert cloud.rated(FINE) == set()
    assert cloud.rated(ANY) == set()
    assert not cloud.left_out()


@pytest.mark.parametrize("args", [FINE, ANY])
def test_a_metric_that_lacks_it_everywhere_is_held_for_those_who_have_it(args: GnocchiArgs) -> None:
    cloud = Cloud(0, {"bad": "odd", "worse": "odd"})
    for _ in range(2):
        with pytest.raises(errors.OperatorError, match="2 under 'odd', which has not") as caught:
            cloud.rated(args)
        assert "instance: no resource of type 'instance' has the metric 'cpu'" in str(caught.value)
        assert cloud.rated(args, ["p1"]) == set()
    assert not cloud.left_out()
    assert cloud.asked().count("metrics") == 1


def test_a_refusal_that_no_archive_policy_explains_is_for_an_operator() -> None:
    cloud = Cloud(2, {"bad": "odd"})
    cloud.archive.metrics = lambda *_, **__: iter([([], False)])  # type: ignore[method-assign]
    with pytest.raises(errors.OperatorError, match="instance: Metrics cannot be aggregated"):
        cloud.rated(FINE)
    asked = len(cloud.asked())
    with pytest.raises(errors.OperatorError, match="instance: Metrics cannot be aggregated"):
        cloud.rated(FINE)
    assert len(cloud.asked()) < asked


def test_faults_are_all_found_however_many_pages_they_fill() -> None:
    cloud = Cloud(9, {f"bad{n}": "odd" for n in range(7)}, page=2)
    assert cloud.rated(FINE) == {f"g{n}" for n in range(9)}
    assert len(cloud.left_out()) == 7


def test_more_faults_than_anybody_could_mend_are_a_mistake_in_general() -> None:
    cloud = Cloud(1, {f"bad{n}": "odd" for n in range(5001)}, page=1000)
    for args in (FINE, FINE, ANY):
        with pytest.raises(errors.OperatorError, match=r"more than 5,000 resources .*\(odd\)"):
            cloud.rated(args)
    # One census a setting, and those who have none of these are rated.
    assert cloud.asked().count("archive_policies") == 2
    assert cloud.rated(FINE, ["p1"]) == {"g0"}


# force_granularity: 0 -----------------------------------------------------------------------


def test_the_largest_granularity_in_use_is_one_request() -> None:
    cloud = Cloud(2, {"other": "good too"})
    assert cloud.rated(ANY) == {"g0", "g1", "other"}
    assert [one.granularity for one in cloud.archive.questions] == [3600]
    cloud.asked()
    cloud.rated(ANY)
    assert cloud.asked() == ["aggregates"]


def test_each_granularity_in_use_is_a_request() -> None:
    cloud = Cloud(2, {"f0": "fine", "bad": "odd"})
    assert cloud.rated(ANY) == {"g0", "g1", "f0"}
    [all_others, few] = cloud.archive.questions
    assert (all_others.granularity, all_others.only) == (3600, None)
    assert set(all_others.without) == {"f0", "bad"}
    assert (few.granularity, set(few.only or ())) == (300, {"f0"})
    assert "divides the collect period, 3600 s" in cloud.left_out()[0].reason
    cloud.rated(ANY, ["p1"])
    assert len(cloud.archive.questions) == 3


def test_of_each_granularity_but_one_every_resource_is_known() -> None:
    others = {f"f{n}": "fine" for n in range(7)}
    cloud = Cloud(9, others, page=2)
    assert cloud.rated(ANY) == {f"g{n}" for n in range(9)} | others.keys()
    [all_others, few] = cloud.archive.questions
    assert all_others.granularity == 3600
    assert set(all_others.without) == set(others)
    assert (few.granularity, few.only) == (300, dict.fromkeys(others, frozenset({"p2"})))


def test_equal_labels_from_two_requests_are_one_series() -> None:
    cloud = Cloud(0, {"a": "good", "b": "fine", "c": "fine"})
    args = GnocchiArgs(
        "instance", resource_key="flavor", aggregation_method="mean", force_granularity=0
    )
    [one] = cloud.collector.collect(metric(args), WINDOW, ["p2"])
    assert one.points == [(begin, Decimal(24)) for begin in WINDOW.begins()]


def test_a_metric_that_nobody_has_yet_is_looked_for_each_time() -> None:
    cloud = Cloud(0, {})
    for _ in range(2):
        assert cloud.rated(ANY) == set()
    cloud.archive.resources = [resource("new", "p1")]
    cloud.archive.under["new"] = "fine"
    assert cloud.rated(ANY) == {"new"}


# However policies are mixed -------------------------------------------------------------------

NAMES = [one.name for one in POLICIES]


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["p1", "p2", "p1 p2"])), max_size=9),
    st.sampled_from([FINE, HOURLY, ANY]),
    st.integers(1, 12),
    st.booleans(),
)
def test_every_resource_is_rated_once_or_told_of(
    kinds: list[tuple[str, str]], args: GnocchiArgs, page: int, together: bool
) -> None:
    resources = [resource(f"r{n}", *owners.split()) for n, (_, owners) in enumerate(kinds)]
    under = {f"r{n}": name for n, (name, _) in enumerate(kinds)}
    archive = Archive(resources, POLICIES, under, page)
    collector = GnocchiCollector(archive, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    will_do = {
        300: {"good", "fine"}, 3600: {"good", "good too"}, 0: {"good", "good too", "fine"},
    }[args.force_granularity]  # fmt: skip
    expected = {id_ for id_, name in under.items() if name in will_do}
    for scopes in [["p1", "p2"]] if together else [["p1"], ["p2"], ["p1"]]:
        owned = {
            one.id for one in resources
            if any(phase.attributes["project_id"] in scopes for phase in one.phases)
        }  # fmt: skip
        try:
            found = list(collector.collect(metric(args), WINDOW, scopes))
        except errors.OperatorError:
            assert not expected
            assert owned
            continue
        keys = [(one.groupby["id"], one.scope) for one in found]
        assert len(keys) == len(set(keys))
        assert {id_ for id_, _ in keys} == expected & owned
        assert all(quantity == 8 for one in found for _, quantity in one.points)
        left_out = {one.resource for one in collector.exclusions(metric(args), WINDOW, scopes)}
        assert left_out >= (owned - expected)
        assert not left_out & expected

"""Resources whose archive policies do not fit are excluded; all others are rated."""

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
from tests.unit.collectors.gnocchi.fake_gnocchi import FakeGnocchi, policy

HOUR = datetime.timedelta(hours=1)
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)
WINDOW = Window(SIX, HOUR, 2)
GOOD = policy("good", {300: None, 3600: None})
POLICIES = (
    GOOD,
    policy("good too", {3600: None}),
    policy("fine", {300: None}),
    policy("other", {420: None}),
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
    """A resource that existed long before six; at seven the second owner got it, if any."""
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


class PolicyCloud:
    """A collector over a Gnocchi with ``good`` resources, named ``g0`` and on, and others.

    :param policy_of: of the others: id -> name of the archive policy
    """

    def __init__(self, good: int, policy_of: Mapping[str, str], page: int = 1000) -> None:
        resources = [resource(f"g{n}", "p1") for n in range(good)]
        under = {f"g{n}": "good" for n in range(good)} | dict(policy_of)
        resources += [resource(id_, "p2") for id_ in policy_of]
        self.gnocchi = FakeGnocchi(resources, POLICIES, under, page)
        self.clock = Clock()
        client: Any = self.gnocchi
        self.collector = GnocchiCollector(client, "project_id", HOUR, 2 * HOUR, clock=self.clock)
        self._last: tuple[Metric, Sequence[str]] = metric(FINE), ()

    def rate(self, args: GnocchiArgs, scopes: Sequence[str] = ("p1", "p2")) -> set[str | None]:
        """Ids of the resources that are rated, each for the whole window."""
        self._last = metric(args), scopes
        result = list(self.collector.collect(metric(args), WINDOW, scopes))
        for series in result:
            assert series.points == [(begin, Decimal(8)) for begin in WINDOW.begins()]
        return {series.groupby["id"] for series in result}

    def exclusions(self) -> Sequence[Exclusion]:
        """The resources that were excluded last time."""
        last_metric, scopes = self._last
        return self.collector.exclusions(last_metric, WINDOW, scopes)

    def requests(self) -> list[str]:
        """Names of the requests since the last call."""
        names, self.gnocchi.requests = self.gnocchi.requests, []
        return names


# One request where possible --------------------------------------------------------------------


def test_a_normal_batch_asks_for_the_archive_policies_once_and_for_its_usage() -> None:
    cloud = PolicyCloud(3, {})
    assert cloud.rate(FINE) == {"g0", "g1", "g2"}
    assert sorted(cloud.requests()) == ["aggregates", "archive_policies"]
    for _ in range(3):
        cloud.rate(FINE)
    assert cloud.requests() == ["aggregates"] * 3


# Mismatches -------------------------------------------------------------------------------------


def test_one_bad_resource_among_two_hundred_costs_a_few_requests_once() -> None:
    cloud = PolicyCloud(199, {"bad": "other"})
    assert cloud.rate(FINE) == {f"g{n}" for n in range(199)}
    requests = cloud.requests()
    assert len(requests) - 1 <= 10, requests
    cloud.rate(FINE)
    assert cloud.requests() == ["aggregates"]
    assert cloud.gnocchi.queries[-1].excluded_ids == ["bad"]


def test_an_exclusion_is_logged_once_and_listed_until_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    cloud = PolicyCloud(2, {"bad": "other", "worse": "extremes"})
    for _ in range(3):
        assert cloud.rate(FINE) == {"g0", "g1"}
        cloud.clock.now += HOUR
    remedy = (
        "delete that resource's metric 'cpu', so that it is created again with another archive "
        "policy, or set force_granularity and aggregation_method to values that all archive "
        "policies in use have"
    )
    lacks = {
        "bad": "its metric 'cpu' has archive policy 'other', which lacks a granularity of 300 s",
        "worse": "its metric 'cpu' has archive policy 'extremes', which lacks the aggregation "
        "method 'mean'",
    }
    assert sorted(caplog.messages) == [
        f"instance: excluded from rating and not charged: resource {id_}: {reason}; {remedy}"
        for id_, reason in sorted(lacks.items())
    ]
    assert cloud.exclusions() == [
        Exclusion("p2", "instance", id_, reason, remedy) for id_, reason in sorted(lacks.items())
    ]
    caplog.clear()
    cloud.gnocchi.under["bad"] = "good"
    cloud.clock.now += HOUR
    assert cloud.rate(FINE) == {"g0", "g1", "bad"}
    assert caplog.messages == ["instance: no longer excluded from rating: 1 resource (bad)"]
    assert [exclusion.resource for exclusion in cloud.exclusions()] == ["worse"]


def test_a_mismatch_that_appears_later_is_found_at_once() -> None:
    cloud = PolicyCloud(2, {"bad": "other", "later": "good"})
    assert cloud.rate(FINE) == {"g0", "g1", "later"}
    cloud.gnocchi.under["later"] = "other"
    cloud.clock.now += datetime.timedelta(seconds=11)
    assert cloud.rate(FINE) == {"g0", "g1"}


def test_a_scope_without_excluded_resources_has_a_plain_query_and_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cloud = PolicyCloud(2, {"bad": "other"})
    assert cloud.rate(FINE, ["p2"]) == set()
    caplog.clear()
    assert cloud.rate(FINE, ["p1"]) == {"g0", "g1"}
    assert caplog.messages == []
    assert cloud.gnocchi.queries[-1].excluded_ids == []


def test_a_resource_of_another_type_is_no_exclusion() -> None:
    resources = [resource("g0", "p1"), resource("bad", "p1"), resource("alien", "p1")]
    under = {"g0": "good", "bad": "other", "alien": "other"}
    gnocchi = FakeGnocchi(resources, POLICIES, under, kinds={"alien": "port"})
    collector = GnocchiCollector(gnocchi, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    assert len(list(collector.collect(metric(FINE), WINDOW, ["p1"]))) == 1
    assert [
        exclusion.resource for exclusion in collector.exclusions(metric(FINE), WINDOW, ["p1"])
    ] == ["bad"]


def test_a_resource_that_ended_long_ago_is_excluded_without_a_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cloud = PolicyCloud(2, {"ended": "other", "ending": "other"})
    cloud.gnocchi.ended_at = {"ended": SIX - HOUR, "ending": SIX}
    assert cloud.rate(FINE) == {"g0", "g1"}
    assert set(cloud.gnocchi.queries[-1].excluded_ids) == {"ended", "ending"}
    assert [exclusion.resource for exclusion in cloud.exclusions()] == ["ending"]
    assert len(caplog.messages) == 1


def test_resources_that_ended_long_ago_stop_no_scope() -> None:
    cloud = PolicyCloud(0, {"ended": "other"})
    cloud.gnocchi.ended_at = {"ended": SIX - HOUR}
    assert cloud.rate(FINE) == set()
    assert cloud.rate(ANY) == set()
    assert not cloud.exclusions()


@pytest.mark.parametrize("args", [FINE, ANY])
def test_a_metric_that_fits_nowhere_stops_the_scopes_that_have_it(args: GnocchiArgs) -> None:
    cloud = PolicyCloud(0, {"bad": "other", "worse": "other"})
    for _ in range(2):
        with pytest.raises(
            errors.OperatorError, match="2 resources with 'other', which lacks"
        ) as caught:
            cloud.rate(args)
        assert "instance: no resource of type 'instance' has the metric 'cpu'" in str(caught.value)
        assert cloud.rate(args, ["p1"]) == set()
    assert not cloud.exclusions()
    assert cloud.requests().count("metrics") == 1


def test_a_refusal_that_no_archive_policy_explains_is_for_an_operator() -> None:
    cloud = PolicyCloud(2, {"bad": "other"})
    cloud.gnocchi.metrics = lambda *_, **__: iter([([], False)])  # type: ignore[method-assign]
    with pytest.raises(errors.OperatorError, match="instance: Metrics cannot be aggregated"):
        cloud.rate(FINE)
    count = len(cloud.requests())
    with pytest.raises(errors.OperatorError, match="instance: Metrics cannot be aggregated"):
        cloud.rate(FINE)
    assert len(cloud.requests()) < count


def test_mismatches_are_found_on_all_pages() -> None:
    cloud = PolicyCloud(9, {f"bad{n}": "other" for n in range(7)}, page=2)
    assert cloud.rate(FINE) == {f"g{n}" for n in range(9)}
    assert len(cloud.exclusions()) == 7


def test_too_many_mismatches_are_a_mistake_of_the_metric() -> None:
    cloud = PolicyCloud(1, {f"bad{n}": "other" for n in range(5001)}, page=1000)
    for args in (FINE, FINE, ANY):
        with pytest.raises(errors.OperatorError, match=r"more than 5,000 resources .*\(other\)"):
            cloud.rate(args)
    # One look-up for each setting; scopes without such resources are rated.
    assert cloud.requests().count("archive_policies") == 2
    assert cloud.rate(FINE, ["p1"]) == {"g0"}


# force_granularity: 0 -----------------------------------------------------------------------


def test_the_largest_granularity_in_use_is_one_request() -> None:
    cloud = PolicyCloud(2, {"other": "good too"})
    assert cloud.rate(ANY) == {"g0", "g1", "other"}
    assert [query.granularity for query in cloud.gnocchi.queries] == [3600]
    cloud.requests()
    cloud.rate(ANY)
    assert cloud.requests() == ["aggregates"]


def test_each_granularity_in_use_is_a_request() -> None:
    cloud = PolicyCloud(2, {"f0": "fine", "bad": "other"})
    assert cloud.rate(ANY) == {"g0", "g1", "f0"}
    [majority, minority] = cloud.gnocchi.queries
    assert (majority.granularity, majority.resource_ids) == (3600, None)
    assert set(majority.excluded_ids) == {"f0", "bad"}
    assert (minority.granularity, set(minority.resource_ids or ())) == (300, {"f0"})
    assert "divides the collect period, 3600 s" in cloud.exclusions()[0].reason
    cloud.rate(ANY, ["p1"])
    assert len(cloud.gnocchi.queries) == 3


def test_the_resources_of_all_granularities_but_the_largest_are_listed() -> None:
    policy_of = {f"f{n}": "fine" for n in range(7)}
    cloud = PolicyCloud(9, policy_of, page=2)
    assert cloud.rate(ANY) == {f"g{n}" for n in range(9)} | policy_of.keys()
    [majority, minority] = cloud.gnocchi.queries
    assert majority.granularity == 3600
    assert set(majority.excluded_ids) == set(policy_of)
    assert (minority.granularity, minority.resource_ids) == (300, sorted(policy_of))


def test_a_window_of_the_past_may_have_periods_of_another_length() -> None:
    cloud = PolicyCloud(1, {"hourly": "good too", "f0": "fine", "bad": "other"})
    half_hours = Window(SIX, HOUR / 2, 2)
    results = list(cloud.collector.collect(metric(ANY), half_hours, ["p1", "p2"]))
    assert {series.groupby["id"] for series in results} == {"g0", "f0"}
    assert [query.granularity for query in cloud.gnocchi.queries] == [300]
    exclusions = cloud.collector.exclusions(metric(ANY), half_hours, ["p1", "p2"])
    assert [exclusion.resource for exclusion in exclusions] == ["bad", "hourly"]
    assert all("1800 s" in exclusion.reason for exclusion in exclusions)
    # The routing of one length is not that of another.
    assert cloud.rate(ANY) == {"g0", "hourly", "f0"}


def test_equal_labels_from_two_requests_are_one_series() -> None:
    cloud = PolicyCloud(0, {"a": "good", "b": "fine", "c": "fine"})
    args = GnocchiArgs(
        "instance", resource_key="flavor", aggregation_method="mean", force_granularity=0
    )
    [series] = cloud.collector.collect(metric(args), WINDOW, ["p2"])
    assert series.points == [(begin, Decimal(24)) for begin in WINDOW.begins()]


def test_a_metric_without_resources_is_looked_up_each_time() -> None:
    cloud = PolicyCloud(0, {})
    for _ in range(2):
        assert cloud.rate(ANY) == set()
    cloud.gnocchi.resources = [resource("new", "p1")]
    cloud.gnocchi.under["new"] = "fine"
    assert cloud.rate(ANY) == {"new"}


# Any mixture of policies ------------------------------------------------------------------------

NAMES = [named.name for named in POLICIES]


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["p1", "p2", "p1 p2"])), max_size=9),
    st.sampled_from([FINE, HOURLY, ANY]),
    st.integers(1, 12),
    st.booleans(),
)
def test_every_resource_is_rated_once_or_excluded(
    kinds: list[tuple[str, str]], args: GnocchiArgs, page: int, together: bool
) -> None:
    resources = [resource(f"r{n}", *owners.split()) for n, (_, owners) in enumerate(kinds)]
    under = {f"r{n}": name for n, (name, _) in enumerate(kinds)}
    gnocchi = FakeGnocchi(resources, POLICIES, under, page)
    collector = GnocchiCollector(gnocchi, "project_id", HOUR, 2 * HOUR)  # type: ignore[arg-type]
    fitting_names = {
        300: {"good", "fine"}, 3600: {"good", "good too"}, 0: {"good", "good too", "fine"},
    }[args.force_granularity]  # fmt: skip
    expected = {id_ for id_, name in under.items() if name in fitting_names}
    for scopes in [["p1", "p2"]] if together else [["p1"], ["p2"], ["p1"]]:
        owned = {
            owned_resource.id for owned_resource in resources
            if any(phase.attributes["project_id"] in scopes for phase in owned_resource.phases)
        }  # fmt: skip
        try:
            result = list(collector.collect(metric(args), WINDOW, scopes))
        except errors.OperatorError:
            assert not expected
            assert owned
            continue
        keys = [(series.groupby["id"], series.scope) for series in result]
        assert len(keys) == len(set(keys))
        assert {id_ for id_, _ in keys} == expected & owned
        assert all(quantity == 8 for series in result for _, quantity in series.points)
        excluded = {
            exclusion.resource for exclusion in collector.exclusions(metric(args), WINDOW, scopes)
        }
        assert excluded >= (owned - expected)
        assert not excluded & expected

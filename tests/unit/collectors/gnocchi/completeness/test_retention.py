"""Windows with expired usage are refused, and no others."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit import errors
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.formats import timespan
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import Window
from ratekit.domain.usage.metric import Metric, Mutate
from tests.fakes import Phase, Resource
from tests.unit.collectors.gnocchi.fake_gnocchi import FakeGnocchi, policy

HOUR = datetime.timedelta(hours=1)
#: Midnight; hours below are counted from here.
ZERO = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
#: Six hours of 300 s; the newest is its own bucket, so it reaches back that much less five minutes.
SHORT = policy("short", {300: 6, 3600: 100})
LONG = policy("long", {300: 100, 3600: None})
METRIC = Metric(
    name="cpu",
    public_name="instance",
    unit="h",
    factor=Fraction(1),
    offset=Fraction(0),
    groupby=(),
    metadata=(),
    mutate=Mutate.NONE,
    extra_args=GnocchiArgs("instance", aggregation_method="mean", force_granularity=300),
)


def resource(id_: str, first: float, last: float, owner: str = "p1") -> Resource:
    """A resource with measures every five minutes, from the first hour to the last."""
    steps = range(int(first * 12), int(last * 12))
    phases = [Phase(ZERO + first * HOUR, None, {"project_id": owner})]
    return Resource(id_, phases, {ZERO + n * HOUR / 12: float(n) for n in steps})


def expire(source: Resource, hours: float) -> Resource:
    """The resource with the buckets that an archive policy keeps."""
    oldest = max(source.buckets) - hours * HOUR
    buckets = {begin: value for begin, value in source.buckets.items() if begin > oldest}
    return Resource(source.id, source.phases, buckets)


class RetentionCloud:
    """Resources, all under SHORT unless ``under`` says otherwise; it is hour ``now``."""

    def __init__(
        self,
        now: float,
        *resources: Resource,
        under: Mapping[str, str] | None = None,
        allow_expired: bool = False,
    ) -> None:
        policy_of = {member.id: "short" for member in resources} | dict(under or {})
        self.gnocchi = FakeGnocchi(resources, [SHORT, LONG], policy_of)
        client: Any = self.gnocchi
        self.collector = GnocchiCollector(
            client, "project_id", HOUR, 2 * HOUR,
            allow_expired=allow_expired, clock=lambda: ZERO + now * HOUR,
        )  # fmt: skip

    def points(self, first: int, count: int, scopes: Sequence[str] = ("p1",)) -> list[Any]:
        window = Window(ZERO + first * HOUR, HOUR, count)
        result = self.collector.collect(METRIC, window, scopes)
        return [(series.groupby["id"], *point) for series in result for point in series.points]

    def frames(self, first: int, count: int, scopes: Sequence[str] = ("p1",)) -> int:
        return len(self.points(first, count, scopes))


def test_what_is_recent_enough_costs_no_request() -> None:
    cloud = RetentionCloud(12, resource("r1", 0, 12))
    assert cloud.frames(7, 2) == 2
    assert sorted(cloud.gnocchi.requests) == ["aggregates", "archive_policies"]


def test_expired_usage_is_refused_with_a_remedy() -> None:
    cloud = RetentionCloud(12, resource("r1", 0, 12))
    with pytest.raises(errors.OperatorError) as caught:
        cloud.frames(2, 2)
    assert str(caught.value) == (
        "instance: usage that is to be rated has expired in Gnocchi: archive policy 'short' keeps "
        "300 s aggregates of 'cpu' for 6 h; those of resource r1 start at 2026-01-01T06:00Z, "
        "and the usage to rate at 2026-01-01T02:00Z; rate what is left with ratekit-processor "
        "--once --allow-expired, or skip it with ratekit scope deactivate, then ratekit scope "
        "activate --from TIME; an archive policy that keeps aggregates longer helps from then on"
    )


def test_what_is_left_is_rated_with_allow_expired(caplog: pytest.LogCaptureFixture) -> None:
    cloud = RetentionCloud(12, expire(resource("r1", 0, 12), 6), allow_expired=True)
    for _ in range(2):
        assert cloud.frames(4, 4) == 2
    [message] = caplog.messages
    assert message.endswith("; rating what is left because of --allow-expired")


def test_a_policy_that_the_metric_does_not_use_stops_no_scope() -> None:
    cloud = RetentionCloud(12, resource("r1", 0, 12), under={"r1": "long"})
    for _ in range(2):
        assert cloud.frames(2, 2) == 2
    # Whether it is used is cached for a while.
    assert cloud.gnocchi.requests.count("metrics") == 1


def test_a_scope_without_expired_usage_is_not_stopped_by_others() -> None:
    cloud = RetentionCloud(
        12, resource("r1", 0, 12), resource("r2", 0, 12, "p2"), under={"r2": "long"}
    )  # fmt: skip
    assert cloud.frames(2, 2, ["p2"]) == 2
    with pytest.raises(errors.OperatorError):
        cloud.frames(2, 2, ["p1", "p2"])


def test_a_new_resource_has_no_expired_usage_before_its_start() -> None:
    cloud = RetentionCloud(12, resource("r1", 9, 12))
    assert cloud.frames(0, 12) == 3


def test_a_metric_without_new_measures_loses_nothing_more() -> None:
    cloud = RetentionCloud(500, resource("r1", 0, 5))
    assert cloud.frames(0, 5) == 5
    stopped_later = RetentionCloud(500, resource("r1", 0, 7))
    with pytest.raises(errors.OperatorError):
        stopped_later.frames(0, 5)


@pytest.mark.parametrize(("newest", "refused"), [(94, False), (95, True), (96, True), (97, True)])
def test_it_is_refused_from_one_bucket_before_the_first_one_expires(
    newest: int, refused: bool
) -> None:
    """Hour 2 begins with bucket 24; of 72 buckets with bucket 96 as the last, it has expired."""
    whole = resource("r1", 0, (newest + 1) / 12)
    cloud = RetentionCloud(500, expire(whole, 6))
    assert (ZERO + 2 * HOUR in cloud.gnocchi.resources[0].buckets) == (newest < 96)
    if refused:
        with pytest.raises(errors.OperatorError):
            cloud.frames(2, 1)
    else:
        assert cloud.points(2, 1) == RetentionCloud(0, whole, under={"r1": "long"}).points(2, 1)


def test_a_changed_resource_existed_before_its_change() -> None:
    whole = resource("r1", 0, 7.5)
    [phase] = whole.phases
    change = ZERO + 4 * HOUR
    phases = [
        dataclasses.replace(phase, end=change), dataclasses.replace(phase, start=change),
    ]  # fmt: skip
    cloud = RetentionCloud(500, Resource("r1", phases, whole.buckets))
    with pytest.raises(errors.OperatorError):
        cloud.frames(0, 5)


def test_a_resource_may_have_been_measured_before_its_record_was_made() -> None:
    whole = resource("r1", 0, 12)
    [phase] = whole.phases
    late = [dataclasses.replace(phase, start=ZERO + 7 * HOUR)]
    cloud = RetentionCloud(12, expire(Resource("r1", late, whole.buckets), 6))
    with pytest.raises(errors.OperatorError):
        cloud.frames(5, 3)


def test_one_expired_metric_is_found_among_many() -> None:
    complete_resources = [resource(f"r{n}", 0, 5) for n in range(450)]
    cloud = RetentionCloud(500, *complete_resources, resource("lost", 0, 7))
    with pytest.raises(errors.OperatorError, match="resource lost"):
        cloud.frames(0, 5)


@given(st.integers(0, 30), st.integers(1, 360), st.integers(0, 30), st.integers(1, 4))
def test_what_is_rated_is_what_was_measured(
    first: int, buckets: int, begin: int, count: int
) -> None:
    """Whatever is not refused is complete."""
    whole = resource("r1", first, first + buckets / 12)
    limited = RetentionCloud(70, expire(whole, 6))
    complete = RetentionCloud(70, whole, under={"r1": "long"})
    try:
        points = limited.points(begin, count)
    except errors.OperatorError:
        # At most a bucket too early, and as early as it may have been measured.
        oldest = max(whole.buckets) - 6 * HOUR + HOUR / 12
        assert max(ZERO + begin * HOUR, ZERO + (first - 2) * HOUR) <= oldest
        return
    assert points == complete.points(begin, count)


# Policies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:05:00", 300), ("1:00:00", 3600), ("0:00:01", 1), ("1 day, 0:00:00", 86400),
        ("365 days, 0:00:00", 31536000), ("0:00:00.500000", 0.5),
    ],
)  # fmt: skip
def test_a_length_of_time_is_read_as_gnocchi_writes_it(text: str, seconds: float) -> None:
    assert timespan(text) == datetime.timedelta(seconds=seconds)


@given(st.timedeltas(datetime.timedelta(0), datetime.timedelta(days=10**6)))
def test_every_length_of_time_is_read_back(length: datetime.timedelta) -> None:
    assert timespan(str(length)) == length


@pytest.mark.parametrize("text", ["", "300", "5 minutes", "1 day", "-1 day, 0:00:00", "0:05:00 x"])
def test_other_text_is_not_a_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="not a length of time"):
        timespan(text)


def test_a_policy_is_read_from_gnocchis_answer() -> None:
    row = {
        "name": "low",
        "back_window": 0,
        "definition": [
            {"granularity": "0:05:00", "points": 12, "timespan": "1:00:00"},
            {"granularity": "1:00:00", "points": None, "timespan": None},
        ],
        "aggregation_methods": ["mean", "rate:mean"],
    }
    assert Policy.read(row) == Policy(
        "low",
        {datetime.timedelta(minutes=5): HOUR, HOUR: None},
        frozenset({"mean", "rate:mean"}),
    )


@pytest.mark.parametrize(
    ("retention", "period", "widest"),
    [
        ({300: 1, 3600: 1}, HOUR, 3600),
        ({300: 1, 7200: 1}, HOUR, 300),
        ({420: 1, 1500: 1}, HOUR, None),
        ({60: 1, 420: 1}, HOUR, 60),
        ({86400: 1}, 24 * HOUR, 86400),
    ],
)
def test_the_largest_granularity_that_divides_the_period(
    retention: Mapping[int, int], period: datetime.timedelta, widest: int | None
) -> None:
    assert policy("any", retention).widest(period) == widest

"""What a resource costs that moves, ends, comes back or is recorded late, on a real Gnocchi.

Every quantity is computed by hand. Times are minutes since the start of hour 0.
"""

from __future__ import annotations

import configparser
import datetime
import pathlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from ratekit.cmd import configuration
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from tests import stack
from tests.builders import HOUR
from tests.functional.conftest import Deployment, sqlite_url
from tests.functional.lives import Lives, Record, Samples, every_5_minutes
from tests.functional.test_commands import CommandRunner
from tests.stack import gnocchi
from tests.stack.folder import Folder

MEAN = {"aggregation_method": "mean"}
GROWTH = {"aggregation_method": "last", "re_aggregation_method": "rate:sum"}
REFERENCE = "(aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD))"
SECOND = datetime.timedelta(seconds=1)

#: Name -> records and measures.
HISTORIES: Mapping[str, tuple[Sequence[Record], Mapping[str, Samples]]] = {
    "moved": (
        [Record(-120, "giver"), Record(20, "taker")],
        {"gauge": every_5_minutes(-120, 180, 3)},
    ),
    **{
        f"sold-{number}": (
            [Record(-120, "seller"), Record(20, "buyer")],
            {"gauge": every_5_minutes(-120, 120, 3)},
        )
        for number in range(5)
    },
    "old-counter": (
        [Record(5, "old-counter")],
        {"counter": {**every_5_minutes(0, 60, 3e12), 60: 3e12 + 1e7}},
    ),
    "silent-for-5-hours": (
        [Record(-120, "silent-for-5-hours")],
        {"counter": {**every_5_minutes(-60, 0, 100), 300: 1300, 305: 1310}},
    ),
    "shrunk": (
        [Record(-60, "shrunk")],
        {"counter": {-5: 100, 0: 160, 5: 120, 10: 150}},
    ),
    "rebooted": (
        [Record(-60, "rebooted")],
        {"counter": {-5: 1000, 0: 910, 5: 920}},
    ),
    "metered-move": (
        [Record(-60, "lessor"), Record(20, "lessee")],
        {"counter": {-5: 100, 0: 100, 30: 160}},
    ),
    "metered-end": (
        [Record(-60, "metered-end"), Record(58, "metered-end", ended=58)],
        {"counter": {-5: 100, 0: 110, 60.5: 150}},
    ),
    "recorded-at-46": (
        [Record(46, "recorded-at-46"), Record(47, "recorded-at-46", "large")],
        {"gauge": every_5_minutes(0, 120, 60)},
    ),
    "ended": (
        [Record(-60, "ended"), Record(59.75, "ended", ended=59.75)],
        {"gauge": {**every_5_minutes(-60, 60, 1), 60.25: 1}},
    ),
    "revived": (
        [Record(-60, "revived"), Record(50, "revived", ended=50), Record(65, "revived")],
        {"gauge": every_5_minutes(-60, 120, 1)},
    ),
    "enormous": ([Record(0, "exact")], {"gauge": every_5_minutes(0, 120, 1e300)}),
    "usual": ([Record(0, "exact")], {"gauge": every_5_minutes(0, 120, 512)}),
}


@pytest.fixture(scope="module")
def lives(cloud: stack.Stack, tmp_path_factory: pytest.TempPathFactory) -> Lives:
    lives = Lives(cloud, cloud.plan().turning_hour, tmp_path_factory.mktemp("lives"))
    lives.plant(
        *(lives.life(name, records, measures) for name, (records, measures) in HISTORIES.items())
    )
    return lives


def build_collector(cloud: stack.Stack, **options: str) -> GnocchiCollector:
    conf: Any = configuration.load_for_rating("functional", ["--config-file", str(cloud.conf_path)])
    for name, value in options.items():
        conf.set_override(name, value, group="collector_gnocchi")
    return GnocchiCollector.from_conf(conf)


@pytest.fixture(scope="module")
def collector(cloud: stack.Stack) -> GnocchiCollector:
    return build_collector(cloud)


@pytest.mark.parametrize("granularity", [300, 3600])
@pytest.mark.parametrize("scopes", [("giver", "taker"), ("giver",), ("taker",)])
def test_a_resource_that_moves_costs_one_hour(
    lives: Lives, collector: GnocchiCollector, scopes: tuple[str, ...], granularity: int
) -> None:
    args = {**MEAN, "force_granularity": granularity}
    usage = lives.usage(collector, lives.metrics("gauge", args), range(-1, 2), *scopes)
    expected = {
        ("giver", "small", -1): Decimal(3),
        ("giver", "small", 0): Decimal(1),
        ("taker", "small", 0): Decimal(2),
        ("taker", "small", 1): Decimal(3),
    }
    assert usage == {key: quantity for key, quantity in expected.items() if key[0] in scopes}


@pytest.mark.parametrize("scopes", [("giver", "taker"), ("giver",), ("taker",)])
def test_a_resource_that_moves_is_prorated_over_one_hour(
    lives: Lives, collector: GnocchiCollector, scopes: tuple[str, ...]
) -> None:
    metrics = lives.metrics("gauge", MEAN, mutate="NUMBOOL", prorate=True)
    usage = lives.usage(collector, metrics, range(1), *scopes)
    expected = {
        ("giver", "small", 0): Decimal("0.333333333333333333"),
        ("taker", "small", 0): Decimal("0.666666666666666667"),
    }
    assert usage == {key: quantity for key, quantity in expected.items() if key[0] in scopes}


def test_gnocchis_short_pages_do_not_hide_the_former_owner(
    lives: Lives, cloud: stack.Stack, tmp_path: pathlib.Path
) -> None:
    """The five resources have ten records, and this Gnocchi returns two rows at once."""
    pages = gnocchi.another_api(
        Folder.at(cloud.directory), Folder.at(tmp_path / "gnocchi"), "max_limit = 2"
    )
    with pages as url:
        collector = build_collector(cloud, gnocchi_endpoint=url)
        usage = lives.usage(collector, lives.metrics("gauge", MEAN), range(-1, 2), "buyer")
    assert usage == {
        ("buyer", "small", 0): Decimal(5 * 2),
        ("buyer", "small", 1): Decimal(5 * 3),
    }


@pytest.mark.parametrize("granularity", [300, 3600])
def test_what_a_counter_showed_before_its_record_was_made_is_not_charged(
    lives: Lives, collector: GnocchiCollector, granularity: int
) -> None:
    metrics = lives.metrics("counter", {**GROWTH, "force_granularity": granularity})
    usage = lives.usage(collector, metrics, range(-1, 2), "old-counter")
    charged = {key: quantity for key, quantity in usage.items() if quantity}
    assert charged == {("old-counter", "small", 1): Decimal(10_000_000)}


@pytest.mark.parametrize("hours", [range(-1, 6), range(5, 6)])
def test_growth_during_an_outage_is_charged_when_it_is_seen(
    lives: Lives, collector: GnocchiCollector, hours: range
) -> None:
    metrics = lives.metrics("counter", GROWTH)
    usage = lives.usage(collector, metrics, hours, "silent-for-5-hours")
    charged = {key: quantity for key, quantity in usage.items() if quantity}
    assert charged == {("silent-for-5-hours", "small", 5): Decimal(1210)}


def test_growth_over_a_longer_gap_than_allowed_is_not_charged(
    lives: Lives, collector: GnocchiCollector, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = lives.metrics("counter", {**GROWTH, "counter_gap": 18_000})
    usage = lives.usage(collector, metrics, range(5, 6), "silent-for-5-hours")
    assert usage == {("silent-for-5-hours", "small", 5): Decimal(10)}
    assert lives.id("silent-for-5-hours") in caplog.text


@pytest.mark.parametrize("scopes", [("lessor", "lessee"), ("lessor",), ("lessee",)])
def test_growth_across_a_move_is_shared_by_time(
    lives: Lives, collector: GnocchiCollector, scopes: tuple[str, ...]
) -> None:
    """Between the end of the bucket of minute 0 and that of minute 30 it grew by 60."""
    usage = lives.usage(collector, lives.metrics("counter", GROWTH), range(2), *scopes)
    assert usage == {(scope, "small", 0): Decimal(30) for scope in scopes}


@pytest.mark.parametrize("hours", [range(2), range(1), range(1, 2)])
def test_growth_after_the_end_counts_to_the_hour_of_the_end(
    lives: Lives, collector: GnocchiCollector, hours: range
) -> None:
    usage = lives.usage(collector, lives.metrics("counter", GROWTH), hours, "metered-end")
    expected = {0: Decimal(10 + 40)}
    assert usage == {
        ("metered-end", "small", hour): quantity
        for hour, quantity in expected.items()
        if hour in hours
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (REFERENCE, 60 + 120 + 30),
        (f"(* 1 {REFERENCE})", 60 + 120 + 30),
        (f"(div (+ {REFERENCE} (abs {REFERENCE})) 2)", 60 + 0 + 30),
        (f"(max 0 {REFERENCE})", 60 + 0 + 30),
        (f"(clip_min {REFERENCE} 0)", 60 + 0 + 30),
        (f"(abs {REFERENCE})", 60 + 40 + 30),
    ],
    ids=["plain", "product", "abs of one of two", "max", "clip_min", "abs"],
)
def test_a_query_that_looks_at_the_sign_decides_about_a_smaller_value(
    lives: Lives, collector: GnocchiCollector, query: str, expected: int
) -> None:
    metrics = lives.metrics("counter", {**GROWTH, "custom_query": query})
    usage = lives.usage(collector, metrics, range(1), "shrunk")
    assert usage == {("shrunk", "small", 0): Decimal(expected)}


@pytest.mark.parametrize(
    ("negative", "reducer", "expected"),
    [("zero", "mean", 5), ("keep", "mean", -40), ("zero", "sum", 10), ("keep", "sum", -80)],
)
def test_a_rate_that_gnocchi_made_negative_is_no_usage(
    lives: Lives, collector: GnocchiCollector, negative: str, reducer: str, expected: int
) -> None:
    args = {
        "aggregation_method": "rate:mean",
        "re_aggregation_method": reducer,
        "negative": negative,
    }
    usage = lives.usage(collector, lives.metrics("counter", args), range(1), "rebooted")
    assert usage == {("rebooted", "small", 0): Decimal(expected)}


def test_a_negative_rate_is_named_in_the_log(
    lives: Lives, cloud: stack.Stack, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = lives.metrics("counter", {"aggregation_method": "rate:mean"})
    usage = lives.usage(build_collector(cloud), metrics, range(1), "rebooted")
    assert usage == {("rebooted", "small", 0): Decimal(5)}
    assert lives.id("rebooted") in caplog.text


def test_the_first_labels_count_from_the_first_measure_on(
    lives: Lives, collector: GnocchiCollector
) -> None:
    usage = lives.usage(collector, lives.metrics("gauge", MEAN), range(2), "recorded-at-46")
    assert usage == {
        ("recorded-at-46", "small", 0): Decimal(47),
        ("recorded-at-46", "large", 0): Decimal(13),
        ("recorded-at-46", "large", 1): Decimal(60),
    }


@pytest.mark.parametrize("granularity", [300, 3600])
def test_a_measure_after_the_end_charges_no_further_hour(
    lives: Lives, collector: GnocchiCollector, granularity: int
) -> None:
    metrics = lives.metrics("gauge", {**MEAN, "force_granularity": granularity})
    usage = lives.usage(collector, metrics, range(3), "ended")
    assert usage == {("ended", "small", 0): Decimal(1)}


def test_an_end_that_was_undone_does_not_prorate(lives: Lives, collector: GnocchiCollector) -> None:
    metrics = lives.metrics("gauge", MEAN, mutate="NUMBOOL", prorate=True)
    usage = lives.usage(collector, metrics, range(2), "revived")
    assert usage == {("revived", "small", hour): Decimal(1) for hour in range(2)}


def deploy(lives: Lives, metrics: pathlib.Path, scope: str) -> Deployment:
    """Return a deployment that rates one scope from hour 0 on."""
    deployment = Deployment(lives.cloud, sqlite_url(lives.cloud, lives.folder))
    deployment.configure("fetcher", backend="static")
    deployment.configure("fetcher_static", scopes=[lives.scope(scope)])
    deployment.configure("collect", metrics_conf=str(metrics), start=lives.hour.isoformat())
    return deployment


def commands_of(deployment: Deployment, folder: pathlib.Path) -> CommandRunner:
    """Return the commands with the configuration of a deployment."""
    conf = deployment.conf
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(deployment.cloud.conf_path)
    parser.read_dict(
        {
            "database": {"connection": conf.database.connection},
            "collect": {"metrics_conf": conf.collect.metrics_conf, "start": conf.collect.start},
            "rating": {"without_rules": "free"},
            "fetcher": {"backend": "static"},
            "fetcher_static": {"scopes": ",".join(conf.fetcher_static.scopes)},
        }
    )
    path = folder / "ratekit.conf"
    with path.open("w", encoding="utf-8") as file:
        parser.write(file)
    return CommandRunner(path)


def explained(commands: CommandRunner, lives: Lives, hour: int) -> dict[str, Any]:
    """Return what explain shows of the gauge's frame of an hour."""
    fields: dict[str, Any] = commands.json(
        "explain", "--scope", lives.scope("late"), "--metric", "gauge",
        "--period", (lives.hour + hour * HOUR).isoformat(),
    )  # fmt: skip
    return fields


def charged_hours(deployment: Deployment, lives: Lives) -> dict[int, Decimal]:
    """Return the quantities of the only resource, by hour."""
    return {
        (frame.begin - lives.hour) // HOUR: frame.quantity
        for frame in deployment.frames(metrics=("gauge",))
    }


def test_a_record_that_came_too_late_is_charged_by_reprocessing_only(
    lives: Lives, tmp_path: pathlib.Path
) -> None:
    """A queue outage: measured from minute 10 on, recorded when hours 0 and 1 had become due."""
    metrics = lives.metrics("gauge", MEAN)
    live, caught_up = deploy(lives, metrics, "late"), deploy(lives, metrics, "late")
    for hours in (2, 3):
        live.rate(lives.hour + hours * HOUR + SECOND)
    late = lives.life("late", [Record(190, "late")], {"gauge": every_5_minutes(10, 240, 7)})
    lives.plant(late)
    for deployment in (live, caught_up):
        deployment.rate(lives.hour + 4 * HOUR + SECOND)
        assert charged_hours(deployment, lives) == {2: Decimal(7)}

    commands = commands_of(live, tmp_path)
    times = [(lives.hour + hours * HOUR).isoformat() for hours in (0, 3)]
    queued = commands.run(
        "ratekit", "reprocess", "--scope", lives.scope("late"), "--begin", times[0],
        "--end", times[1], "--reason", "records came late", "--yes",
    )  # fmt: skip
    assert queued.returncode == 0, queued.stderr
    rated = commands.run("ratekit-processor", "--once")
    assert rated.returncode == 0, rated.stderr
    assert charged_hours(live, lives) == {hour: Decimal(7) for hour in range(4)}
    for hour in range(4):
        frame = explained(commands, lives, hour)
        assert frame["Reduction"]["quantity"] == frame["Quantity"] == "7"
    sample = ("metric", "sample", "gauge", "--scope", lives.scope("late"), "--period", times[0])
    assert commands.json(*sample) == []
    [row] = commands.json(*sample, "--records-until", "now")
    assert row["Quantity"] == "7"


def test_a_value_that_cannot_be_stored_excludes_one_resource(
    lives: Lives, tmp_path: pathlib.Path
) -> None:
    deployment = deploy(lives, lives.metrics("gauge", MEAN), "exact")
    commands = commands_of(deployment, tmp_path)
    rated = commands.run("ratekit-processor", "--once")
    assert rated.returncode == 0, rated.stderr
    frames = {
        (frame.groupby["id"], (frame.begin - lives.hour) // HOUR): frame.quantity
        for frame in deployment.frames()
    }
    assert frames == {(lives.id("usual"), hour): Decimal(512) for hour in range(2)}
    shown = commands.run("ratekit", "scope", "show", lives.scope("exact"), "--periods", "48")
    assert shown.returncode == 0, shown.stderr
    assert lives.id("enormous") in shown.stdout
    assert lives.id("usual") not in shown.stdout

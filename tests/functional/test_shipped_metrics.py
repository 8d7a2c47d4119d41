"""Each metric of CloudKitty's shipped files gives the quantities computed from raw measures.

So does each of less_usual_keys.yml, which has the keys that those files lack. All resources of
the cloud are used; those of the project ``histories`` change within the plan's turning hour.
"""

from __future__ import annotations

import configparser
import datetime
import pathlib
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import yaml

from ratekit.cmd import configuration
from ratekit.collectors.gnocchi.collector import GnocchiCollector
from ratekit.domain.period import Window
from ratekit.domain.usage.metric import Metric
from ratekit.files import metrics_file
from tests import stack
from tests.builders import HOUR
from tests.functional.conftest import REPO, Deployment, sqlite_url
from tests.functional.quantities import Quantities, QuantityOracle, Query
from tests.functional.test_bill import as_bill
from tests.functional.test_commands import CommandRunner
from tests.stack import resource_histories
from tests.stack.resources import LARGE, SMALL

FILES = {
    "2018": REPO / "tests/data/cloudkitty-rocky-metrics.yml",
    "2026": REPO / "tests/data/cloudkitty-2026-metrics.yml",
    "less-usual": pathlib.Path(__file__).with_name("less_usual_keys.yml"),
}
#: (first hour, counted from the turning hour; length in hours)
WINDOWS = [(-1, 1), (0, 1), (1, 1), (2, 1), (-2, 3)]
#: The custom queries of less_usual_keys.yml do.
QUERIES: dict[str, Query] = {
    "(clip_min (- (aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD)) "
    "12.5) 0)": lambda value: max(value - Fraction("12.5"), Fraction(0)),
    "(* 2 (aggregate max (metric volume.size max)))": lambda value: 2 * value,
}


def definitions(file: str) -> Iterator[tuple[str, Any]]:
    """(key, definition) of each metric, as PyYAML reads them."""
    for name, definition in yaml.safe_load(FILES[file].read_text(encoding="utf-8"))[
        "metrics"
    ].items():
        for single in definition if isinstance(definition, list) else [definition]:
            yield name, single


DEFINITIONS = [
    pytest.param(file, name, definition, id=f"{file}-{definition.get('alt_name', name)}")
    for file in FILES
    for name, definition in definitions(file)
]


class UsageComparison:
    """The collector on the real cloud, and the quantities it should return."""

    def __init__(self, cloud: stack.Stack) -> None:
        self.cloud = cloud
        self.plan = cloud.plan()
        self.hours = (self.plan.end - self.plan.begin) // HOUR
        self.quantity_oracle = QuantityOracle(
            self.plan,
            {project.name: cloud.project_ids[project.name] for project in self.plan.projects},
            QUERIES,
        )
        conf: Any = configuration.load_for_rating(
            "functional", ["--config-file", str(cloud.conf_path)]
        )
        self._collector = GnocchiCollector.from_conf(conf)
        self._turning: dict[Metric, Quantities] = {}

    def metrics(self, file: str) -> dict[str, Metric]:
        """Return a file's metrics, by public name."""
        loaded = metrics_file.read(str(FILES[file]), self._collector)
        return {metric.public_name: metric for metric in loaded}

    def turning(self, metric: Metric) -> Quantities:
        """Return the quantities of the turning hour."""
        if metric not in self._turning:
            self._turning[metric] = self.collect(metric, self.plan.turning_hour, 1)
        return self._turning[metric]

    def collect(self, metric: Metric, begin: datetime.datetime, hours: int) -> Quantities:
        """Return the quantities of a window; fail on a duplicate."""
        quantities: Quantities = {}
        scopes = list(self.quantity_oracle.projects.values())
        for series in self._collector.collect(metric, Window(begin, HOUR, hours), scopes):
            labels = tuple(sorted({**series.groupby, **series.metadata}.items()))
            for at, quantity in series.points:
                key = (series.scope, at, series.metric, labels)
                assert key not in quantities, f"charged twice: {key}"
                quantities[key] = quantity
        return quantities


@pytest.fixture(scope="module")
def comparison(cloud: stack.Stack) -> UsageComparison:
    return UsageComparison(cloud)


@pytest.mark.parametrize(("file", "name", "definition"), DEFINITIONS)
def test_each_metric_gives_the_computed_quantities(
    comparison: UsageComparison, file: str, name: str, definition: Any
) -> None:
    expected = comparison.quantity_oracle.quantities(name, definition)
    metric = comparison.metrics(file)[definition.get("alt_name", name)]
    plan, turn = comparison.plan, comparison.plan.turning_hour
    whole = comparison.collect(metric, plan.begin, comparison.hours)
    assert whole == expected
    # The project with histories has usage in it.
    scope = comparison.quantity_oracle.projects[resource_histories.PROJECT]
    assert sum(key[:2] == (scope, turn) for key in whole) >= 8
    for first, hours in WINDOWS:
        begin = turn + first * HOUR
        part = comparison.collect(metric, begin, hours)
        until = begin + hours * HOUR
        assert part == {key: quantity for key, quantity in whole.items() if begin <= key[1] < until}


FLAVORS = (SMALL.name, LARGE.name)
CHANGED = ("0.370347222222222222", "0.629652777777777778")
#: (file, metric, resource) -> quantities of the turning hour by the first label of metadata.
COMPUTED_BY_HAND = {
    ("2026", "instance", "instance-changed"): dict(zip(FLAVORS, CHANGED, strict=True)),
    ("2018", "ip.floating", "address-changed"): dict(zip(("ACTIVE", "DOWN"), CHANGED, strict=True)),
    # 45 minutes and 16.75 s of the one, 14 minutes and 43.25 s of the other
    ("2026", "instance", "instance-reverted"): {
        "m1.small": "0.754652777777777778",
        "m1.large": "0.245347222222222222",
    },
    ("2026", "instance", "instance-renamed"): {"m1.small": "1"},
    ("2026", "instance", "instance-created"): {"m1.small": "1"},
    ("less-usual", "hours", "instance-created"): {"m1.small": "0.478611111111111111"},
    ("2026", "instance", "instance-deleted"): {"m1.small": "1"},
    ("less-usual", "hours", "instance-deleted"): {"m1.small": "0.311111111111111111"},
    ("2026", "instance", "instance-brief"): {"m1.small": "1"},
    ("less-usual", "hours", "instance-brief"): {"m1.small": "0.479166666666666667"},
    # 17:50 and 29:50 of the 47:40 that are left of the hour; 17:50 and 20:50 of the hour
    ("2026", "instance", "instance-short"): {
        "m1.small": "0.374125874125874126",
        "m1.large": "0.625874125874125874",
    },
    ("less-usual", "hours", "instance-short"): {
        "m1.small": "0.297222222222222222",
        "m1.large": "0.347222222222222222",
    },
    ("less-usual", "last.flavor", "instance-changed"): {"m1.large": "1"},
    ("less-usual", "last.flavor.hours", "instance-short"): {"m1.large": "0.644444444444444444"},
    # The bucket from 20 past on is both flavors': 2048, and (2048 + 7 * 8192) / 8
    ("less-usual", "memory.gauge", "instance-changed"): {
        "m1.small": "758.471111111111111111",
        "m1.large": "4674.542222222222222222",
    },
    # 3 and 8 thousand of these; of the hour's mean, 5632, 6 GiB
    ("less-usual", "memory.begun", "instance-changed"): {
        "m1.small": "1.111041666666666667",
        "m1.large": "5.037222222222222222",
    },
    ("less-usual", "memory.begun.of.hourly", "instance-changed"): {
        "m1.small": "2.222083333333333333",
        "m1.large": "3.777916666666666667",
    },
    ("less-usual", "memory.class", "instance-changed"): {
        "m1.small": "0.370347222222222222",
        "m1.large": "0.062965277777777778",
    },
    ("less-usual", "ip.idle", "address-changed"): {"ACTIVE": "0", "DOWN": "0.629652777777777778"},
    # Nothing in each bucket of 10 GiB; 27.5 in seven of the eight others
    ("less-usual", "volume.beyond.quota", "volume-changed"): {
        "hdd": "0",
        "ssd": "15.151019965277777778",
    },
    ("less-usual", "volume.twice", "volume-deleted"): {"hdd": "6.222222222222222222"},
    ("2026", "volume.size", "volume-recorded"): {"hdd": "10"},
    # A step of 108 GB and eleven of 122; the same one and three
    ("less-usual", "network.in", "nic-unchanged"): {"one": "1450000"},
    ("less-usual", "network.in.of.hourly", "nic-deleted"): {"one": "1422000"},
}


@pytest.mark.parametrize(("file", "name", "resource"), COMPUTED_BY_HAND)
def test_figures_computed_by_hand(
    comparison: UsageComparison, file: str, name: str, resource: str
) -> None:
    metric, id_ = comparison.metrics(file)[name], str(comparison.plan.resource(resource).id)
    quantities = {
        dict(labels)[metric.metadata[0]]: quantity
        for (_, _, _, labels), quantity in comparison.turning(metric).items()
        if dict(labels)["id"] == id_
    }
    expected = COMPUTED_BY_HAND[file, name, resource]
    assert quantities == {label: Decimal(text) for label, text in expected.items()}


def test_usage_that_is_recorded_too_late_is_not_charged(comparison: UsageComparison) -> None:
    """The volume's first record was made when the hour before the turning hour had become due."""
    collected = comparison.collect(
        comparison.metrics("2026")["volume.size"], comparison.plan.begin, comparison.hours
    )
    id_ = str(comparison.plan.resource("volume-recorded").id)
    hours = [begin for _, begin, _, labels in collected if dict(labels)["id"] == id_]
    assert min(hours) == comparison.plan.turning_hour


@pytest.mark.parametrize("file", FILES)
def test_a_processor_stores_the_computed_quantities(
    comparison: UsageComparison, tmp_path: pathlib.Path, file: str
) -> None:
    start = comparison.plan.turning_hour - 4 * HOUR
    projects = {
        name: comparison.cloud.project_ids[name] for name in ("demo-01", "cases", "histories")
    }
    url = sqlite_url(comparison.cloud, tmp_path)
    conf = configparser.ConfigParser(interpolation=None)
    conf.read(comparison.cloud.conf_path)
    conf.read_dict(
        {
            "database": {"connection": url},
            "collect": {"metrics_conf": str(FILES[file]), "start": start.isoformat()},
            "rating": {"without_rules": "free"},
            "fetcher": {"backend": "static"},
            "fetcher_static": {"scopes": ",".join(projects.values())},
        }
    )
    path = tmp_path / "ratekit.conf"
    with path.open("w", encoding="utf-8") as out:
        conf.write(out)
    result = CommandRunner(path).run("ratekit-processor", "--once")
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    bill = as_bill(Deployment(comparison.cloud, url).frames())
    until = max(begin for _, begin, _, _ in bill) + HOUR
    assert until > comparison.plan.turning_hour + 5 * HOUR
    expected: Quantities = {}
    for name, definition in definitions(file):
        expected |= QuantityOracle(comparison.plan, projects, QUERIES).quantities(name, definition)
    assert {key: quantity for key, (quantity, _) in bill.items()} == {
        key: quantity for key, quantity in expected.items() if start <= key[1] < until
    }

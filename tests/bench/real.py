"""Part *real*: rating a real Keystone and Gnocchi, beside bare requests for the same data.

Bare requests and passes alternate, so that changes of the machine's speed affect both. Both
read all data of a pass with as many requests a metric; a pass also prices the usage and stores it
in a new PostgreSQL database.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from ratekit import plugins
from ratekit.cmd import startup
from ratekit.domain.usage.metric import Metric
from ratekit.files import metrics_file
from tests import stack
from tests.bench.figures import Row, measure, measure_reference, median_row
from tests.bench.options import Options
from tests.functional.conftest import METRICS, RULES, Deployment, postgresql_url

PART = "real"
#: Metrics of the comparison.
NAMES = ("instance", "volume.size", "ip.floating")
_PROJECTS, _INSTANCES = 40, 20
_DAY = 24
_HOUR = datetime.timedelta(hours=1)
#: How long after its end a period becomes due, with two ``wait_periods``.
_PATIENCE = 2 * _HOUR
#: How many single periods are rated, each in a cycle of its own.
_SINGLES = 6


def run(options: Options) -> Iterator[Row]:
    """Yield the ratio, pair by pair, for windows of a day and for single periods."""
    folder = options.folder / "cloud"
    projects = _PROJECTS if options.is_full else _PROJECTS // 4
    try:
        # Measures of the period after the last one count, too.
        cloud = stack.up(folder, projects=projects, instances=_INSTANCES, hours=_DAY + 2)
        lab = _Lab(cloud, options.folder)
        yield lab.measure_window(options.rounds)
        yield lab.measure_single_periods(options.rounds)
    finally:
        stack.down(folder)


class _Lab:
    """Bare requests and passes over one cloud."""

    def __init__(self, cloud: stack.Stack, folder: pathlib.Path) -> None:
        startup.limit_garbage_collection()
        self._cloud = cloud
        self._folder = folder
        self._session = cloud.session()
        self._metrics_path = _write_metrics(folder)
        collector = plugins.load(plugins.COLLECTORS, "gnocchi").from_conf(self._deploy().conf)
        self._metrics = metrics_file.read(str(self._metrics_path), collector)
        self._begin = cloud.plan().begin

    def measure_window(self, rounds: int) -> Row:
        """Compare the first day, in one cycle, which is the first of its process."""
        results = []
        end = self._begin + _DAY * _HOUR
        self._ask(self._begin, end)
        for _ in range(rounds):
            reference = measure_reference()
            bare = measure(lambda: self._ask(self._begin, end))
            deployment = self._deploy()
            frames = 0

            def rate(deployment: Deployment = deployment) -> None:
                nonlocal frames
                frames = deployment.rate(end + _PATIENCE).frames

            usage = measure(rate)
            results.append((_values(frames, bare.wall, usage.wall, usage.cpu), reference))
        return median_row(PART, f"{len(self._cloud.project_ids)} projects, {_DAY} periods", results)

    def measure_single_periods(self, rounds: int) -> Row:
        """Compare single periods, one after the other in one process, but for the first."""
        results = []
        for _ in range(rounds):
            deployment = self._deploy()
            deployment.rate(self._begin + _HOUR + _PATIENCE)
            for index in range(1, _SINGLES + 1):
                begin = self._begin + index * _HOUR
                reference = measure_reference()
                bare = measure(lambda begin=begin: self._ask(begin, begin + _HOUR))  # type: ignore[misc]
                wall, cpu = time.perf_counter(), time.process_time()
                frames = deployment.rate(begin + _HOUR + _PATIENCE).frames
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                results.append((_values(frames, bare.wall, wall, cpu), reference))
        return median_row(PART, f"{len(self._cloud.project_ids)} projects, 1 period", results)

    def _deploy(self) -> Deployment:
        deployment = Deployment(self._cloud, postgresql_url(self._cloud, self._folder))
        deployment.apply(RULES)
        deployment.configure("collect", metrics_conf=str(self._metrics_path))
        return deployment

    def _ask(self, begin: datetime.datetime, end: datetime.datetime) -> None:
        """Send one request a metric for all scopes, and parse the responses."""
        projects = sorted(self._cloud.project_ids.values())
        for metric in self._metrics:
            response = self._session.post(
                self._cloud.gnocchi_url + "/v1/aggregates",
                params={
                    "groupby": _attributes(metric),
                    "use_history": "true",
                    "start": begin.isoformat(),
                    "stop": end.isoformat(),
                    "granularity": _args(metric).force_granularity,
                },
                json={
                    "operations": ["aggregate", "max", ["metric", metric.name, "mean"]],
                    "resource_type": _args(metric).resource_type,
                    "search": {"in": {"project_id": projects}},
                },
            )
            json.loads(response.content)


def _values(frames: int, bare: float, wall: float, cpu: float) -> dict[str, float]:
    return {
        "frames": frames,
        "bare requests s": bare,
        "pass s": wall,
        "ratio": wall / bare,
        "CPU µs/frame": cpu / frames * 1e6,
    }


def _args(metric: Metric) -> Any:
    return metric.extra_args


def _attributes(metric: Metric) -> Sequence[str]:
    labels = {*metric.groupby, *metric.metadata, "id", "project_id"}
    return sorted({*labels, "revision_start", "revision_end"})


def _write_metrics(folder: pathlib.Path) -> pathlib.Path:
    """Write the metrics of the comparison from the shipped metrics.yml."""
    metrics = yaml.safe_load(METRICS.read_text(encoding="utf-8"))["metrics"]
    entries = {key: entry for key, entry in metrics.items() if entry.get("alt_name", key) in NAMES}
    path = folder / "metrics.yml"
    path.write_text(yaml.safe_dump({"metrics": entries}), encoding="utf-8")
    return path

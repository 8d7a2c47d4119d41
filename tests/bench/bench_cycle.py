"""The duration of a catch-up on the real stack, compared with bare requests for the same data.

    python -m tests.bench.bench_cycle [--dir DIR] [--projects 40 --instances 20 --hours 7]

It prints medians over rounds in which bare requests and whole passes alternate, so that
changes of the machine's speed affect both. Both read all data of a pass with the same
requests; a pass also prices the usage and stores it in a new PostgreSQL database.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from ratekit import plugins
from ratekit.cmd import startup
from ratekit.domain.usage.metric import Metric
from ratekit.files import metrics_file
from tests import stack
from tests.functional.conftest import Deployment, postgresql_url

#: Metrics of the comparison.
NAMES = ("instance", "volume.size", "ip.floating")
RULES = pathlib.Path(__file__).parents[1] / "functional/rules.yml"


class Requests(logging.Handler):
    """Counts keystoneauth's requests by the end of their path."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.counts: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        for path in ("/v1/aggregates", "/v1/resource_type", "/role_assignments", "/auth/tokens"):
            if text.startswith("REQ:") and path in text:
                self.counts[path] = self.counts.get(path, 0) + 1


def time_bare_requests(deployment: Deployment, metrics: tuple[Metric, ...]) -> float:
    """Return the seconds of one request a metric for all scopes and periods."""
    session = deployment.cloud.session()
    plan = deployment.plan
    start = time.perf_counter()
    for metric in metrics:
        args: Any = metric.extra_args
        groupby = {*metric.groupby, *metric.metadata, "id", "project_id"}
        response = session.post(
            deployment.cloud.gnocchi_url + "/v1/aggregates",
            params={
                "groupby": sorted({*groupby, "revision_start", "revision_end"}),
                "use_history": "true",
                "start": plan.begin.isoformat(),
                "stop": plan.end.isoformat(),
                "granularity": args.force_granularity,
            },
            json={
                "operations": ["aggregate", "max", ["metric", metric.name, "mean"]],
                "resource_type": args.resource_type,
                "search": {"in": {"project_id": sorted(deployment.cloud.project_ids.values())}},
            },
        )
        json.loads(response.content)
    return time.perf_counter() - start


def time_pass(deployment: Deployment, metrics_path: pathlib.Path) -> tuple[float, float, int]:
    """Return the seconds, the CPU seconds and the frames of one catch-up into a new database."""
    deployment.configure("collect", metrics_conf=str(metrics_path))
    start, cpu = time.perf_counter(), time.process_time()
    outcome = deployment.rate()
    return time.perf_counter() - start, time.process_time() - cpu, outcome.frames


@contextlib.contextmanager
def open_stack(options: argparse.Namespace, folder: pathlib.Path) -> Iterator[stack.Stack]:
    """Yield the running stack in --dir, or a new one."""
    if options.dir:
        yield stack.running(options.dir)
        return
    try:
        yield stack.up(
            folder / "cloud",
            projects=options.projects,
            instances=options.instances,
            hours=options.hours,
        )
    finally:
        stack.down(folder / "cloud")


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", help="folder of a running stack")
    parser.add_argument("--projects", type=int, default=40)
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--hours", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, open_stack(options, pathlib.Path(name)) as cloud:
        measure(cloud, pathlib.Path(name), options.rounds)


def measure(cloud: stack.Stack, folder: pathlib.Path, rounds: int) -> None:
    """Alternate bare requests and passes; print medians."""

    def new_deployment() -> Deployment:
        deployment = Deployment(cloud, postgresql_url(cloud, folder))
        deployment.apply(RULES)
        return deployment

    startup.limit_garbage_collection()
    deployment = new_deployment()
    metrics_path = _write_metrics(deployment, folder)
    collector = plugins.load(plugins.COLLECTORS, "gnocchi").from_conf(deployment.conf)
    metrics = metrics_file.read(str(metrics_path), collector)
    time_bare_requests(deployment, metrics)
    rows = []
    for _ in range(rounds):
        seconds = time_bare_requests(deployment, metrics)
        rows.append((seconds, *time_pass(new_deployment(), metrics_path)))
    counter = Requests()
    logger = logging.getLogger("keystoneauth")
    logger.addHandler(counter)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    time_pass(new_deployment(), metrics_path)
    frames = rows[0][3]
    print(f"{len(cloud.project_ids)} projects, {deployment.plan.begin} to {deployment.plan.end}")
    print(f"frames a pass                    {frames}")
    print(f"bare requests, seconds           {statistics.median(row[0] for row in rows):.2f}")
    print(f"ratekit's pass, seconds          {statistics.median(row[1] for row in rows):.2f}")
    print(f"ratio, pair by pair              {statistics.median(r[1] / r[0] for r in rows):.2f}")
    print(
        "CPU a frame, microseconds        "
        f"{statistics.median(row[2] / row[3] for row in rows) * 1e6:.1f}"
    )
    for path, count in sorted(counter.counts.items()):
        print(f"requests to {path:<20} {count}")


def _write_metrics(deployment: Deployment, folder: pathlib.Path) -> pathlib.Path:
    """Write the metrics of the comparison from the shipped metrics.yml."""
    import yaml

    with open(deployment.conf.collect.metrics_conf, encoding="utf-8") as file:
        metrics = yaml.safe_load(file)["metrics"]
    entries = {key: entry for key, entry in metrics.items() if entry.get("alt_name", key) in NAMES}
    path = folder / "metrics.yml"
    path.write_text(yaml.safe_dump({"metrics": entries}), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()

"""Part *idle*: a cycle in which nothing is due."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.deployment import deploy, scope_ids
from tests.bench.figures import Row, median_row
from tests.bench.options import Options
from tests.bench.replay.process import run_replay
from tests.bench.worker_process import Clock, run_worker
from tests.databases import BACKENDS, new_database

PART = "idle"
_SCOPES = 10_000


def run(options: Options) -> Iterator[Row]:
    """Yield the cost of idle cycles on each database."""
    with run_replay() as replay:
        replay.configure(resources=0)
        for backend in BACKENDS if options.is_full else ("postgresql",):
            with new_database(backend, options.folder) as url:
                scopes = scope_ids(_SCOPES)
                deployment = deploy(options.folder, url, replay.url, scopes)
                end = Clock().advance(1)
                with run_worker(deployment.conf_path) as worker:
                    worker.rate_until(end)
                    results = [worker.rate_until(end) for _ in range(max(options.rounds, 5))]
                rows = [
                    (
                        {"CPU ms": result["cpu"] * 1e3, "wall ms": result["wall"] * 1e3},
                        result["reference"],
                    )
                    for result in results
                ]
                yield median_row(PART, f"{backend} {_SCOPES:,} scopes", rows)

"""Part *sharing*: two processors on one database, beside one.

They start at the same time, and each would rate all scopes.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import time
from collections.abc import Iterator

from tests.bench.deployment import deploy, scope_ids
from tests.bench.figures import Row, measure_reference, median_row
from tests.bench.options import Options
from tests.bench.replay.process import Replay, run_replay
from tests.bench.worker_process import Clock, run_worker
from tests.databases import new_database

PART = "sharing"
_SCOPES = 200
_RESOURCES = 20
_PERIODS = 24


def run(options: Options) -> Iterator[Row]:
    """Yield what catching up a day takes, and which part of it was asked for again."""
    with run_replay() as replay:
        for processors in (1, 2):
            results = [_measure(processors, options, replay) for _ in range(options.rounds)]
            yield median_row(PART, f"{processors} without coordination", results)


def _measure(processors: int, options: Options, replay: Replay) -> tuple[dict[str, float], float]:
    replay.configure(resources=_RESOURCES, tracks_hours=1)
    with new_database("postgresql", options.folder) as url, contextlib.ExitStack() as stack:
        deployment = deploy(options.folder, url, replay.url, scope_ids(_SCOPES))
        workers = [stack.enter_context(run_worker(deployment.conf_path)) for _ in range(processors)]
        end = Clock().advance(_PERIODS)
        reference, start = measure_reference(), time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(processors) as pool:
            results = list(pool.map(lambda worker: worker.rate_until(end), workers))
        wall = time.perf_counter() - start
    counts = replay.counts()
    values = {
        "frames": sum(result["frames"] for result in results),
        "wall s": wall,
        "CPU s": sum(result["cpu"] for result in results),
        "asked again %": counts["hours again"] / counts["hours"] * 100,
    }
    return values, reference

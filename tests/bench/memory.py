"""Part *memory*: how large a worker becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.bench.deployment import deploy, scope_ids
from tests.bench.figures import Row
from tests.bench.options import Options
from tests.bench.replay.process import run_replay
from tests.bench.worker_process import Clock, run_worker
from tests.databases import new_database

PART = "memory"


class Case(NamedTuple):
    """What to rate, once, in a new process.

    :ivar resources: of each scope
    """

    scopes: int
    resources: int
    periods: int
    granularity: int = 3600

    def __str__(self) -> str:
        return (
            f"{self.scopes:,} scopes x {self.resources:,} resources, "
            f"{self.periods} x {self.granularity} s"
        )


_QUICK = (Case(100, 1_000, 1), Case(1, 10_000, 24))
_FULL = (Case(1_000, 1_000, 1), Case(1, 100_000, 24), Case(1_000, 100, 1, 300))


def run(options: Options) -> Iterator[Row]:
    """Yield the largest size of a worker in each case."""
    with run_replay() as replay:
        for case in _FULL if options.is_full else _QUICK:
            replay.configure(resources=case.resources, hours=max(case.periods, 2))
            with new_database("postgresql", options.folder) as url:
                scopes = scope_ids(case.scopes)
                deployment = deploy(options.folder, url, replay.url, scopes, case.granularity)
                with run_worker(deployment.conf_path) as worker:
                    result = worker.rate_until(Clock().advance(case.periods))
                    values = {
                        "frames": result["frames"],
                        "base MiB": worker.base,
                        "peak MiB": worker.peak,
                        "CPU µs/frame": result["cpu"] / result["frames"] * 1e6,
                        "frames/s": result["frames"] / result["wall"],
                    }
                yield Row(PART, str(case), values, result["reference"])

"""Part *pipeline*: from the replay's answers to rows in a database.

From the list of scopes to the last commit, start-up excluded. First a window of the same resources
is rated in each round ("known"), then in each round one of resources that nobody has seen before
("new"). A process remembers the ids of 200,000 series, and no cloud replaces all of its resources
several times.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.bench.deployment import deploy, scope_ids
from tests.bench.figures import Row, median_row
from tests.bench.options import Options
from tests.bench.replay.process import Replay, run_replay
from tests.bench.worker_process import Clock, WorkerProcess, run_worker
from tests.databases import new_database

PART = "pipeline"
#: Resources of a scope.
_DENSITY = 100
#: Resources times periods of a large case.
_LARGE = 100_000
_STAGES = ("collecting", "storing", "observing")


class Case(NamedTuple):
    """What to measure.

    :ivar periods: of a window
    :ivar granularity: seconds
    :ivar changing_every: every so many resources there is one with several revisions
    """

    backend: str
    resources: int
    periods: int
    granularity: int
    changing_every: int = 20

    def __str__(self) -> str:
        text = f"{self.backend} {self.resources:,} resources, {self.periods} x {self.granularity} s"
        return f"{text}, slow path" if self.changing_every == 1 else text


def cases(options: Options) -> Iterator[Case]:
    """Yield what to measure, the quick ones first."""
    for resources in (1_000, 10_000, 100_000) if options.is_full else (1_000, 10_000):
        for granularity in (3600, 300):
            for periods in (24, 1):
                if options.is_full or resources * periods * 3600 // granularity < 2_000_000:
                    yield Case("postgresql", resources, periods, granularity)
    for periods in (24, 1):
        yield Case("sqlite", 1_000, periods, 3600)
        yield Case("postgresql", 1_000, periods, 3600, changing_every=1)


def run(options: Options) -> Iterator[Row]:
    """Yield the figures of each case."""
    with run_replay() as replay:
        for case in cases(options):
            with new_database(case.backend, options.folder) as url:
                yield from _measure(case, options, replay, url)


def _measure(case: Case, options: Options, replay: Replay, url: str) -> Iterator[Row]:
    scopes = scope_ids(max(case.resources // _DENSITY, 1))
    deployment = deploy(options.folder, url, replay.url, scopes, case.granularity)
    # Large cases vary little, and take long.
    rounds = options.rounds if case.resources * case.periods < _LARGE else 1
    lab = _Lab(case, replay)
    speeds = lab.measure(deployment.conf_path, rounds, with_stages=False)
    details = lab.measure(deployment.conf_path, 1, with_stages=True)
    for state, results in speeds.items():
        row = median_row(PART, f"{case}, {state}", [(_speed(r), r["reference"]) for r in results])
        yield Row(row.part, row.case, {**row.values, **_details(details[state][0])}, row.reference)


class _Lab:
    """Measures one case, in one database after the other round's windows."""

    def __init__(self, case: Case, replay: Replay) -> None:
        self._case = case
        self._replay = replay
        self._clock = Clock()
        self._generation = 0

    def measure(
        self, conf_path: pathlib.Path, rounds: int, with_stages: bool
    ) -> Mapping[str, list[dict[str, float]]]:
        """Return the results of each round, by what the labels are."""
        results: dict[str, list[dict[str, float]]] = {"new": [], "known": []}
        with run_worker(conf_path, with_stages) as worker:
            # Batches find their size.
            self._rate(worker, is_new=True)
            for state, is_new in (("known", False), ("new", True)):
                for _ in range(rounds):
                    results[state].append(self._rate(worker, is_new))
            for result in (*results["new"], *results["known"]):
                result["peak"] = worker.peak
        return results

    def _rate(self, worker: WorkerProcess, is_new: bool) -> dict[str, float]:
        self._generation += is_new
        case = self._case
        self._replay.configure(
            resources=_DENSITY,
            generation=self._generation,
            changing_every=case.changing_every,
            hours=max(case.periods, 2),
        )
        result = worker.rate_until(self._clock.advance(case.periods))
        return {**result, "requests": self._replay.counts()["requests"]}


def _speed(result: Mapping[str, float]) -> dict[str, float]:
    frames = result["frames"]
    return {
        "frames": frames,
        "CPU µs/frame": result["cpu"] / frames * 1e6,
        "frames/s": frames / result["wall"],
        "requests": result["requests"],
        "peak MiB": result["peak"],
    }


def _details(result: Mapping[str, float]) -> dict[str, float]:
    """Return what only a worker that watches its parts knows."""
    costs = {stage: result.get(f"{stage} seconds", 0.0) for stage in _STAGES}
    # What is neither of them is pricing, and a little of the schedule.
    costs["pricing"] = result["cpu"] - sum(costs.values())
    names = ("collecting", "pricing", "storing")
    batches = result["storing calls"]
    return {
        **{f"{name} µs": costs[name] / result["frames"] * 1e6 for name in names},
        "batches": batches,
        "statements/batch": result["storing statements"] / batches,
    }

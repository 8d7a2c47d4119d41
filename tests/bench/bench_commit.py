"""The cost of a commit: this process's CPU and statements, on each database.

    python -m tests.bench.bench_commit [SERIES]

It also prints the cost of an idle observation of many scopes; and, as a yardstick of the machine,
what it costs to parse a fixed JSON text just then. Bulk writes of frames and totals, two a batch,
are not among the statements.
"""

from __future__ import annotations

import datetime
import functools
import gc
import json
import pathlib
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from ratekit.domain.period import Window
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries, Series
from ratekit.interfaces import RatedBatch, Storage
from ratekit.storage import migrate
from ratekit.storage.sql import open_storage
from tests.contract.given import statements
from tests.databases import BACKENDS, new_database

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
METRICS = ("instance", "volume.size", "cpu")
#: Series of each scope and metric.
SERIES = 50
#: Scopes of an idle observation.
SCOPES = 10_000
#: A figure of what can be repeated is the smallest of so many rounds.
ROUNDS = 5
YARDSTICK = json.dumps([{"number": number, "text": "x" * 20} for number in range(1000)])


def main(series_count: int) -> None:
    """Print figures for each database."""
    for backend in BACKENDS:
        with (
            tempfile.TemporaryDirectory() as folder,
            new_database(backend, pathlib.Path(folder)) as url,
        ):
            migrate.upgrade(url)
            yardstick = min(time_of(lambda: json.loads(YARDSTICK))[1] for _ in range(50))
            print(f"\n{backend}; yardstick {yardstick * 1e6:.0f} us", flush=True)
            for count in (24, 1):
                measure_commits(url, series_count, count)
            measure_observation(url)


def measure_commits(url: str, series_count: int, count: int) -> None:
    """Print what commits of so many series over ``count`` periods cost."""
    storage = open_another(url)
    numbers = range(series_count // (SERIES * len(METRICS)))
    scopes = [Scope(f"{number:032x}", f"project {number}") for number in numbers]
    for label, rounds in (("new labels", 1), ("known labels", ROUNDS)):
        costs = []
        for _ in range(rounds):
            states = observe(storage, scopes, BEGIN)
            window = Window(states[0].rated_until, HOUR, count)
            batch = RatedBatch(window, states, list(usage(states, window)), 0, METRICS)
            with statements() as sent_statements:
                wall, cpu = time_of(functools.partial(commit, storage, batch))
            costs.append((cpu, wall, len(sent_statements)))
        frames = len(batch.series) * count
        cpu, wall, sent = min(costs)
        print(
            f"  commit, {count:2} periods, {label:12} {frames:7} frames"
            f"  CPU {cpu / frames * 1e6:7.2f} us each  wall {wall / frames * 1e6:7.2f} us each"
            f"  {sent:3} statements",
            flush=True,
        )


def measure_observation(url: str) -> None:
    """Print what it costs to observe many scopes that are all known."""
    storage = open_another(url)
    scopes = [Scope(f"{number:032x}", f"project {number}") for number in range(SCOPES)]
    for label, rounds in (("new", 1), ("known", ROUNDS)):
        costs = []
        for number in range(rounds):
            now = BEGIN + (number + len(label)) * HOUR
            with statements() as sent_statements:
                wall, cpu = time_of(functools.partial(observe, storage, scopes, now))
            costs.append((wall, cpu, len(sent_statements)))
        wall, cpu, sent = min(costs)
        print(
            f"  observe {SCOPES} {label:5} scopes  CPU {cpu * 1e3:7.1f} ms"
            f"  wall {wall * 1e3:7.1f} ms  {sent:3} statements",
            flush=True,
        )


def open_another(url: str) -> Storage:
    """Open the storage with scopes of its own, as a fresh process would."""
    return open_storage(url, scope_key=uuid.uuid4().hex, fetcher="static", collector="gnocchi")


def observe(storage: Storage, scopes: Sequence[Scope], now: datetime.datetime) -> list[State]:
    """Return the states of all scopes."""
    return list(storage.ledger.observe(scopes, now, BEGIN, BEGIN).states)


def commit(storage: Storage, batch: RatedBatch) -> None:
    """Commit a batch of scopes that nothing else rates."""
    if storage.ledger.commit(batch).lost_scopes:
        raise RuntimeError("another process has rated the scopes")


def usage(states: Sequence[State], window: Window) -> Iterator[RatedSeries]:
    """Yield series with typical labels of instances; all quantities and prices differ."""
    begins = window.begins()
    places, price_places = Decimal(1).scaleb(-18), Decimal(1).scaleb(-28)
    for metric in METRICS:
        for state in states:
            for number in range(SERIES):
                quantities = [
                    Decimal(f"{number + 1}.{index:02}71{number:04}123").quantize(places)
                    for index in range(window.count)
                ]
                key = f"{state.scope_pk:010x}{number:08x}"
                series = Series(
                    scope=state.scope.id,
                    metric=metric,
                    unit="unit",
                    groupby={
                        "project_id": state.scope.id,
                        "id": f"{key}-71c1-4f6f-a7cd-{key}",
                        "user_id": f"{number:032x}",
                    },
                    metadata={
                        "flavor_name": f"m1.{number % 7}",
                        "flavor_id": str(number % 7),
                        "host": f"compute-{number % 20}",
                        "image_ref": None,
                    },
                    points=list(zip(begins, quantities, strict=True)),
                )
                prices = [
                    (value * Decimal("0.0137")).quantize(price_places) for value in quantities
                ]
                yield RatedSeries(series, prices)


def time_of(work: Callable[[], object]) -> tuple[float, float]:
    """Run ``work`` once; return its seconds by the wall clock, and of this process's CPU."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6000)

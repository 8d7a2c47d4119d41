"""The speed of storing and reading frames.

    python -m tests.bench.bench_storage [URL ...]

Without URLs, it measures each database of tests.databases. It creates missing tables and adds
new scopes in each run.
"""

from __future__ import annotations

import datetime
import functools
import pathlib
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal

from ratekit.domain.period import Window
from ratekit.domain.reporting.reports import Selection
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries, Series
from ratekit.interfaces import RatedBatch, Storage
from ratekit.storage import migrate
from ratekit.storage.db.engine import parse
from ratekit.storage.sql import open_storage
from tests.databases import BACKENDS, new_database

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
#: Series for each scope and metric.
SERIES = 100
METRICS = ("instance", "volume.size", "cpu")


def main(urls: list[str]) -> None:
    """Print figures for each database."""
    for url in urls:
        measure(url)
    with tempfile.TemporaryDirectory() as folder:
        for backend in () if urls else BACKENDS:
            with new_database(backend, pathlib.Path(folder)) as url:
                measure(url)


def measure(url: str) -> None:
    """Print figures for one database."""
    migrate.upgrade(url)
    storage = open_storage(url, scope_key=uuid.uuid4().hex, fetcher="static", collector="gnocchi")
    print(f"\n{parse(url).get_backend_name()}")
    scopes = [Scope(f"{number:032x}", f"project {number}") for number in range(40)]

    def observe() -> list[State]:
        return list(storage.ledger.observe(scopes, BEGIN, BEGIN, BEGIN).states)

    report("observe 40 new scopes", 40, observe)
    report("observe 40 known scopes", 40, observe)
    for label, count, first in (
        ("commit, 24 periods, labels new", 24, 0),
        ("commit, 24 periods, labels known", 24, 0),
        ("commit, 1 period, labels known", 1, 0),
        ("commit, 1 period, labels new", 1, SERIES),
    ):
        states = observe()
        window = Window(states[0].rated_until, HOUR, count)
        batch = RatedBatch(window, states, list(usage(states, window, first)), 0, METRICS)
        report(label, len(batch.series) * count, functools.partial(commit, storage, batch))
    read_back(storage)


def commit(storage: Storage, batch: RatedBatch) -> None:
    """Commit a batch of scopes that nothing else rates."""
    result = storage.ledger.commit(batch)
    if result.lost_scopes:
        raise RuntimeError("another process has rated the scopes")


def read_back(storage: Storage) -> None:
    """Print figures of reports."""
    everything = Selection()
    frames = sum(row.points for row in storage.reports.summary(everything, (), datetime.UTC))
    print(f"  {frames} frames stored")
    for groupby in (("scope", "metric"), ("metric", "day"), ("flavor_name",), ("host", "hour")):
        report(
            f"summary by {', '.join(groupby)}",
            frames,
            functools.partial(storage.reports.summary, everything, groupby, datetime.UTC),
        )
    report("list all frames", frames, lambda: sum(1 for _ in storage.reports.frames(everything)))


def usage(states: list[State], window: Window, first: int) -> Iterator[RatedSeries]:
    """Yield series with typical labels of instances, numbered from ``first`` on."""
    quantity, price = Decimal("1.000000000000000000"), Decimal("0.0200000000000000000000000000")
    points = [(begin, quantity) for begin in window.begins()]
    prices = [price] * window.count
    for state in states:
        for metric in METRICS:
            for number in range(first, first + SERIES):
                series = Series(
                    scope=state.scope.id,
                    metric=metric,
                    unit="unit",
                    groupby={
                        "project_id": state.scope.id,
                        "id": str(uuid.UUID(int=number)),
                        "user_id": f"{number:032x}",
                    },
                    metadata={
                        "flavor_name": f"m1.{number % 7}",
                        "flavor_id": str(number % 7),
                        "host": f"compute-{number % 20}",
                        "image_ref": None,
                    },
                    points=points,
                )
                yield RatedSeries(series, prices)


def report(label: str, count: int, work: Callable[[], object]) -> None:
    """Run ``work`` once and print its speed and the CPU time of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"  {label:34} {count:8} in {wall:6.3f} s  {count / wall:10,.0f}/s"
        f"  CPU {cpu / count * 1e6:7.2f} us each"
    )


if __name__ == "__main__":
    main(sys.argv[1:])

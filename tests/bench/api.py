"""Part *api*: many clients read bills over HTTP while a processor rates.

Everybody is an administrator here, because Keystone is not what is measured; the requests are
those of a tenant's pages and of an operator's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import http.client
import os
import pathlib
import random
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence

from ratekit.domain.reporting.reports import Selection
from ratekit.interfaces import Storage
from ratekit.storage.sql import build_storage
from tests.bench import ledger_data
from tests.bench.deployment import Deployment, deploy, scope_ids
from tests.bench.figures import Row, measure_reference
from tests.bench.options import Options
from tests.bench.replay.process import run_replay
from tests.bench.worker_process import Clock, run_worker
from tests.databases import new_database
from tests.databases.process import free_port

PART = "api"
_CLIENTS = 50
_SCOPES = 100
_METRICS = len(ledger_data.METRICS)
_BATCH_PERIODS = 24
#: Scopes that are rated meanwhile, and resources of each.
_RATED_SCOPES, _RATED_RESOURCES = 50, 20
_TIMEOUT = 120


@dataclasses.dataclass(slots=True)
class _Tally:
    """What the requests of one kind took, in seconds, and how many failed."""

    seconds: list[float] = dataclasses.field(default_factory=list)
    failures: int = 0


def run(options: Options) -> Iterator[Row]:
    """Yield latencies by kind of request, and what rating did at the same time."""
    days, resources, seconds = (29, 24, 60) if options.is_full else (7, 5, 15)
    reference = measure_reference()
    with run_replay() as replay, new_database("postgresql", options.folder) as url:
        replay.configure(resources=_RATED_RESOURCES, tracks_hours=0)
        deployment = deploy(options.folder, url, replay.url, _rated_scopes())
        storage = build_storage(deployment.conf)
        frames = _fill(storage, days, resources)
        with (
            _serve(deployment.conf_path) as (port, process),
            _Rater(deployment, days * _BATCH_PERIODS) as rater,
        ):
            before = _read_size(process.pid)
            tallies = _ask(port, days, seconds)
            after = _read_size(process.pid)
        case = f"{frames:,} frames, {_CLIENTS} clients"
        for kind, tally in tallies.items():
            yield Row(PART, f"{case}, {kind}", _figures(tally, seconds), reference)
        values = {"frames/s": rater.frames / rater.seconds, "lost": rater.count_lost(storage)}
        yield Row(PART, "rating meanwhile", values, reference)
        yield Row(PART, "size of the API, MiB", {"before": before, "after": after}, reference)


def _rated_scopes() -> Sequence[str]:
    """Return the ids of the scopes that are rated meanwhile, which have no bills yet."""
    return scope_ids(_SCOPES + _RATED_SCOPES)[_SCOPES:]


def _fill(storage: Storage, days: int, resources: int) -> int:
    """Store days of frames; return their number."""
    version = storage.rules.read().version
    scopes = ledger_data.build_scopes(_SCOPES)
    for _ in range(days):
        states = ledger_data.observe(storage, scopes)
        for first in range(0, len(states), 10):
            batch = ledger_data.build_batch(
                states[first : first + 10], _BATCH_PERIODS, range(resources), version
            )
            ledger_data.commit(storage, batch)
    return days * _BATCH_PERIODS * resources * _METRICS * _SCOPES


@contextlib.contextmanager
def _serve(conf_path: pathlib.Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run ratekit-api; yield its port and its process."""
    port = free_port()
    section = f"\n[api]\nauth_strategy = noauth\nport = {port}\n"
    path = conf_path.with_name("api.conf")
    path.write_text(conf_path.read_text(encoding="utf-8") + section, encoding="utf-8")
    script = "from ratekit.cmd import launch; launch.api()"
    command = [sys.executable, "-W", "ignore", "-c", script, "--config-file", str(path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield port, process
        finally:
            process.terminate()


def _wait(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            if _request(http.client.HTTPConnection("127.0.0.1", port), "/healthcheck"):
                return
        time.sleep(0.1)
    raise RuntimeError("the API does not answer")


def _request(connection: http.client.HTTPConnection, path: str) -> bool:
    """Send a request and read the answer; return whether it succeeded."""
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response.status == 200


def _read_size(pid: int) -> float:
    """Return the size of a process in memory, in MiB."""
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _kinds(days: int) -> Mapping[str, Callable[[], str]]:
    """Return what builds the path of a request, by its kind."""
    scopes = [scope.id for scope in ledger_data.build_scopes(_SCOPES)]
    end = ledger_data.BEGIN + datetime.timedelta(days=days)

    def path(resource: str, **query: str) -> str:
        query = {"begin": ledger_data.BEGIN.isoformat(), "end": end.isoformat(), **query}
        return f"{resource}?{urllib.parse.urlencode(query)}"

    def of_scope() -> str:
        return f"project_id:{random.choice(scopes)}"

    def summary(groupby: str) -> str:
        return path("/v2/summary", groupby=groupby, filters=of_scope())

    def frames() -> str:
        begin = ledger_data.BEGIN + datetime.timedelta(hours=random.randrange(days * 24 - 24))
        return path(
            "/v2/dataframes", filters=of_scope(), limit="100", begin=begin.isoformat(),
            end=(begin + datetime.timedelta(days=1)).isoformat(),
        )  # fmt: skip

    return {
        "a tenant's month by metric": lambda: summary("type"),
        "a tenant's days": lambda: summary("time-d,type"),
        "all projects": lambda: path("/v2/summary", groupby="project_id"),
        "100 data frames": frames,
    }


def _ask(port: int, days: int, seconds: float) -> Mapping[str, _Tally]:
    """Let all clients send requests for some time; each waits for its answer."""
    kinds = _kinds(days)
    # Operators' pages are rare.
    names = [name for name in kinds for _ in range(1 if name == "all projects" else 5)]
    tallies = {name: _Tally() for name in kinds}
    end = time.monotonic() + seconds

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
        while time.monotonic() < end:
            name = random.choice(names)
            start = time.perf_counter()
            try:
                succeeded = _request(connection, kinds[name]())
            except (OSError, http.client.HTTPException):
                connection.close()
                succeeded = False
            tallies[name].seconds.append(time.perf_counter() - start)
            tallies[name].failures += not succeeded

    threads = [threading.Thread(target=work) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tallies


def _figures(tally: _Tally, seconds: float) -> dict[str, float]:
    return {
        "requests/s": len(tally.seconds) / seconds,
        "p50 ms": _percentile(tally.seconds, 50) * 1e3,
        "p99 ms": _percentile(tally.seconds, 99) * 1e3,
        "errors": tally.failures,
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else max(values)


class _Rater:
    """Rates one window after the other in a process of its own, until the context ends.

    :param hours: of the first window
    """

    def __init__(self, deployment: Deployment, hours: int) -> None:
        self._deployment = deployment
        self._hours = hours
        self._ends = False
        self._thread = threading.Thread(target=self._rate)
        self.frames = 0
        self.seconds = 0.0

    def __enter__(self) -> _Rater:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self._thread.join()

    def _rate(self) -> None:
        clock = Clock()
        start = time.monotonic()
        with run_worker(self._deployment.conf_path) as worker:
            # No scope may be rated beyond the worker's time.
            self.frames += int(worker.rate_until(clock.advance(self._hours))["frames"])
            while not self._ends:
                self.frames += int(worker.rate_until(clock.advance(6))["frames"])
        self.seconds = time.monotonic() - start

    def count_lost(self, storage: Storage) -> int:
        """Return how many of the frames that were rated are not stored."""
        selection = Selection(scopes=frozenset(_rated_scopes()))
        stored = sum(row.points for row in storage.reports.summary(selection, (), datetime.UTC))
        return self.frames - stored

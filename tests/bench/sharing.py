"""Part *sharing*: two daemons on one database, beside one.

Real daemons, which start at the same moment and catch up a day. Start-up is in all figures.
"""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import time
from collections.abc import Iterator, Sequence

import psutil
import sqlalchemy as sa

from ratekit.domain import period
from tests.bench.deployment import deploy, scope_ids
from tests.bench.figures import Row, measure_reference, median_row
from tests.bench.options import Options
from tests.bench.replay.process import Replay, run_replay
from tests.builders import HOUR
from tests.coordination.services import run_service
from tests.coordination.site import Daemon
from tests.databases import new_database
from tests.faults.trial import wait_until, with_driver

PART = "sharing"
_SCOPES = 1600
_RESOURCES = 20
_PERIODS = 24
#: Seconds that a catch-up may take.
_LIMIT = 1800


def run(options: Options) -> Iterator[Row]:
    """Yield what catching up a day takes, and which part of it was asked for again."""
    with run_replay() as replay:
        for daemons in (1, 2):
            yield _row(f"{daemons} without coordination", daemons, "", options, replay)
        with run_service("etcd") as service:
            yield _row("2 with coordination", 2, service.url, options, replay)


def _row(case: str, daemons: int, coordination: str, options: Options, replay: Replay) -> Row:
    rounds = [_measure(daemons, coordination, options, replay) for _ in range(options.rounds)]
    return median_row(PART, case, rounds)


def _measure(
    number: int, coordination: str, options: Options, replay: Replay
) -> tuple[dict[str, float], float]:
    replay.configure(resources=_RESOURCES, tracks_hours=1)
    # The newest hour that is due began two hours ago.
    end = period.floor(datetime.datetime.now(datetime.UTC), HOUR) - HOUR
    with new_database("postgresql", options.folder) as url, contextlib.ExitStack() as stack:
        deployment = deploy(
            options.folder,
            url,
            replay.url,
            scope_ids(_SCOPES),
            start=end - _PERIODS * HOUR,
            coordination_url=coordination,
        )
        reference, start = measure_reference(), time.perf_counter()
        daemons = [_start(deployment.conf_path, index) for index in range(number)]
        for daemon in daemons:
            stack.callback(daemon.kill)
        _wait_until_rated(url, end)
        wall, cpu = time.perf_counter() - start, _cpu(daemons)
        frames = _count_frames(url)
    counts = replay.counts()
    values = {
        "frames": frames,
        "wall s": wall,
        "CPU s": cpu,
        "asked again %": counts["hours again"] / counts["hours"] * 100,
    }
    return values, reference


def _start(conf: pathlib.Path, index: int) -> Daemon:
    return Daemon(str(index), conf, conf.with_name(f"{index}.log"))


def _wait_until_rated(url: str, end: datetime.datetime) -> None:
    engine = sa.create_engine(with_driver(url))
    query = sa.text("SELECT COUNT(*) FROM scopes WHERE rated_until >= :end")

    def is_rated() -> bool:
        with engine.connect() as connection:
            count = connection.scalar(query, {"end": end.replace(tzinfo=None)})
        return bool(count == _SCOPES)

    try:
        if not wait_until(is_rated, _LIMIT):
            raise RuntimeError("the daemons do not catch up")
    finally:
        engine.dispose()


def _count_frames(url: str) -> float:
    engine = sa.create_engine(with_driver(url))
    with engine.connect() as connection:
        frames = connection.scalar(sa.text("SELECT COUNT(*) FROM frames"))
    engine.dispose()
    return float(frames)


def _cpu(daemons: Sequence[Daemon]) -> float:
    """Return the CPU seconds of all processes of daemons so far."""
    times = []
    for daemon in daemons:
        for process in daemon.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                times.append(process.cpu_times())
    return sum(time.user + time.system for time in times)

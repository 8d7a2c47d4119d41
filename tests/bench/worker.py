"""``python -m tests.bench.worker CONF [--stages]``: a processor that rates when it is told to.

Each line of its standard input is a time; it runs one cycle as if it was then, and prints a
line of JSON. It is composed as ``ratekit-processor --once`` is, but for the clock.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import random
import sys
import time
import warnings
from typing import Any

_PEAK = "VmHWM:"


def main() -> None:
    """Run cycles until standard input ends."""
    # As in ratekit.cmd.processor, before any other import.
    os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")
    with warnings.catch_warnings(record=True):
        import eventlet

        eventlet.monkey_patch()
    parser = argparse.ArgumentParser()
    parser.add_argument("conf")
    parser.add_argument("--stages", action="store_true", help="measure stages, count statements")
    options = parser.parse_args()
    worker = Worker(options.conf, options.stages)
    print(json.dumps({"base": read_peak()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(worker.run(datetime.datetime.fromisoformat(line.strip()))), flush=True)


class Worker:
    """A processor in this process.

    :param path: ratekit.conf
    :param with_stages: measure stages too, which costs some time itself
    """

    def __init__(self, path: str, with_stages: bool) -> None:
        from ratekit import composition, concurrency, plugins
        from ratekit.cmd import configuration, startup
        from ratekit.processing.run_context import RunContext
        from ratekit.storage.sql import build_storage
        from tests.bench.stages import Stages

        conf = configuration.load_for_rating("bench", ["--config-file", path])
        startup.limit_garbage_collection()
        storage = build_storage(conf)
        self._now = startup.now()
        self._stages: Stages | None = None
        if with_stages:
            self._stages = stages = Stages()
            collector = plugins.load(plugins.COLLECTORS, conf.collect.collector)
            stages.watch(collector, "collect", "collecting")
            stages.watch(collector, "exclusions", "collecting")
            stages.watch(type(storage.ledger), "commit", "storing")
            stages.watch(type(storage.ledger), "observe", "observing")
            stages.watch(type(storage.rules), "read", "observing")
        context = RunContext(
            lambda: self._now, lambda _: None, should_continue=lambda: True, chance=random.random
        )
        self._orchestrator = composition.build_processor(
            conf, storage, context, concurrency.side_by_side, concurrency.within
        ).orchestrator

    def run(self, now: datetime.datetime) -> dict[str, Any]:
        """Run one cycle; return what it took, and what it did."""
        from tests.bench.figures import measure_reference

        self._now = now
        reference = measure_reference()
        forget_peak()
        wall, cpu = time.perf_counter(), time.process_time()
        result = self._orchestrator.run_cycle()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if result.failed_scopes:
            raise RuntimeError(f"{result.failed_scopes} scopes were not rated; see the log")
        measured: dict[str, Any] = {
            "frames": result.frames,
            "wall": wall,
            "cpu": cpu,
            "peak": read_peak(),
            "reference": (reference + measure_reference()) / 2,
        }
        return measured if self._stages is None else measured | self._stages.take()


def read_peak() -> float:
    """Return the largest size of this process in memory since :func:`forget_peak`, in MiB."""
    for line in pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(_PEAK):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {_PEAK}")


def forget_peak() -> None:
    """Let the largest size be the current one."""
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    main()

"""Starts workers, and talks to them."""

from __future__ import annotations

import contextlib
import datetime
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any

from tests.bench.replay.resources import EPOCH

#: How long after its end a period becomes due, with the default of ``[collect] wait_periods``.
_PATIENCE = datetime.timedelta(hours=2)


class WorkerProcess:
    """A processor in a process of its own; all scopes start at ``EPOCH``.

    :ivar base: its size before its first cycle, MiB
    :ivar peak: its largest size in any cycle, MiB
    """

    def __init__(self, commands: IO[str], results: IO[str]) -> None:
        self._commands = commands
        self._results = results
        self.base: float = self._read()["base"]
        self.peak = self.base

    def rate_until(self, end: datetime.datetime) -> dict[str, float]:
        """Run a cycle when the period that ends at ``end`` has just become due."""
        self._commands.write(f"{(end + _PATIENCE).isoformat()}\n")
        self._commands.flush()
        result: dict[str, float] = self._read()
        self.peak = max(self.peak, result["peak"])
        return result

    def _read(self) -> Any:
        line = self._results.readline()
        if not line:
            raise RuntimeError("the worker has ended")
        return json.loads(line)


class Clock:
    """Hands out the ends of consecutive windows, from ``EPOCH`` on."""

    def __init__(self) -> None:
        self.end = EPOCH

    def advance(self, periods: int) -> datetime.datetime:
        """Return the end of the next window of so many periods."""
        self.end += datetime.timedelta(hours=periods)
        return self.end


@contextlib.contextmanager
def run_worker(conf_path: pathlib.Path, with_stages: bool = False) -> Iterator[WorkerProcess]:
    """Yield a worker that has not run a cycle yet; it ends with the context."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.worker", str(conf_path)]
    if with_stages:
        command.append("--stages")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the worker has no pipes")
        try:
            yield WorkerProcess(process.stdin, process.stdout)
        finally:
            process.stdin.close()

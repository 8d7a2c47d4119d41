"""Starts the replay, and talks to it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any


class Replay:
    """A running replay.

    :ivar url: Gnocchi's root, without ``/v1``
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def configure(self, **settings: int) -> None:
        """Replace some of :class:`tests.bench.replay.resources.Settings`; forget the counts."""
        self._ask("settings", settings)

    def counts(self) -> dict[str, float]:
        """Return the numbers of requests, points and bytes since the last change."""
        counts: dict[str, float] = self._ask("counts")
        return counts

    def _ask(self, name: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/replay/{name}", data) as response:
            return json.load(response)


@contextlib.contextmanager
def run_replay() -> Iterator[Replay]:
    """Yield a replay in a process of its own; it also ends if this process is killed."""
    command = [sys.executable, "-m", "tests.bench.replay.server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the replay has no pipes")
        yield Replay(f"http://127.0.0.1:{int(process.stdout.readline())}")
        process.stdin.close()

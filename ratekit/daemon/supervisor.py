"""The process that watches over the workers, and tells systemd how they are."""

from __future__ import annotations

import datetime
import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from oslo_service import service

from ratekit import concurrency
from ratekit.daemon.service import Processor
from ratekit.daemon.status_board import Report, StatusBoard
from ratekit.daemon.systemd import Notifier

LOG = logging.getLogger(__name__)

#: Seconds between two looks at the board.
_TICK = 1.0
#: Seconds between two looks for workers that have ended.
_LOOK = 0.2
#: Seconds after which a reload is called done, whoever has not answered.
_RELOAD = 30.0
#: Exit code of a program that was ended by Ctrl-C.
_INTERRUPTED = 130


class Supervisor:
    """Looks at the board now and then.

    :param farewell: says that Ctrl-C was understood
    """

    def __init__(
        self, board: StatusBoard, notifier: Notifier, farewell: Callable[[], None]
    ) -> None:
        self._board = board
        self._notifier = notifier
        self._farewell = farewell
        self._status = ""
        self._reloads: Sequence[float] | None = None
        self._patience = 0.0
        self._pids: dict[int, int] = {}
        self._signals = service.SignalHandler()

    def run(self) -> None:
        """Watch until the process ends."""
        self._signals.add_handler("SIGHUP", self._on_reload)
        self._signals.add_handler("SIGTERM", self._on_stop)
        self._signals.add_handler("SIGINT", self._on_interrupt)
        while True:
            self.look()
            concurrency.sleep(min(_TICK, self._notifier.watchdog / 4 or _TICK))

    def look(self) -> None:
        """Tell systemd what is new."""
        reports = self._board.reports()
        status = describe(reports)
        if self._reloads is not None:
            self._end_reload(reports, status)
        elif status != self._status:
            self._notifier.status(status)
        self._status = status
        self._report_replaced(reports)
        # A worker that hangs may not hide behind the others.
        oldest = min(report.pulse for report in reports)
        if self._notifier.watchdog and time.monotonic() - oldest < self._notifier.watchdog / 2:
            self._notifier.alive()

    def _report_replaced(self, reports: Sequence[Report]) -> None:
        """Say that a worker has died: its own log ends without a word."""
        for number, report in enumerate(reports, start=1):
            before = self._pids.get(number, 0)
            if before and report.pid != before:
                LOG.warning("worker %d had died (process %d) and was replaced", number, before)
            self._pids[number] = int(report.pid)

    def _end_reload(self, reports: Sequence[Report], status: str) -> None:
        before = self._reloads or ()
        done = all(now.reloads > then for now, then in zip(reports, before, strict=True))
        if done or time.monotonic() > self._patience:
            self._notifier.ready(status)
            self._reloads = None
            # oslo.service has put its own handler in front again.
            self._signals.add_handler("SIGINT", self._on_interrupt)

    def _on_reload(self, _signal: int, _frame: object) -> None:
        self._notifier.reloading()
        self._reloads = [report.reloads for report in self._board.reports()]
        self._patience = time.monotonic() + _RELOAD

    def _on_stop(self, _signal: int, _frame: object) -> None:
        self._notifier.stopping()

    def _on_interrupt(self, _signal: int, _frame: object) -> None:
        # The workers have had it from the terminal as well.
        self._farewell()
        os._exit(_INTERRUPTED)


def describe(reports: Sequence[Report]) -> str:
    """Say in one line how the workers are."""
    left = sum(int(report.scopes_left) for report in reports if not report.next_cycle)
    failed = sum(int(report.failed) for report in reports)
    frames = sum(int(report.frames) for report in reports)
    rating = any(not report.next_cycle for report in reports)
    parts = [f"rating, {left:,} scopes left" if rating else f"next cycle {_next(reports)}"]
    parts.append(f"{frames:,} frames since the start")
    if failed:
        parts.append(f"{failed:,} scopes failing, see the log")
    if any(report.refused for report in reports):
        parts.append("the last reload was refused, see the log")
    return "; ".join(parts)


def _next(reports: Sequence[Report]) -> str:
    first = min(report.next_cycle for report in reports)
    return f"{datetime.datetime.fromtimestamp(first, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def launch(conf: Any, processors: Sequence[Processor], supervisor: Supervisor) -> None:
    """Run each processor in a process of its own; return when a signal has ended them."""
    launcher = service.ProcessLauncher(_Settled(conf), wait_interval=_LOOK, restart_method="mutate")
    for processor in processors:
        launcher.launch_service(processor)
    concurrency.GreenThread(supervisor.run)
    launcher.wait()


class _Settled:
    """Configuration that oslo.service leaves alone at SIGHUP.

    It would end the daemon at the first slip in a file; a processor's ``reset`` re-reads.
    """

    def __init__(self, conf: Any) -> None:
        self._conf = conf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conf, name)

    def mutate_config_files(self) -> None:
        """Do nothing."""

"""The parent process of the workers, which reports their status to systemd."""

from __future__ import annotations

import datetime
import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from oslo_service import service

from ratekit import concurrency
from ratekit.daemon.service import Processor
from ratekit.daemon.status_board import StatusBoard, WorkerStatus
from ratekit.daemon.systemd import Notifier
from ratekit.text import count_text, utc_text

LOG = logging.getLogger(__name__)

#: Seconds between two checks of the status board.
_CHECK_SECONDS = 1.0
#: Seconds between two checks for workers that have exited.
_EXIT_POLL_SECONDS = 0.2
#: Seconds after which a reload is reported as finished, even if some workers have not finished it.
_RELOAD_SECONDS = 30.0
#: Exit code of a program that was interrupted with Ctrl-C.
_INTERRUPTED = 130


class Companion(Protocol):
    """A process beside the workers."""

    def check(self) -> None:
        """Start it, unless it runs."""

    def stop(self) -> None:
        """End it."""


class Supervisor:
    """Watches the status board and reports to systemd.

    :param report_interrupt: tells the user of a terminal that the program was interrupted
    :param companion: is started after the workers, and again whenever it dies
    """

    def __init__(
        self,
        board: StatusBoard,
        notifier: Notifier,
        report_interrupt: Callable[[], None],
        companion: Companion | None = None,
    ) -> None:
        self._board = board
        self._notifier = notifier
        self._report_interrupt = report_interrupt
        self._companion = companion
        self._status = ""
        #: Number of reloads of each worker when a reload started; None: no reload is running.
        self._reloads: Sequence[int] | None = None
        self._reload_deadline = 0.0
        self._pids: dict[int, int] = {}
        self._signals = service.SignalHandler()

    def run(self) -> None:
        """Watch until the process ends."""
        self._signals.add_handler("SIGHUP", self._on_reload)
        self._signals.add_handler("SIGTERM", self._on_stop)
        self._signals.add_handler("SIGINT", self._on_interrupt)
        while True:
            self.check()
            concurrency.sleep(min(_CHECK_SECONDS, self._notifier.watchdog / 4 or _CHECK_SECONDS))

    def check(self) -> None:
        """Report changes of the status to systemd, and that all workers make progress."""
        if self._companion is not None:
            self._companion.check()
        workers = self._board.snapshot()
        status = describe(workers)
        if self._reloads is not None:
            self._end_reload(workers, self._reloads, status)
        elif status != self._status:
            self._notifier.status(status)
        self._status = status
        self._log_replacements(workers)
        # One worker that hangs is enough to stop the reports to the watchdog.
        oldest = min(worker.heartbeat for worker in workers)
        if self._notifier.watchdog and time.monotonic() - oldest < self._notifier.watchdog / 2:
            self._notifier.alive()

    def end(self) -> None:
        """End what runs beside the workers, which have ended."""
        if self._companion is not None:
            self._companion.stop()

    def _log_replacements(self, workers: Sequence[WorkerStatus]) -> None:
        """Log the death of workers, which cannot log it themselves."""
        for number, worker in enumerate(workers, start=1):
            pid = self._pids.get(number, 0)
            if pid and worker.pid != pid:
                LOG.warning("worker %d (process %d) died and was replaced", number, pid)
            self._pids[number] = worker.pid

    def _end_reload(
        self, workers: Sequence[WorkerStatus], reloads: Sequence[int], status: str
    ) -> None:
        finished = all(
            worker.reloads > before for worker, before in zip(workers, reloads, strict=True)
        )
        if finished or time.monotonic() > self._reload_deadline:
            self._notifier.ready(status)
            self._reloads = None
            # oslo.service has installed its own handler again.
            self._signals.add_handler("SIGINT", self._on_interrupt)

    def _on_reload(self, _signal: int, _frame: object) -> None:
        self._notifier.reloading()
        self._reloads = [worker.reloads for worker in self._board.snapshot()]
        self._reload_deadline = time.monotonic() + _RELOAD_SECONDS

    def _on_stop(self, _signal: int, _frame: object) -> None:
        self._notifier.stopping()

    def _on_interrupt(self, _signal: int, _frame: object) -> None:
        # The terminal has sent the signal to the workers, too.
        self._report_interrupt()
        os._exit(_INTERRUPTED)


def describe(workers: Sequence[WorkerStatus]) -> str:
    """Return the status of all workers in one line."""
    rating = [worker for worker in workers if not worker.next_cycle]
    failed = sum(worker.failed_scopes for worker in workers)
    frames = sum(worker.frames for worker in workers)
    if rating:
        scopes = sum(worker.scopes_left for worker in rating)
        # At first no worker has listed what is due.
        parts = [f"rating, {count_text(scopes, 'scope')} left" if scopes else "rating"]
    else:
        parts = [f"next cycle {_next_cycle(workers)}"]
    parts.append(f"{count_text(frames, 'frame')} since the start")
    if failed:
        parts.append(f"{count_text(failed, 'scope')} failing, see the log")
    if any(worker.cycle_failed for worker in workers):
        parts.append("rating waits, see the log")
    if any(worker.reload_failed for worker in workers):
        parts.append("the last reload failed, see the log")
    return "; ".join(parts)


def _next_cycle(workers: Sequence[WorkerStatus]) -> str:
    earliest = int(min(worker.next_cycle for worker in workers))
    return utc_text(datetime.datetime.fromtimestamp(earliest, datetime.UTC))


def launch(conf: Any, processors: Sequence[Processor], supervisor: Supervisor) -> None:
    """Run each processor in a separate process; return when a signal has ended them."""
    launcher = service.ProcessLauncher(
        _UnchangedConf(conf), wait_interval=_EXIT_POLL_SECONDS, restart_method="mutate"
    )
    for processor in processors:
        launcher.launch_service(processor)
    watching = concurrency.GreenThread(supervisor.run)
    try:
        launcher.wait()
    finally:
        watching.kill()
        supervisor.end()


class _UnchangedConf:
    """A configuration that oslo.service cannot re-read at SIGHUP.

    oslo.service would end the daemon at the first mistake in a file. The ``reset`` method of
    each processor re-reads the files instead.
    """

    def __init__(self, conf: Any) -> None:
        self._conf = conf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conf, name)

    def mutate_config_files(self) -> None:
        """Do nothing."""

"""A worker as a process of oslo.service's."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable

from oslo_service import service

from ratekit import concurrency, errors
from ratekit.daemon.status_board import WorkerStatus
from ratekit.daemon.worker import Worker
from ratekit.processing.rater import Settings

LOG = logging.getLogger(__name__)

#: Seconds that a batch may take to end after a stop; then it is abandoned whole.
_GRACE = 5.0
#: Seconds after a stop when the kernel ends the process, whatever it hangs in.
_LAST = 8


class Processor(service.ServiceBase):  # type: ignore[misc]
    """Starts, reloads and stops a worker.

    oslo.service calls ``stop`` and ``reset`` in the parent process too, where the worker was
    never started.

    :param reread: re-reads configuration and metrics.yml
    :param name: for the log
    """

    def __init__(
        self,
        worker: Worker,
        stop: concurrency.StopEvent,
        slot: WorkerStatus,
        reread: Callable[[], Settings],
        name: str,
    ) -> None:
        self._worker = worker
        self._stop = stop
        self._slot = slot
        self._reread = reread
        self._name = name
        self._task: concurrency.GreenThread | None = None

    def start(self) -> None:
        """Begin to rate in the background."""
        self._task = concurrency.GreenThread(self._run)

    def stop(self) -> None:
        """End after the batch at hand, or without it: it is rated again after the next start."""
        if self._task is None:
            return
        self._stop.set()
        # The default action, since Python's own handlers wait for C code to come back.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_LAST)
        concurrency.GreenThread(self._abandon)

    def wait(self) -> None:
        """Return when the loop has ended."""
        if self._task is not None:
            self._task.wait()

    def reset(self) -> None:
        """Re-read what may change; what cannot be used leaves everything as it was.

        In the parent process too, without a word: a worker that has to be replaced is forked
        from there, and must not fall back to what was in force when the daemon started.
        """
        if self._task is not None:
            # oslo.service has taken its handler off until this is done: a second SIGHUP would
            # end the process.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        refusal: BaseException | None = None
        try:
            self._worker.adopt(self._reread())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a slip may not end the daemon
            refusal = error
        if self._task is not None:
            self._tell(refusal)

    def _tell(self, refusal: BaseException | None) -> None:
        if isinstance(refusal, errors.RatekitError):
            for line in str(refusal).splitlines():
                LOG.error("not reloaded, the old settings stay in force: %s", line)
        elif refusal is not None:
            LOG.error("not reloaded, the old settings stay in force", exc_info=refusal)
        else:
            LOG.info("reloaded: in force from the next batch on")
        self._slot.tell(refused=int(refusal is not None))
        self._slot.add("reloads", 1)

    def _run(self) -> None:
        LOG.info("%s started", self._name)
        self._slot.tell(pid=os.getpid())
        try:
            self._worker.run()
        finally:
            LOG.info("%s stopped", self._name)

    def _abandon(self) -> None:
        concurrency.sleep(_GRACE)
        LOG.warning("%s abandons the batch at hand: it took too long to end", self._name)
        if self._task is not None:
            self._task.kill()

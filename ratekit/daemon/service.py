"""A worker as a service of oslo.service."""

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

#: Seconds that a batch may take to end after a stop; then the whole batch is abandoned.
_GRACE_SECONDS = 5.0
#: Seconds after a stop at which the kernel ends the process, whatever blocks it.
_KILL_SECONDS = 8


class Processor(service.ServiceBase):  # type: ignore[misc]
    """Starts, reloads and stops a worker.

    oslo.service calls ``stop`` and ``reset`` in the parent process, too, where the worker was
    never started.

    :param reread: re-reads the configuration and metrics.yml; True: and logs warnings
    :param name: name of the worker, for the log
    """

    def __init__(
        self,
        worker: Worker,
        stop: concurrency.StopEvent,
        status: WorkerStatus,
        reread: Callable[[bool], Settings],
        name: str,
    ) -> None:
        self._worker = worker
        self._stop = stop
        self._status = status
        self._reread = reread
        self._name = name
        self._thread: concurrency.GreenThread | None = None

    def start(self) -> None:
        """Start the worker in the background."""
        self._thread = concurrency.GreenThread(self._run)

    def stop(self) -> None:
        """Stop after the current batch, or abandon it; it is then rated after the next start."""
        if self._thread is None:
            return
        self._stop.set()
        # The default action, because Python runs handlers only after blocking C code returns.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_KILL_SECONDS)
        concurrency.GreenThread(self._abandon)

    def wait(self) -> None:
        """Return when the worker has stopped."""
        if self._thread is not None:
            self._thread.wait()

    def reset(self) -> None:
        """Re-read the settings that may change; keep the old ones if the new ones are invalid.

        The parent process does this, too, but logs nothing: a worker that replaces another one
        is forked from it, and must not use the settings from when the daemon started.
        """
        if self._thread is not None:
            # oslo.service has removed its handler until this returns: a second SIGHUP would end
            # the process.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        failure: BaseException | None = None
        try:
            self._worker.adopt(self._reread(self._thread is not None))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - mistakes must not end the daemon
            failure = error
        if self._thread is not None:
            self._report_reload(failure)

    def _report_reload(self, failure: BaseException | None) -> None:
        if isinstance(failure, errors.RatekitError):
            for line in failure.lines():
                LOG.error("not reloaded; the old settings remain in use: %s", line)
        elif failure is not None:
            LOG.error(
                "unexpected error while reloading; the old settings remain in use", exc_info=failure
            )
        else:
            LOG.info("reloaded; the new settings apply from the next batch")
        self._status.reload_failed = int(failure is not None)
        self._status.reloads += 1

    def _run(self) -> None:
        LOG.info("%s started", self._name)
        self._status.pid = os.getpid()
        try:
            self._worker.run()
        finally:
            LOG.info("%s stopped", self._name)

    def _abandon(self) -> None:
        concurrency.sleep(_GRACE_SECONDS)
        LOG.warning(
            "%s abandons the current batch, which did not finish within %g s",
            self._name,
            _GRACE_SECONDS,
        )
        if self._thread is not None:
            self._thread.kill()

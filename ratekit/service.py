"""The daemon: a loop around the orchestrator, as oslo.service wants it."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable

from oslo_service import service

from ratekit import concurrency, errors
from ratekit.domain.due import Calendar
from ratekit.orchestrator import Clock, Orchestrator

LOG = logging.getLogger(__name__)

#: Seconds to wait past the instant at which a period becomes due, so that clocks that
#: differ a little agree that it is.
_MARGIN = 1.0


class Processor(service.ServiceBase):  # type: ignore[misc]
    """Runs a pass whenever a period becomes due, until it is told to stop.

    :param stop: ends the loop, and the orchestrator's pass
    :param retry: seconds to wait after a pass in which something failed
    """

    def __init__(
        self,
        orchestrator: Orchestrator,
        calendar: Calendar,
        stop: concurrency.StopEvent,
        retry: float,
        clock: Clock,
    ) -> None:
        self._orchestrator = orchestrator
        self._calendar = calendar
        self._stop = stop
        self._retry = retry
        self._clock = clock
        self._ended: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to rate in the background."""
        self._ended = concurrency.spawn(self.run)

    def stop(self) -> None:
        """End after the batch at hand."""
        self._stop.set()

    def wait(self) -> None:
        """Return when the loop has ended."""
        self._ended()

    def reset(self) -> None:
        """Say that SIGHUP changes nothing yet."""
        LOG.warning("SIGHUP: nothing is re-read yet; restart to use changed files")

    def run(self) -> None:
        """Rate what is due, wait for more, and so on."""
        LOG.info("started: a period of %s is rated when it is due", self._calendar.step)
        while not self._stop.is_set():
            self._stop.wait(self._pass())
        LOG.info("stopped")

    def _pass(self) -> float:
        """Run one pass; seconds to wait before the next."""
        begun = self._clock()
        failure: Exception | None = None
        try:
            outcome = self._orchestrator.run_pass()
        except Exception as error:  # noqa: BLE001 - the daemon goes on whatever happens
            failure = error
        if failure is None:
            return self._pause(begun, self._clock(), outcome.failed > 0)
        # Outside of any ``except``, since oslo.log would add the error to the line once more.
        match failure:
            case errors.TryLater():
                LOG.warning("the pass ended, trying again in %g s: %s", self._retry, failure)
            case errors.OperatorError():
                LOG.error("the pass ended, trying again in %g s: %s", self._retry, failure)
            case _:
                LOG.error("a pass failed in a way nobody planned for", exc_info=failure)
        return self._retry

    def _pause(self, begun: datetime.datetime, ended: datetime.datetime, failed: bool) -> float:
        if self._calendar.due_until(ended) > self._calendar.due_until(begun):
            return 0.0  # a long catch-up: more has become due meanwhile
        pause = (self._calendar.next_due(ended) - ended).total_seconds() + _MARGIN
        return min(pause, self._retry) if failed else pause

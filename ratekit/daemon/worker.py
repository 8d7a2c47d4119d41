"""A worker: the loop around the orchestrator."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable

from ratekit import concurrency, errors
from ratekit.daemon.status_board import WorkerStatus
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.calendar import Calendar
from ratekit.processing.cycle import Clock, CycleResult, Progress
from ratekit.processing.failures import attempt
from ratekit.processing.orchestrator import Orchestrator
from ratekit.processing.rater import Settings
from ratekit.processing.reprocessor import Reprocessor

LOG = logging.getLogger(__name__)

#: Seconds to wait past the instant at which a period becomes due, so that clocks that
#: differ a little agree that it is.
_MARGIN = 1.0
#: Seconds to wait between two signs of life.
_NAP = 1.0
#: Seconds between two looks for tasks, while there are none.
_LOOK = 15.0


class Heartbeat:
    """Puts what a cycle tells on the board.

    :param report: is told as well
    """

    def __init__(
        self, slot: WorkerStatus, stop: concurrency.StopEvent, report: Callable[[Progress], None]
    ) -> None:
        self._slot = slot
        self._stop = stop
        self._report = report

    def report(self, progress: Progress) -> None:
        """Count a batch."""
        self._slot.pulse()
        self._slot.add("frames", progress.frames)
        self._slot.tell(scopes_left=progress.scopes_left)
        self._report(progress)

    def going_on(self) -> bool:
        """Tell whether there is to be another batch."""
        self._slot.pulse()
        return not self._stop.is_set()


class Worker:
    """Runs a cycle whenever a period becomes due or a scope has rested, until it is told to stop.

    Between two cycles it carries out tasks, a batch at a time, so that rating always goes first.

    :param stop: ends the loop, and the orchestrator's cycle
    :param slot: where others see how it gets on
    :param give_up: is called when nothing may be written any more, with the exit code
    """

    def __init__(
        self,
        orchestrator: Orchestrator,
        tasks: Reprocessor,
        calendar: Calendar,
        backoff: Backoff,
        stop: concurrency.StopEvent,
        slot: WorkerStatus,
        give_up: Callable[[int], None],
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._orchestrator = orchestrator
        self._tasks = tasks
        self._calendar = calendar
        self._backoff = backoff
        self._stop = stop
        self._slot = slot
        self._give_up = give_up
        self._clock = clock
        self._chance = chance
        self._failures = 0

    def adopt(self, settings: Settings) -> None:
        """Work by other settings from the next batch on."""
        self._backoff = settings.backoff
        self._orchestrator.adopt(settings)

    def run(self) -> None:
        """Rate what is due, wait for more, and so on."""
        while not self._stop.is_set():
            self._slot.tell(next_cycle=0)
            self._slot.pulse()
            pause = self._cycle()
            self._slot.tell(next_cycle=self._clock().timestamp() + pause)
            self._rest(pause)

    def _rest(self, seconds: float) -> None:
        """Wait in short pieces, since waiting is getting on as well, or carry out tasks.

        Until the clock says so, but no longer than ``seconds``: it may be set back meanwhile.
        """
        ends = self._clock() + datetime.timedelta(seconds=seconds)
        waited, look = 0.0, 0.0
        while not self._stop.is_set() and waited < seconds:
            nap = min((ends - self._clock()).total_seconds(), seconds - waited, _NAP)
            if nap <= 0:
                return
            self._slot.pulse()
            if waited >= look:
                begun = time.monotonic()
                if self._advance():
                    waited += time.monotonic() - begun
                    # SQLite never waits in the hub, where signals are heard.
                    concurrency.sleep(0)
                    continue
                look = waited + _LOOK
            if not self._stop.is_set():
                self._stop.wait(nap)
            waited += nap

    def _advance(self) -> bool:
        """Take a task a batch further; False: there is nothing to do for some time."""
        advanced = attempt(self._tasks.advance)
        match advanced:
            case errors.SchemaChanged():
                self._end(advanced)
                return False
            case errors.RatekitError():
                LOG.warning("tasks wait: %s", advanced)
                return False
            case Exception():
                LOG.error("tasks failed in a way nobody planned for", exc_info=advanced)
                return False
        return advanced

    def _cycle(self) -> float:
        """Run one cycle; seconds to wait before the next."""
        begun = self._clock()
        outcome = attempt(self._orchestrator.run_cycle)
        if isinstance(outcome, Exception):
            return self._explain(outcome)
        self._failures = 0
        self._slot.tell(failed=outcome.failed)
        return self._pause(begun, outcome)

    def _end(self, failure: errors.SchemaChanged) -> None:
        """Nothing may be written any more."""
        LOG.error("nothing more is rated: %s", failure)
        self._stop.set()
        self._give_up(2)

    def _explain(self, failure: Exception) -> float:
        """Say what happens after a cycle that failed as a whole; seconds to wait."""
        if isinstance(failure, errors.SchemaChanged):
            self._end(failure)
            return 0.0
        if isinstance(failure, errors.NotYet):
            LOG.info("rating waits: %s", failure)
            return self._backoff.first.total_seconds()
        after = failure.after if isinstance(failure, errors.TryLater) else None
        rest = self._backoff.rest(self._failures, self._chance(), after).total_seconds()
        self._failures += 1
        match failure:
            case errors.TryLater():
                LOG.warning("the cycle ended, trying again in %.0f s: %s", rest, failure)
            case errors.OperatorError():
                LOG.error("the cycle ended, trying again in %.0f s: %s", rest, failure)
            case _:
                LOG.error("a cycle failed in a way nobody planned for", exc_info=failure)
        return rest

    def _pause(self, begun: datetime.datetime, outcome: CycleResult) -> float:
        ended = self._clock()
        if outcome.lost or self._calendar.due_until(ended) > self._calendar.due_until(begun):
            return _MARGIN  # somebody moved a state, or it was a long catch-up: look again
        pause = (self._calendar.next_due(ended) - ended).total_seconds() + _MARGIN
        if outcome.retry_at is None:
            return pause
        # Scopes that come to the end of their rest one by one are tried together.
        rest = max((outcome.retry_at - ended).total_seconds(), self._backoff.first.total_seconds())
        return min(pause, rest)

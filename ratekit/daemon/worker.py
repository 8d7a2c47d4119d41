"""A worker: runs cycles and tasks until it is stopped."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable

from ratekit import concurrency, errors
from ratekit.daemon.presence import Presence
from ratekit.daemon.retention import FrameRetention
from ratekit.daemon.status_board import WorkerStatus
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.schedule.division import Division, Sharing
from ratekit.processing.cycle import CycleResult
from ratekit.processing.failures import RetryPolicy, attempt
from ratekit.processing.orchestrator import Orchestrator
from ratekit.processing.rater import Settings
from ratekit.processing.reprocessor import Reprocessor
from ratekit.processing.run_context import Clock, Progress

LOG = logging.getLogger(__name__)

#: Seconds to wait after the instant at which a period becomes due, so that hosts whose clocks
#: differ slightly agree that it is due.
_MARGIN = 1.0
#: Seconds between two heartbeats while the worker waits.
_HEARTBEAT_SECONDS = 1.0
#: Seconds between two checks for new tasks, while there are none.
_TASK_POLL_SECONDS = 15.0
#: Longest time in seconds until a waiting worker sees that others have joined or left, where
#: looking costs a query.
_DIVISION_POLL_SECONDS = 15.0
#: Shortest rest in seconds after each transaction that removes old frames.
_SHORTEST_REST = 0.05
#: Seconds to wait at the start, at most, until daemons know each other.
_LONGEST_START = 30.0


class Heartbeat:
    """Writes the progress of a cycle to the worker's status.

    :param presence: is kept alive, too
    :param report: is called with the progress, too
    """

    def __init__(
        self,
        status: WorkerStatus,
        stop: concurrency.StopEvent,
        presence: Presence,
        report: Callable[[Progress], None],
    ) -> None:
        self._status = status
        self._stop = stop
        self._presence = presence
        self._report = report

    def report(self, progress: Progress) -> None:
        """Count a batch."""
        self._status.beat()
        self._status.frames += progress.frames
        self._status.scopes_left = progress.scopes_left
        self._report(progress)

    def should_continue(self) -> bool:
        """Tell whether another batch may start."""
        self._status.beat()
        self._presence.keep_alive()
        return not self._stop.is_set()


class Worker:
    """Runs a cycle whenever a period becomes due, a failed scope may be tried again, or others
    join or leave those that share the scopes.

    Between two cycles it carries out tasks, batch by batch, so that rating always goes first; then
    it removes what is older than the retention time, and rests after each transaction.

    :param stop: ends the loop, and the orchestrator's cycle
    :param status: where the supervisor sees the worker's progress
    :param presence: where operators see it
    :param sharing: tells when the processes that share the scopes change
    :param give_up: is called with the exit code when the process may write no more
    """

    def __init__(
        self,
        orchestrator: Orchestrator,
        tasks: Reprocessor,
        retention: FrameRetention,
        calendar: Calendar,
        backoff: Backoff,
        stop: concurrency.StopEvent,
        status: WorkerStatus,
        presence: Presence,
        sharing: Sharing,
        give_up: Callable[[int], None],
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._orchestrator = orchestrator
        self._tasks = tasks
        self._retention = retention
        self._calendar = calendar
        self._retry_policy = RetryPolicy(backoff)
        self._stop = stop
        self._status = status
        self._presence = presence
        self._sharing = sharing
        self._give_up = give_up
        self._clock = clock
        self._chance = chance
        self._failures = 0

    def adopt(self, settings: Settings) -> None:
        """Use other settings from the next batch on."""
        self._retry_policy = RetryPolicy(settings.backoff)
        self._orchestrator.adopt(settings)

    def run(self) -> None:
        """Rate what is due and wait for more, until stopped or the database is migrated."""
        migration: errors.SchemaChanged | None = None
        try:
            self._run_until_stopped()
            self._presence.leave()
        except errors.SchemaChanged as error:
            migration = error
        # Outside of the handler, where oslo.log would append the error to the line once more.
        if migration is not None:
            LOG.error("rating stops: %s", migration)
            self._stop.set()
            self._give_up(2)

    def _run_until_stopped(self) -> None:
        # First others learn of this process, and then it of them.
        self._presence.start_cycle()
        waited = 0.0
        while not self._sharing.is_ready() and waited < _LONGEST_START and not self._stop.is_set():
            self._status.beat()
            self._stop.wait(_HEARTBEAT_SECONDS / 2)
            waited += _HEARTBEAT_SECONDS / 2
        while not self._stop.is_set():
            self._status.next_cycle = 0
            self._status.beat()
            self._presence.start_cycle()
            division = self._sharing.current()
            pause, failure = self._run_cycle()
            self._presence.end_cycle(pause, failure)
            self._status.next_cycle = self._clock().timestamp() + pause
            self._wait(pause, division)

    def _wait(self, seconds: float, division: Division) -> None:
        """Wait, with heartbeats, and carry out tasks meanwhile.

        The wait ends when the clock says so, and after ``seconds`` at the latest, because the
        clock may be set back meanwhile. It also ends when the division has changed.
        """
        end = self._clock() + datetime.timedelta(seconds=seconds)
        waited, next_poll = 0.0, 0.0
        while not self._stop.is_set() and waited < seconds:
            nap = min((end - self._clock()).total_seconds(), seconds - waited, _HEARTBEAT_SECONDS)
            if nap <= 0:
                return
            self._status.beat()
            self._presence.keep_alive()
            if waited and self._sharing.current(_DIVISION_POLL_SECONDS) is not division:
                return
            if waited >= next_poll:
                start = time.monotonic()
                pause = self._work()
                if pause is not None:
                    waited += time.monotonic() - start
                    next_poll = waited + pause
                    # SQLite never waits in the hub, which must run to deliver signals.
                    concurrency.sleep(0)
                    continue
                next_poll = waited + _TASK_POLL_SECONDS
            nap = min(nap, next_poll - waited)
            if not self._stop.is_set():
                self._stop.wait(nap)
            waited += nap

    def _work(self) -> float | None:
        """Carry out one batch of a task, or remove a few old frames.

        :returns: seconds until the next; None: there is nothing to do for some time
        """
        if self._advance_task():
            return 0.0
        start = time.monotonic()
        if self._advance_purge():
            # Old frames are in no hurry: at least half of the time, others have the database.
            return max(time.monotonic() - start, _SHORTEST_REST)
        return None

    def _advance_task(self) -> bool:
        """Carry out one batch of a task; False: there is nothing to do for some time."""
        advanced = attempt(self._tasks.advance)
        if not isinstance(advanced, Exception):
            return advanced
        if isinstance(advanced, errors.RatekitError):
            LOG.warning("tasks are waiting: %s", advanced)
        else:
            LOG.error("unexpected error while reading tasks", exc_info=advanced)
        return False

    def _advance_purge(self) -> bool:
        """Remove a few old frames; False: there is nothing to do for some time."""
        advanced = attempt(self._retention.advance)
        if not isinstance(advanced, Exception):
            return advanced
        if isinstance(advanced, errors.RatekitError):
            LOG.warning("old frames are removed later: %s", advanced)
        else:
            LOG.error("unexpected error while removing old frames", exc_info=advanced)
        return False

    def _run_cycle(self) -> tuple[float, Exception | None]:
        """Run one cycle; return the seconds to wait before the next, and why it failed."""
        start = self._clock()
        result = attempt(self._orchestrator.run_cycle)
        self._status.cycle_failed = int(isinstance(result, Exception))
        if isinstance(result, Exception):
            return self._handle_failure(result), result
        self._failures = 0
        self._status.failed_scopes = result.failed_scopes
        return self._pause(start, result), None

    def _handle_failure(self, failure: Exception) -> float:
        """Log the failure of a whole cycle; return the seconds to wait before the next."""
        retry = self._retry_policy.retry(failure, self._failures, self._chance(), self._clock())
        seconds = retry.delay.total_seconds()
        retry.log(
            LOG,
            "rating waits for %.0f s: %s",
            "unexpected error in this cycle; rating waits for %.0f s",
            seconds,
        )
        if not isinstance(failure, errors.NotYet):
            self._failures += 1
        return seconds

    def _pause(self, start: datetime.datetime, result: CycleResult) -> float:
        # Periods are due by the slowest clock.
        start -= result.lag
        end = self._clock() - result.lag
        is_more_due = self._calendar.due_until(end) > self._calendar.due_until(start)
        if result.lost_scopes or is_more_due:
            # Another processor or an operator changed a state, or it was a long catch-up.
            return _MARGIN
        pause = (self._calendar.next_due(end) - end).total_seconds() + _MARGIN
        if result.look_again_at is not None:
            until = (result.look_again_at - end).total_seconds()
            pause = min(pause, max(until, 0.0) + _MARGIN)
        if result.retry_at is None:
            return pause
        # The shortest delay lets scopes whose delays end one by one be tried together.
        shortest = self._retry_policy.backoff.first.total_seconds()
        delay = result.retry_at - self._clock()
        return min(pause, max(delay.total_seconds(), shortest))

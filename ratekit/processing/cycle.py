"""One cycle over what is due: batch by batch, and what happens with what fails."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable, Iterable, Sequence

from ratekit import errors, interfaces
from ratekit.domain.schedule.batch import Batch, DueScope, next_batch
from ratekit.domain.scope import State
from ratekit.processing.failures import attempt
from ratekit.processing.rater import Rater

LOG = logging.getLogger(__name__)

#: Requests in vain, one after the other, that show that a back end is down.
_DOWN = 3
#: Scopes that fail alone, one after the other, that show that it is not the scopes' fault.
_NOT_THE_SCOPES = 8

#: Scopes that a line names; more of them make it no clearer.
_NAMED = 5

Clock = Callable[[], datetime.datetime]


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a cycle has come; told after each batch.

    :ivar batch: what was rated of the one that was dealt with; no states: nothing, since others
        had rated all of it
    :ivar frames: that it wrote
    :ivar scopes_left: scopes that still have due periods
    :ivar periods_left: scopes times periods still due
    """

    batch: Batch
    frames: int
    scopes_left: int
    periods_left: int


@dataclasses.dataclass(frozen=True, slots=True)
class CycleResult:
    """What a cycle did.

    :ivar frames: number of frames written
    :ivar periods: scopes times periods rated
    :ivar failed: scopes that could not be rated to the end
    :ivar lost: scopes that somebody else rated or changed at the same time
    :ivar retry_at: when the first that failed may be tried again, UTC; None: none failed
    """

    frames: int = 0
    periods: int = 0
    failed: int = 0
    lost: int = 0
    retry_at: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RunContext:
    """What a cycle is run in.

    :ivar clock: now, aware, UTC
    :ivar report: is told of each batch
    :ivar going_on: asked before each batch whether there is to be one
    :ivar chance: a random number, 0 <= chance < 1
    """

    clock: Clock
    report: Callable[[Progress], None]
    going_on: Callable[[], bool]
    chance: Callable[[], float]


class Cycle:
    """Rates what is due; used once.

    :param work: one a scope
    :param step: length of a period
    """

    def __init__(
        self,
        work: Iterable[DueScope],
        step: datetime.timedelta,
        rater: Rater,
        ledger: interfaces.Ledger,
        context: RunContext,
    ) -> None:
        self._due = {one.state.scope_pk: one for one in work if one.state.rated_until < one.until}
        self._step = step
        self._rater = rater
        self._ledger = ledger
        self._context = context
        self._outcome = CycleResult()
        self._in_vain = 0
        self._alone = 0

    def run(self) -> CycleResult:
        """Rate until nothing is due, all that is left fails, or there is to be no more.

        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.Denied: a back end refuses ratekit itself
        :raises ratekit.errors.Outdated: the database was migrated
        """
        while self._due and self._alone < _NOT_THE_SCOPES and self._context.going_on():
            batch = next_batch(list(self._due.values()), self._step, self._rater.limit)
            if batch is None:
                break
            self._deal_with(batch)
        if self._alone >= _NOT_THE_SCOPES and self._due:
            LOG.warning(
                "the cycle ends: %d scopes in a row failed; not tried: %d scopes",
                self._alone,
                len(self._due),
            )
            self._count_failed(len(self._due), self._context.clock() + self._rater.backoff.first)
        return self._outcome

    def put_off(self, states: Sequence[State], error: str, after: float | None = None) -> None:
        """Let scopes rest, the longer the more often they have failed."""
        failures = min(state.failures for state in states)
        rest = self._rater.backoff.rest(failures, self._context.chance(), after)
        retry_at = self._context.clock() + rest
        self._ledger.postpone(states, error, retry_at)
        for state in states:
            self._due.pop(state.scope_pk, None)
        self._count_failed(len(states), retry_at)

    def _count_failed(self, scopes: int, retry_at: datetime.datetime) -> None:
        known = self._outcome.retry_at
        self._outcome = dataclasses.replace(
            self._outcome,
            failed=self._outcome.failed + scopes,
            retry_at=retry_at if known is None else min(known, retry_at),
        )

    def _deal_with(self, batch: Batch) -> None:
        """Rate a batch, or the parts of it that can be."""
        failure = self._attempt(batch)
        if failure is not None:
            self._explain(batch, failure)

    def _attempt(self, batch: Batch) -> Exception | None:
        """Rate a batch; return what went wrong."""
        committed = attempt(lambda: self._rater.rate(batch))
        if isinstance(committed, errors.SchemaChanged):
            raise committed
        if isinstance(committed, Exception):
            return committed
        self._in_vain = self._alone = 0
        _warn_of_silence(batch, committed)
        lost = {scope.id for scope in committed.lost}
        mine = [state for state in batch.states if state.scope.id not in lost]
        self._outcome = dataclasses.replace(
            self._outcome,
            frames=self._outcome.frames + committed.frames,
            periods=self._outcome.periods + len(mine) * batch.window.count,
            lost=self._outcome.lost + len(lost),
        )
        for state in batch.states:
            self._advance(state, batch, state.scope.id in lost)
        self._tell(dataclasses.replace(batch, states=mine), committed.frames)
        return None

    def _explain(self, batch: Batch, failure: Exception) -> None:
        """Say what happens next with a batch that failed, and do it."""
        match failure:
            case errors.Conflict():
                LOG.info("%s is rated again at once: %s", batch, failure)
                self._note_in_vain(batch, failure)
            case errors.InvalidResponse():
                self._isolate(batch, failure, logging.WARNING)
            case errors.TryLater(after=after) if after:
                LOG.warning("%s will be tried again in %g s, as asked: %s", batch, after, failure)
                self._rater.shrink(batch)
                self._leave_alone(batch, failure)
            case errors.TryLater():
                self._rater.shrink(batch)
                LOG.warning("%s will be tried again: %s", batch, failure)
                if self._note_in_vain(batch, failure):
                    self._try_less(batch, failure)
            case errors.AccessDenied():
                self._hold_all(failure)
                raise failure
            case errors.OperatorError():
                self._isolate(batch, failure, logging.ERROR)
            case _:
                if len(batch.states) == 1:
                    LOG.error("%s failed in a way nobody planned for", batch, exc_info=failure)
                self._isolate(batch, failure, logging.ERROR)

    def _note_in_vain(self, batch: Batch, failure: errors.TryLater) -> bool:
        """Tell whether to go on; when a back end is down, nobody is tried any more."""
        self._in_vain += 1
        if self._in_vain < _DOWN or self._alive(batch):
            return True
        LOG.warning(
            "the cycle ends after %d failures in a row; scopes that rest: %d",
            self._in_vain,
            len(self._due),
        )
        self._hold_all(failure)
        return False

    def _alive(self, batch: Batch) -> bool:
        """Ask something small about another scope: is it the back end, or only this batch?"""
        tried = {state.scope_pk for state in batch.states}
        others = [work for work in self._due.values() if work.state.scope_pk not in tried]
        probe = next_batch(others[:1], self._step, limit=1)
        if probe is None:
            return False
        failure = self._attempt(probe)
        if isinstance(failure, errors.TryLater) and not isinstance(failure, errors.InvalidResponse):
            return False
        self._in_vain = 0
        return True

    def _leave_alone(self, batch: Batch, failure: errors.TryLater) -> None:
        """Do as a back end asks; a single scope may be all that it does not stand."""
        if len(batch.states) > 1 or len(self._due) == 1:
            self._hold_all(failure)
            return
        self.put_off(batch.states, str(failure), failure.after)
        self._note_in_vain(batch, failure)

    def _hold_all(self, failure: errors.RatekitError) -> None:
        """Let the back end rest: all that is due waits together."""
        after = failure.after if isinstance(failure, errors.TryLater) else None
        states = [one.state for one in self._due.values()]
        if states:
            self.put_off(states, str(failure), after)

    def _try_less(self, batch: Batch, failure: errors.TryLater) -> None:
        """Ask for half the scopes, or for fewer periods, or put the scope off."""
        if len(batch.states) > 1:
            self._halve(batch)
        elif batch.window.count == 1:
            self.put_off(batch.states, str(failure))
        # Else its window is shorter next time.

    def _isolate(self, batch: Batch, failure: Exception, level: int) -> None:
        """Halve a batch until the scope at fault is alone."""
        if len(batch.states) > 1:
            self._halve(batch)
            return
        LOG.log(level, "%s cannot be rated: %s", batch, failure)
        self._alone += 1
        self.put_off(batch.states, str(failure))

    def _halve(self, batch: Batch) -> None:
        for half in batch.halves():
            # Some may have been put off, or moved on by a probe, since the batch was made.
            left = [state for state in half.states if self._is_at(state.scope_pk, half.window.begin)]
            if left and self._alone < _NOT_THE_SCOPES and self._context.going_on():
                self._deal_with(dataclasses.replace(half, states=left))

    def _is_at(self, key: int, instant: datetime.datetime) -> bool:
        return key in self._due and self._due[key].state.rated_until == instant

    def _advance(self, state: State, batch: Batch, lost: bool) -> None:
        work = self._due[state.scope_pk]
        if lost:
            LOG.debug("scope %s was rated by another processor", state.scope.id)
        if lost or batch.window.end >= work.until:
            del self._due[state.scope_pk]
            return
        advanced = dataclasses.replace(
            state, rated_until=batch.window.end, failures=0, retry_at=None
        )
        self._due[state.scope_pk] = dataclasses.replace(work, state=advanced)

    def _tell(self, batch: Batch, frames: int) -> None:
        left = [(one.until - one.state.rated_until) // self._step for one in self._due.values()]
        self._context.report(Progress(batch, frames, len(left), sum(left)))


def _warn_of_silence(batch: Batch, committed: interfaces.CommitResult) -> None:
    """Say which metrics scopes have stopped to use, a line a metric."""
    silent: dict[str, list[str]] = {}
    for scope, metric in committed.fallen_silent:
        silent.setdefault(metric, []).append(scope.id)
    last = batch.window.end - batch.window.step
    for metric, scopes in sorted(silent.items()):
        LOG.warning(
            "metric %s: no usage any more at %s of %d %s that had some in every period before: "
            "%s%s",
            metric,
            f"{last:%Y-%m-%dT%H:%MZ}/{batch.window.end:%Y-%m-%dT%H:%MZ}",
            len(scopes),
            "scope" if len(scopes) == 1 else "scopes",
            ", ".join(sorted(scopes)[:_NAMED]),
            ", …" if len(scopes) > _NAMED else "",
        )

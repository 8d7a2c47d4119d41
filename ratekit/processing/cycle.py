"""One cycle: rates everything that is due, batch by batch, and handles failures."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Iterable, Sequence

from ratekit import errors, interfaces
from ratekit.domain.schedule.batch import Batch, BatchSize, DueScope, next_batch
from ratekit.domain.schedule.division import Division, Sharing, Turn
from ratekit.domain.scope import Scope, State
from ratekit.processing.failures import Retry, attempt
from ratekit.processing.rater import Rater
from ratekit.processing.run_context import Progress, RunContext
from ratekit.text import count_text, list_text

LOG = logging.getLogger(__name__)

#: Scopes that fail alone, one after the other, after which the cause is not in the scopes.
_MAX_FAILED_ALONE = 8


@dataclasses.dataclass(frozen=True, slots=True)
class CycleResult:
    """What a cycle did.

    :ivar frames: number of frames written
    :ivar periods: scopes times periods rated
    :ivar failed_scopes: number of scopes that were not rated to the end
    :ivar lost_scopes: number of scopes that another processor rated, or that an operator
        changed, at the same time
    :ivar retry_at: earliest time at which a failed scope may be tried again, UTC; None: no
        scope failed
    :ivar lag: how far the slowest clock is behind this host's; periods are due by that clock
    :ivar look_again_at: when scopes that other processors have not rated until then are taken,
        UTC; None: there are none
    """

    frames: int = 0
    periods: int = 0
    failed_scopes: int = 0
    lost_scopes: int = 0
    retry_at: datetime.datetime | None = None
    lag: datetime.timedelta = datetime.timedelta(0)
    look_again_at: datetime.datetime | None = None

    def add_failed(self, scopes: int, retry_at: datetime.datetime) -> CycleResult:
        """Return the result with more failed scopes."""
        earliest = retry_at if self.retry_at is None else min(self.retry_at, retry_at)
        return dataclasses.replace(
            self, failed_scopes=self.failed_scopes + scopes, retry_at=earliest
        )


class Cycle:
    """Rates what is due; used once.

    :param scopes: the scopes that are due, each once
    :param step: length of a period
    :param sharing: which scopes other processes rate
    """

    def __init__(
        self,
        scopes: Iterable[DueScope],
        step: datetime.timedelta,
        rater: Rater,
        ledger: interfaces.Ledger,
        context: RunContext,
        sharing: Sharing,
    ) -> None:
        self._due = {
            scope.state.scope_pk: scope for scope in scopes if scope.state.rated_until < scope.until
        }
        self._step = step
        self._rater = rater
        self._ledger = ledger
        self._context = context
        self._sharing = sharing
        self._division: Division = sharing.current()
        self._result = CycleResult()
        #: Consecutive requests without a response.
        self._unanswered = 0
        #: Consecutive scopes that failed alone.
        self._failed_alone = 0

    def run(self) -> CycleResult:
        """Rate until nothing is due, everything that is left fails, or the process stops.

        A change of the division ends the cycle, too.

        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.AccessDenied: a back end refuses ratekit itself
        :raises ratekit.errors.SchemaChanged: the database was migrated
        """
        try:
            while self._due and self._should_continue():
                batch = self._next_batch()
                if batch is None:
                    break
                self._rate_or_handle(batch)
        finally:
            self._sharing.claim([])
        if self._failed_alone >= _MAX_FAILED_ALONE and self._due:
            LOG.warning(
                "stopping this cycle after %d consecutive scopes failed; %s not tried",
                self._failed_alone,
                count_text(len(self._due), "scope was", "scopes were"),
            )
            retry_at = self._context.clock() + self._rater.retry_policy.backoff.first
            self._result = self._result.add_failed(len(self._due), retry_at)
        return self._result

    def put_off(self, states: Sequence[State], failure: Exception) -> None:
        """Postpone scopes that failed, the longer the more often they have failed."""
        self._postpone(states, self._retry(states, failure))

    def put_off_all(self, failure: errors.RatekitError) -> None:
        """Postpone all scopes that are due."""
        states = [due.state for due in self._due.values()]
        if states:
            self.put_off(states, failure)

    def _should_continue(self) -> bool:
        return (
            self._failed_alone < _MAX_FAILED_ALONE
            and self._context.should_continue()
            and self._sharing.current() is self._division
        )

    def _next_batch(self) -> Batch | None:
        """Return the next batch without scopes that other processes rate, or have rated.

        What drops out is replaced, so that batches stay large.
        """
        while batch := next_batch(
            list(self._due.values()), self._step, self._rater.size, self._rater.large_scopes
        ):
            free_pks = set(self._sharing.claim([state.scope_pk for state in batch.states]))
            for state in batch.states:
                if state.scope_pk not in free_pks:
                    # Another worker will rate it to the end, or postpone it.
                    del self._due[state.scope_pk]
            if len(free_pks) < len(batch.states):
                continue
            if self._refresh(batch.states):
                return batch
        return None

    def _refresh(self, states: Sequence[State]) -> bool:
        """Look whether scopes are still where they were; False: not all of them are."""
        current_states = {state.scope_pk: state for state in self._ledger.refresh(states)}
        unchanged = resets = 0
        for state in states:
            current = current_states.get(state.scope_pk)
            due = self._due[state.scope_pk]
            if current == state:
                unchanged += 1
            elif current is not None and _is_further(current, state, due.until):
                self._due[state.scope_pk] = dataclasses.replace(due, state=current)
            else:
                # It is rated to the end, or has failed elsewhere, or an operator has changed it.
                del self._due[state.scope_pk]
                resets += current is not None and current.resets != state.resets
        self._result = dataclasses.replace(
            self._result, lost_scopes=self._result.lost_scopes + resets
        )
        return unchanged == len(states)

    def _retry(self, states: Sequence[State], failure: Exception) -> Retry:
        failures = min(state.failures for state in states)
        return self._rater.retry_policy.retry(
            failure, failures, self._context.chance(), self._context.clock()
        )

    def _postpone(self, states: Sequence[State], retry: Retry) -> None:
        self._ledger.postpone(states, str(retry.failure), retry.retry_at)
        for state in states:
            self._due.pop(state.scope_pk, None)
        self._result = self._result.add_failed(len(states), retry.retry_at)

    def _rate_or_handle(self, batch: Batch) -> None:
        """Rate a batch, or the parts of it that can be rated."""
        failure = self._rate(batch)
        if failure is not None:
            self._handle(batch, failure)

    def _rate(self, batch: Batch) -> Exception | None:
        """Rate a batch; return the failure, if any."""
        result = attempt(lambda: self._rater.rate(batch, self._context.require_continue))
        if isinstance(result, Exception):
            return result
        self._unanswered = self._failed_alone = 0
        _log_usage_changes(batch, result)
        lost_ids = {scope.id for scope in result.lost_scopes}
        rated_states = [state for state in batch.states if state.scope.id not in lost_ids]
        self._result = dataclasses.replace(
            self._result,
            frames=self._result.frames + result.frames,
            periods=self._result.periods + len(rated_states) * batch.window.count,
            lost_scopes=self._result.lost_scopes + len(lost_ids),
        )
        for state in batch.states:
            self._advance(state, batch, state.scope.id in lost_ids)
        self._report(dataclasses.replace(batch, states=rated_states), result.frames)
        return None

    def _handle(self, batch: Batch, failure: Exception) -> None:
        """Log what happens next with a failed batch, and do it.

        The retry policy decides levels and delays; here is only how a batch becomes smaller.
        """
        match failure:
            case errors.Interrupted():
                LOG.info("%s was not rated: the processor stops", batch)
            case errors.Conflict():
                LOG.info("%s will be tried again at once: %s", batch, failure)
                self._check_back_end(batch, failure)
            case errors.InvalidResponse():
                self._isolate(batch, failure)
            case errors.TryLater(after=after) if after:
                LOG.warning(
                    "%s will be tried again in %g s, as the back end asked: %s",
                    batch,
                    after,
                    failure,
                )
                self._rater.shrink(batch)
                self._obey(batch, failure)
            case errors.TryLater():
                self._rater.shrink(batch)
                LOG.warning("%s will be tried again: %s", batch, failure)
                if self._check_back_end(batch, failure):
                    self._ask_for_less(batch, failure)
            case errors.AccessDenied():
                self.put_off_all(failure)
                raise failure
            case _:
                self._isolate(batch, failure)

    def _check_back_end(self, batch: Batch, failure: errors.TryLater) -> bool:
        """Count a request without a response; put off all scopes if the back end is down.

        :returns: whether the back end still responds
        """
        self._unanswered += 1
        down = self._rater.retry_policy.is_down(self._unanswered)
        if not down or self._responds_to_others(batch):
            return True
        if not self._context.should_continue():
            # The probe was not made to its end.
            return False
        self._rater.forget_divisions()
        LOG.warning(
            "stopping this cycle after %d consecutive failures; %s will be retried later",
            self._unanswered,
            count_text(len(self._due), "scope"),
        )
        self.put_off_all(failure)
        return False

    def _responds_to_others(self, batch: Batch) -> bool:
        """Rate one period of another scope, to tell a failed back end from a failed batch."""
        batch_pks = {state.scope_pk for state in batch.states}
        candidates = [due for pk, due in self._due.items() if pk not in batch_pks]
        probe = next_batch(candidates[:1], self._step, BatchSize(0, 1))
        if probe is None:
            return False
        failure = self._rate(probe)
        if isinstance(failure, errors.Interrupted):
            return False
        if isinstance(failure, errors.TryLater) and not isinstance(failure, errors.InvalidResponse):
            return False
        self._unanswered = 0
        return True

    def _obey(self, batch: Batch, failure: errors.TryLater) -> None:
        """Wait as long as a back end asked; if one scope caused it, let only this scope wait."""
        if len(batch.states) > 1 or len(self._due) == 1:
            self.put_off_all(failure)
            return
        self.put_off(batch.states, failure)
        self._check_back_end(batch, failure)

    def _ask_for_less(self, batch: Batch, failure: errors.TryLater) -> None:
        """Rate half the scopes at a time, then fewer periods, then some of the resources."""
        if len(batch.states) > 1:
            self._rate_halves(batch)
            return
        if not self._rater.ask_less(batch, failure):
            self.put_off(batch.states, failure)

    def _isolate(self, batch: Batch, failure: Exception) -> None:
        """Halve a batch until the scope that fails is alone."""
        if len(batch.states) > 1:
            self._rate_halves(batch)
            return
        self._failed_alone += 1
        retry = self._retry(batch.states, failure)
        retry.log(LOG, "%s cannot be rated: %s", "unexpected error while rating %s", batch)
        self._postpone(batch.states, retry)

    def _rate_halves(self, batch: Batch) -> None:
        for half in batch.halves():
            # Since the batch was built, a probe may have advanced a scope, or a failure put it off.
            begin = half.window.begin
            states = [state for state in half.states if self._is_due_from(state.scope_pk, begin)]
            if states and self._should_continue():
                self._rate_or_handle(dataclasses.replace(half, states=states))

    def _is_due_from(self, scope_pk: int, begin: datetime.datetime) -> bool:
        return scope_pk in self._due and self._due[scope_pk].state.rated_until == begin

    def _advance(self, state: State, batch: Batch, lost: bool) -> None:
        due = self._due[state.scope_pk]
        if lost:
            LOG.debug("scope %s was rated by another processor", state.scope.id)
        if lost or batch.window.end >= due.until:
            del self._due[state.scope_pk]
            return
        advanced = dataclasses.replace(
            state, rated_until=batch.window.end, failures=0, retry_at=None
        )
        self._due[state.scope_pk] = dataclasses.replace(due, state=advanced)

    def _report(self, batch: Batch, frames: int) -> None:
        periods = [
            (scope.until - scope.state.rated_until) // self._step
            for scope in self._due.values()
            if scope.turn is Turn.OWN
        ]
        self._context.report(Progress(batch, frames, len(periods), sum(periods)))


def _is_further(current: State, state: State, until: datetime.datetime) -> bool:
    """Tell whether a scope was rated meanwhile, and still has due periods."""
    return (
        state.rated_until < current.rated_until < until
        and current.resets == state.resets
        and not current.failures
    )


def _log_usage_changes(batch: Batch, result: interfaces.CommitResult) -> None:
    """Log one line for each metric that scopes have stopped using, or use again."""
    for metric, ids in _scopes_by_metric(result.stopped_usage):
        LOG.warning(
            "metric %s: usage stopped during %s for %s that had usage in every earlier period: %s",
            metric,
            batch.window,
            count_text(len(ids), "scope"),
            list_text(ids),
        )
    for metric, ids in _scopes_by_metric(result.resumed_usage):
        LOG.info(
            "metric %s: usage is back during %s for %s: %s",
            metric,
            batch.window,
            count_text(len(ids), "scope"),
            list_text(ids),
        )


def _scopes_by_metric(pairs: Iterable[tuple[Scope, str]]) -> list[tuple[str, list[str]]]:
    """Return the sorted ids of the scopes of each metric, by name."""
    ids: dict[str, list[str]] = {}
    for scope, metric in pairs:
        ids.setdefault(metric, []).append(scope.id)
    return [(metric, sorted(ids[metric])) for metric in sorted(ids)]

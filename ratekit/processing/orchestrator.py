"""The orchestrator: finds the scopes that are due and runs cycles over them."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Collection, Sequence

from ratekit import errors, interfaces
from ratekit.domain.schedule.batch import DueScope
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.schedule.partition import Partition
from ratekit.domain.scope import Scope, State
from ratekit.processing.cycle import Cycle, CycleResult, RunContext
from ratekit.processing.rater import Rater, Settings
from ratekit.text import count_text, list_text, utc_text

LOG = logging.getLogger(__name__)


class Orchestrator:
    """Rates all periods that are due.

    :param list_scopes: returns the scopes that the fetcher lists, within a time limit; raises
        as fetchers do
    :param calendar: the grid of periods
    :param start: where a new scope starts: ``month``, ``now`` or a date
    :param partition: the scopes that are rated here; all scopes are observed
    """

    def __init__(
        self,
        list_scopes: Callable[[], Collection[Scope]],
        ledger: interfaces.Ledger,
        rater: Rater,
        calendar: Calendar,
        start: str,
        partition: Partition,
        context: RunContext,
    ) -> None:
        self._list_scopes = list_scopes
        self._ledger = ledger
        self._rater = rater
        self._calendar = calendar
        self._start = start
        self._partition = partition
        self._context = context

    def adopt(self, settings: Settings) -> None:
        """Use other settings from the next batch on."""
        self._rater.adopt(settings)

    def run_cycle(self, wait_for_retry: bool = True) -> CycleResult:
        """Rate everything that is due now, in as many batches as necessary.

        :param wait_for_retry: skip failed scopes that may not be tried again yet
        :raises ratekit.errors.TryLater: the fetcher or the database did not answer
        :raises ratekit.errors.OperatorError: the fetcher or the collector was refused, or the
            fetcher returned no scopes, or the database was migrated
        :raises ratekit.errors.NoRules: periods are due, but nothing would price them
        """
        now = self._context.clock()
        self._rater.require_data()
        due: list[DueScope] = []
        off_grid: list[State] = []
        waiting: list[State] = []
        for state in self._observe(now):
            if wait_for_retry and state.retry_at is not None and state.retry_at > now:
                waiting.append(state)
            elif not self._calendar.on_grid(state.rated_until):
                off_grid.append(state)
            else:
                due.append(self._calendar.due_scope(state, now))
        if any(scope.state.rated_until < scope.until for scope in due):
            # Scopes have been observed: time during which there are no rules is rated later.
            self._rater.price_list()
        cycle = Cycle(due, self._calendar.step, self._rater, self._ledger, self._context)
        for instant in sorted({state.rated_until for state in off_grid}):
            states = [state for state in off_grid if state.rated_until == instant]
            self._put_off_off_grid(states, instant, cycle)
        return _count_waiting(cycle.run(), waiting)

    def _observe(self, now: datetime.datetime) -> Sequence[State]:
        """Record which scopes are listed now; return the states of this partition.

        An empty list is taken for a misconfiguration: most likely a role was removed or is
        misspelled, and time during which a scope is not listed is never charged.
        """
        scopes = self._list_scopes()
        if not scopes:
            raise errors.OperatorError(
                "the fetcher returned no scopes; assuming a misconfiguration. Nothing is rated "
                "until it returns at least one"
            )
        observation = self._ledger.observe(
            scopes,
            now,
            start=self._calendar.start(self._start, now),
            resume=self._calendar.floor(now),
        )
        for change, changed in (
            ("new scopes", observation.new_scopes),
            ("scopes that are listed again", observation.returned_scopes),
            ("scopes that are no longer listed, rated to the end", observation.retired_scopes),
        ):
            if changed:
                LOG.info("%s: %d (%s)", change, len(changed), _list_ids(changed))
        return [state for state in observation.states if self._partition.contains(state.scope.id)]

    def _put_off_off_grid(
        self, states: Sequence[State], instant: datetime.datetime, cycle: Cycle
    ) -> None:
        failure = errors.OperatorError(
            f"rated until {utc_text(instant)}, which is not the start of a period of "
            f"{self._calendar.step}: set [collect] period back to its previous value, or see "
            "ratekit scope reset"
        )
        LOG.error(
            "%s cannot be rated (%s): %s",
            count_text(len(states), "scope"),
            _list_ids([state.scope for state in states]),
            failure,
        )
        cycle.put_off(states, failure)


def _count_waiting(result: CycleResult, states: Sequence[State]) -> CycleResult:
    """Add failed scopes that were not tried again."""
    for state in states:
        if state.retry_at is not None:
            result = result.add_failed(1, state.retry_at)
    return result


def _list_ids(scopes: Sequence[Scope]) -> str:
    return list_text([scope.id for scope in scopes])

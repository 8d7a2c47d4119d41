"""The orchestrator: finds the scopes that are due and runs cycles over them."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable, Collection, Iterable, Sequence

from ratekit import errors, interfaces
from ratekit.domain.schedule.batch import DueScope
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.schedule.division import Division, Sharing, StallWatch, Turn
from ratekit.domain.scope import Scope, State
from ratekit.processing.clock_check import ClockCheck
from ratekit.processing.cycle import Cycle, CycleResult
from ratekit.processing.rater import Rater, Settings
from ratekit.processing.run_context import RunContext
from ratekit.text import count_text, duration_text, list_text, utc_text

LOG = logging.getLogger(__name__)


class Orchestrator:
    """Rates all periods that are due.

    :param list_scopes: returns the scopes that the fetcher lists, within a time limit; raises
        as fetchers do
    :param calendar: the grid of periods
    :param start: where a new scope starts: ``month``, ``now`` or a date
    :param sharing: which scopes are rated here; all scopes are observed
    :param leads: log what is true of all processes that share the scopes
    :param clocks: is asked before each cycle
    """

    def __init__(
        self,
        list_scopes: Callable[[], Collection[Scope]],
        ledger: interfaces.Ledger,
        rater: Rater,
        calendar: Calendar,
        start: str,
        sharing: Sharing,
        context: RunContext,
        clocks: ClockCheck,
        leads: bool = True,
    ) -> None:
        self._list_scopes = list_scopes
        self._ledger = ledger
        self._rater = rater
        self._calendar = calendar
        self._start = start
        self._sharing = sharing
        self._context = context
        self._clocks = clocks
        self._leads = leads
        self._stalls = StallWatch()
        self._has_logged_unused = False

    def adopt(self, settings: Settings) -> None:
        """Use other settings from the next batch on."""
        self._rater.adopt(settings)

    def run_cycle(self, wait_for_retry: bool = True) -> CycleResult:
        """Rate everything that is due now, in as many batches as necessary.

        :param wait_for_retry: skip failed scopes that may not be tried again yet
        :raises ratekit.errors.TryLater: the fetcher or the database did not answer
        :raises ratekit.errors.OperatorError: the fetcher or the collector was refused, or the
            fetcher returned no scopes, or the database was migrated
        :raises ratekit.errors.ClockSkew: clocks differ too much to tell what is due
        :raises ratekit.errors.RatekitError: of all clocks only this host's could be read
        :raises ratekit.errors.NoRules: periods are due, but nothing would price them
        """
        comparison = self._clocks.compare(self._context.clock())
        if comparison.failure is not None and not comparison.is_confirmed:
            # Where a scope starts, and when it was listed last, is decided once.
            raise comparison.failure
        now = self._context.clock() - comparison.lag
        division = self._sharing.current()
        # Scopes are observed although a clock cannot be read: a list not recorded is lost.
        states = self._observe(now)
        waiting = [state for state in states if wait_for_retry and self._must_wait(state)]
        waiting_pks = {state.scope_pk for state in waiting}
        due, unusable = self._sort(
            [state for state in states if state.scope_pk not in waiting_pks], now
        )
        due, look_again_at = self._choose(due, division, now)
        waiting, unusable = (
            [state for state in states if division.turn(state.scope.id) is Turn.OWN]
            for states in (waiting, unusable)
        )
        cycle = Cycle(
            due, self._calendar.step, self._rater, self._ledger, self._context, self._sharing
        )
        if due:
            # Time during which there are no rules is rated later.
            self._rater.price_list()
            if comparison.failure is not None:
                cycle.put_off_all(comparison.failure)
                raise comparison.failure
            self._rater.require_data()
        for instant in sorted({state.rated_until for state in unusable}):
            states = [state for state in unusable if state.rated_until == instant]
            self._put_off_unusable(states, instant, cycle)
        result = dataclasses.replace(cycle.run(), lag=comparison.lag, look_again_at=look_again_at)
        self._log_unused_metrics(result)
        return _count_waiting(result, waiting)

    def _must_wait(self, state: State) -> bool:
        """Tell whether a failed scope may not be tried again yet.

        A time that lies further ahead than any delay comes from a clock that was wrong.
        """
        if state.retry_at is None:
            return False
        now = self._context.clock()
        return now < state.retry_at <= now + self._rater.retry_policy.backoff.limit

    def _sort(
        self, states: Sequence[State], now: datetime.datetime
    ) -> tuple[list[DueScope], list[State]]:
        """Return scopes with the end of their due periods, and those at an impossible instant."""
        latest = self._calendar.latest_state(self._start, now, self._clocks.tolerance)
        due: list[DueScope] = []
        unusable: list[State] = []
        for state in states:
            if state.rated_until <= latest and self._calendar.on_grid(state.rated_until):
                due.append(self._calendar.due_scope(state, now))
            else:
                unusable.append(state)
        return due, unusable

    def _observe(self, now: datetime.datetime) -> Sequence[State]:
        """Record which scopes are listed now; return the states of all that are rated.

        An empty list is assumed to be a misconfiguration: most likely a role was removed or is
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
        return observation.states

    def _choose(
        self, scopes: Iterable[DueScope], division: Division, now: datetime.datetime
    ) -> tuple[list[DueScope], datetime.datetime | None]:
        """Return the scopes with due periods that this process rates, each with its turn.

        Also return when those that other daemons have not rated until then are taken.
        """
        due = [
            dataclasses.replace(
                scope,
                turn=division.turn(scope.state.scope.id),
                place=division.place(scope.state.scope.id),
            )
            for scope in scopes
            if scope.state.rated_until < scope.until
        ]
        positions = {
            scope.state.scope_pk: (
                scope.state.rated_until,
                scope.state.failures,
                scope.state.resets,
            )
            for scope in due
            if scope.turn is Turn.RESCUE
        }
        stalled, look_again_at = self._stalls.find(positions, division.patience, now)
        if stalled:
            LOG.info(
                "%s that other daemons have not rated for %s: taken over",
                count_text(len(stalled), "due scope"),
                division.patience,
            )
        return [
            scope
            for scope in due
            if scope.turn is not Turn.RESCUE or scope.state.scope_pk in stalled
        ], look_again_at

    def _log_unused_metrics(self, result: CycleResult) -> None:
        """Name the metrics without usage so far, once, after the first cycle that rated something.

        A misspelt metric looks like one that the cloud does not use yet. One of all processes
        that share the scopes does this.
        """
        if self._has_logged_unused or not result.periods or not self._leads:
            return
        self._has_logged_unused = True
        names = self._rater.find_unused_metrics()
        if names:
            LOG.info(
                "%s no usage in any scope so far: %s; check their names with ratekit metric check",
                count_text(len(names), "metric has", "metrics have"),
                list_text(names, limit=len(names)),
            )

    def _put_off_unusable(
        self, states: Sequence[State], instant: datetime.datetime, cycle: Cycle
    ) -> None:
        time = utc_text(instant)
        if self._calendar.on_grid(instant):
            text = (
                f"rated until {time}, which is in the future: a clock was wrong, and usage until "
                "then was not charged; correct the clock, then run ratekit scope reset with a time "
                "before it was wrong"
            )
        else:
            text = (
                f"rated until {time}, which is not the start of a period of "
                f"{duration_text(self._calendar.step)}: "
                "set [collect] period back to its previous value, or see ratekit scope reset"
            )
        failure = errors.OperatorError(text)
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

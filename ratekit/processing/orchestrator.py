"""The orchestrator: who is due, and one cycle after the other."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable, Collection, Sequence

from ratekit import errors, interfaces
from ratekit.domain.schedule.batch import DueScope
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.schedule.share import Partition
from ratekit.domain.scope import Scope, State
from ratekit.processing.cycle import Cycle, CycleResult, RunContext
from ratekit.processing.rater import Rater, Settings

LOG = logging.getLogger(__name__)


class Orchestrator:
    """Rates whatever is due.

    :param listed: what the fetcher lists, in time; raises as a fetcher does
    :param calendar: the grid of periods
    :param start: where a new scope starts: ``month``, ``now`` or a date
    :param share: which scopes are rated here; all are observed
    """

    def __init__(
        self,
        listed: Callable[[], Collection[Scope]],
        ledger: interfaces.Ledger,
        rater: Rater,
        calendar: Calendar,
        start: str,
        share: Partition,
        context: RunContext,
    ) -> None:
        self._listed = listed
        self._ledger = ledger
        self._rater = rater
        self._calendar = calendar
        self._start = start
        self._share = share
        self._context = context

    def adopt(self, settings: Settings) -> None:
        """Work by other settings from the next batch on."""
        self._rater.adopt(settings)

    def run_cycle(self, patient: bool = True) -> CycleResult:
        """Rate all that is due now, however many batches it takes.

        :param patient: leave scopes alone that are resting after a failure
        :raises ratekit.errors.TryLater: the fetcher or the database did not answer
        :raises ratekit.errors.OperatorError: the fetcher or the collector was refused, or the
            fetcher lists nobody, or the database was migrated
        """
        now = self._context.clock()
        self._rater.require_data()
        work: list[DueScope] = []
        off_grid: list[State] = []
        resting: list[State] = []
        for state in self._observe(now):
            if patient and state.retry_at is not None and state.retry_at > now:
                resting.append(state)
            elif not self._calendar.on_grid(state.rated_until):
                off_grid.append(state)
            else:
                work.append(self._calendar.work(state, now))
        cycle = Cycle(work, self._calendar.step, self._rater, self._ledger, self._context)
        for instant in sorted({state.rated_until for state in off_grid}):
            alike = [state for state in off_grid if state.rated_until == instant]
            self._report_off_grid(alike, instant, cycle)
        return _with_resting(cycle.run(), resting)

    def _observe(self, now: datetime.datetime) -> Sequence[State]:
        """Tell the ledger who is listed now; states of those that are active and our own.

        That nobody is to be rated any more is not believed: most likely a role was taken
        away or misspelt, and what is not listed is never charged.
        """
        listed = self._listed()
        if not listed:
            raise errors.OperatorError(
                "the fetcher lists no scope at all: nobody is rated until it does, and nobody's "
                "state is changed"
            )
        seen = self._ledger.observe(
            listed,
            now,
            start=self._calendar.start(self._start, now),
            resume=self._calendar.floor(now),
        )
        for what, some in (
            ("new", seen.added),
            ("listed again", seen.returned),
            ("no longer listed, and rated to the end", seen.retired),
        ):
            if some:
                LOG.info("scopes %s: %d (%s)", what, len(some), _named(some))
        return [state for state in seen.states if self._share.holds(state.scope.id)]

    def _report_off_grid(
        self, states: Sequence[State], instant: datetime.datetime, cycle: Cycle
    ) -> None:
        text = (
            f"rated until {instant:%Y-%m-%dT%H:%M:%SZ}, where no period of "
            f"{self._calendar.step} begins: set [collect] period back to what it was, or see "
            "ratekit scope reset"
        )
        named = _named([state.scope for state in states])
        LOG.error("%d scopes cannot be rated (%s): %s", len(states), named, text)
        cycle.put_off(states, text)


def _with_resting(outcome: CycleResult, resting: Sequence[State]) -> CycleResult:
    """Count those that were not tried."""
    instants = [state.retry_at for state in resting if state.retry_at is not None]
    if outcome.retry_at is not None:
        instants.append(outcome.retry_at)
    return dataclasses.replace(
        outcome,
        failed=outcome.failed + len(resting),
        retry_at=min(instants, default=None),
    )


def _named(scopes: Sequence[Scope]) -> str:
    """Some of the scopes' ids, and how many more there are."""
    some = ", ".join(scope.id for scope in scopes[:5])
    return some if len(scopes) <= 5 else f"{some} and {len(scopes) - 5} more"

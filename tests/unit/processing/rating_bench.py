"""An orchestrator on fakes, with a clock that tests set."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from ratekit import errors
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.domain.schedule.division import Sharing
from ratekit.interfaces import RatingModule
from ratekit.processing.clock_check import ClockCheck
from ratekit.processing.cycle import CycleResult
from ratekit.processing.orchestrator import Orchestrator
from ratekit.processing.rater import Rater, Settings
from ratekit.processing.run_context import Progress, RunContext
from tests.builders import HOUR, MINUTE, MONTH, call_in_turn, metric
from tests.fakes import CollectCall, FakeCollector, FakeFetcher, FakeLedger, FakeModule, FakeRules
from tests.sharing import AloneInOrder

#: Hours 0 to 9 of the month are due at this moment, with two periods of waiting.
NOW = datetime.datetime(2026, 1, 1, 11, 0, 5, tzinfo=datetime.UTC)
DUE = 10
BACK_END_DOWN = errors.TryLater("Gnocchi does not answer")
TIMED_OUT = errors.TryLater("Gnocchi answered 504")
REFUSED = errors.OperatorError("Gnocchi refused with 400: Metrics cannot be aggregated")

Failure = Callable[[CollectCall], Exception | None]


class RatingBench:
    """An orchestrator on fakes, and a clock that tests set.

    :ivar reading: of the metering back end's clock
    :ivar fail_clock: why that clock cannot be read, or None
    :ivar database_reading: of the database server's clock; None: it has no server
    :ivar stop_after: number of batches after which the cycle must stop
    """

    def __init__(
        self,
        *scopes: str,
        limit: int = 96,
        modules: Sequence[RatingModule] = (),
        ledger: type[FakeLedger] = FakeLedger,
        collector: FakeCollector | None = None,
        start: str = "month",
        sharing: Sharing | None = None,
        requires_rules: bool = False,
    ) -> None:
        self.now = NOW
        self.chance = 0.0
        self.reading: ClockReading | None = None
        self.fail_clock: Exception | None = None
        self.database_reading: ClockReading | None = None
        self.fetcher = FakeFetcher(*scopes)
        self.collector = collector or FakeCollector()
        self.rules = FakeRules()
        self.ledger = ledger(self.rules)
        self.progress: list[Progress] = []
        self.on_progress: Callable[[Progress], None] = lambda _: None
        self.stop_after = 1000
        self.settings = Settings(
            metrics=[metric("cpu"), metric("disk")],
            for_each_metric=call_in_turn,
            batch_seconds=30.0,
            batch_frames=10**6,
            backoff=Backoff(MINUTE, HOUR),
            requires_rules=requires_rules,
        )
        rater = Rater(
            self.collector,
            modules or [FakeModule(2)],
            self.ledger,
            self.rules,
            self.settings,
            limit,
        )
        context = RunContext(
            clock=lambda: self.now,
            report=self._report,
            should_continue=lambda: len(self.progress) < self.stop_after,
            chance=lambda: self.chance,
        )
        self.orchestrator = Orchestrator(
            self.fetcher.scopes,
            self.ledger,
            rater,
            Calendar(HOUR, 2),
            start,
            sharing or AloneInOrder(),
            context,
            ClockCheck([self._read_clock, lambda: self.database_reading], MINUTE),
        )

    def rate(self, wait_for_retry: bool = True) -> CycleResult:
        return self.orchestrator.run_cycle(wait_for_retry)

    def _report(self, progress: Progress) -> None:
        self.progress.append(progress)
        self.on_progress(progress)

    def _read_clock(self) -> ClockReading | None:
        if self.fail_clock is not None:
            raise self.fail_clock
        return self.reading

    def fail(self, failure: Failure) -> None:
        self.collector.failures.append(failure)

    def mend(self) -> None:
        self.collector.failures.clear()

    def hours_rated(self) -> dict[str, int]:
        """Return for how many hours of the month each scope has been rated."""
        states = self.ledger.states.items()
        return {id_: (state.rated_until - MONTH) // HOUR for id_, state in states}

    def delay(self, scope: str) -> datetime.timedelta:
        """Return how long a scope is put off from now on."""
        retry_at = self.ledger.states[scope].retry_at
        assert retry_at is not None
        return retry_at - self.now


def always(error: Exception) -> Failure:
    return lambda call: error


def for_scope(scope: str, error: Exception) -> Failure:
    """Fail each call that is about ``scope``, alone or among others."""
    return lambda call: error if scope in call.scopes else None

"""The cycle: who is due, collect, rate, commit."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from ratekit import errors, interfaces
from ratekit.domain import exact
from ratekit.domain.batch import Batch, BatchSize, Work, next_batch
from ratekit.domain.due import Calendar
from ratekit.domain.metric import Metric
from ratekit.domain.rules import RuleBook
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries, Series

LOG = logging.getLogger(__name__)

#: Failures in a row after which a back end is taken to be down and the pass ends.
_ENOUGH = 3

Clock = Callable[[], datetime.datetime]


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass has come; told after each batch.

    :ivar batch: the one that was dealt with
    :ivar frames: that it wrote
    :ivar scopes_left: scopes that still have due periods
    :ivar periods_left: scopes times periods still due
    """

    batch: Batch
    frames: int
    scopes_left: int
    periods_left: int


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass did.

    :ivar frames: number of frames written
    :ivar periods: scopes times periods rated
    :ivar failed: scopes that could not be rated to the end
    """

    frames: int = 0
    periods: int = 0
    failed: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What the orchestrator works with.

    :ivar side_by_side: calls a function with each metric concurrently; results in order
    :ivar clock: now, aware, UTC
    :ivar report: is told of each batch
    :ivar stopping: says that the pass is to end before the next batch
    """

    fetcher: interfaces.Fetcher
    collector: interfaces.Collector
    modules: Sequence[interfaces.RatingModule]
    ledger: interfaces.Ledger
    rules: interfaces.RuleStore
    metrics: Sequence[Metric]
    side_by_side: Callable[[Callable[[Metric], list[Series]], Sequence[Metric]], list[list[Series]]]
    clock: Clock
    report: Callable[[Progress], None]
    stopping: Callable[[], bool]


class Orchestrator:
    """Rates whatever is due, batch by batch.

    :param calendar: the grid of periods
    :param start: where a new scope starts: ``month``, ``now`` or a date
    :param size: how large the first batch may be
    :param retry: how long a scope rests after its first failure; doubles, up to a period
    """

    def __init__(
        self, parts: Parts, calendar: Calendar, start: str, size: BatchSize,
        retry: datetime.timedelta,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._calendar = calendar
        self._start = start
        self._size = size
        self._retry = retry
        self._book: RuleBook | None = None
        self._pricers: Sequence[interfaces.Pricer] = ()

    def run_pass(self, patient: bool = True) -> Outcome:
        """Rate all that is due now, however many batches it takes.

        :param patient: leave scopes alone that are resting after a failure
        :raises ratekit.errors.TryLater: the fetcher or the database did not answer
        :raises ratekit.errors.OperatorError: the fetcher or the collector was refused
        """
        now = self._parts.clock()
        due: dict[int, Work] = {}
        tally = _Tally()
        for state in self._observe(now):
            if patient and state.retry_at is not None and state.retry_at > now:
                tally.failed += 1
            elif not self._calendar.on_grid(state.rated_until):
                tally.failed += 1
                self._report_off_grid(state)
            else:
                due[state.key] = self._calendar.work(state, now)
        while tally.failures_in_a_row < _ENOUGH and not self._parts.stopping():
            batch = next_batch(list(due.values()), self._calendar.step, self._size.limit)
            if batch is None:
                break
            self._deal_with(batch, due, tally)
        if tally.failures_in_a_row >= _ENOUGH:
            left = sum(1 for one in due.values() if one.state.rated_until < one.until)
            tally.failed += left
            LOG.warning(
                "the pass ends after %d failures in a row; not tried: %d scopes",
                tally.failures_in_a_row,
                left,
            )
        return Outcome(tally.frames, tally.periods, tally.failed)

    def _observe(self, now: datetime.datetime) -> Sequence[State]:
        """Tell the ledger who is listed now; states of all active scopes."""
        seen = self._parts.ledger.observe(
            self._parts.fetcher.scopes(),
            now,
            start=self._calendar.start(self._start, now),
            resume=self._calendar.floor(now),
        )
        for what, scopes in (
            ("new", seen.added),
            ("listed again", seen.returned),
            ("no longer listed, and rated to the end", seen.retired),
        ):
            if scopes:
                LOG.info("scopes %s: %d (%s)", what, len(scopes), _named(scopes))
        return seen.states

    def _report_off_grid(self, state: State) -> None:
        text = (
            f"rated until {state.rated_until:%Y-%m-%dT%H:%M:%SZ}, where no period of "
            f"{self._calendar.step} begins: set [collect] period back to what it was"
        )
        LOG.error("scope %s cannot be rated: %s", state.scope.id, text)
        self._postpone([state], text)

    def _deal_with(self, batch: Batch, due: dict[int, Work], tally: _Tally) -> None:
        """Rate a batch, or the parts of it that can be; take what failed off ``due``."""
        failure: Exception | None = None
        try:
            committed = self._rate(batch)
        except errors.Denied:
            raise
        except Exception as error:  # noqa: BLE001 - the loop's edge: one bad batch ends no pass
            failure = error
        if failure is not None:
            self._explain(batch, failure, due, tally)
            return
        tally.failures_in_a_row = 0
        tally.frames += committed.frames
        lost = {scope.id for scope in committed.lost}
        tally.periods += (len(batch.states) - len(lost)) * batch.window.count
        for state in batch.states:
            self._advance(state, batch, state.scope.id in lost, due)
        self._tell(batch, committed.frames, due)

    def _explain(
        self, batch: Batch, failure: Exception, due: dict[int, Work], tally: _Tally
    ) -> None:
        """Say what happens next with a batch that failed, and do it.

        Outside of any ``except``, since oslo.log would add the error to each line once more.
        """
        match failure:
            case errors.RulesChanged():
                LOG.info("%s is priced again: the rules changed meanwhile", batch)
            case errors.TryLater():
                self._size = self._size.halved(batch.size)
                tally.failures_in_a_row += 1
                if batch.size > 1 and tally.failures_in_a_row < _ENOUGH:
                    LOG.warning("%s will be tried again in smaller parts: %s", batch, failure)
                    self._halve(batch, due, tally)
                else:
                    LOG.warning("%s will be tried again: %s", batch, failure)
                    self._give_up(batch, str(failure), due, tally)
            case errors.OperatorError():
                self._isolate(batch, failure, due, tally)
            case _:
                if len(batch.states) == 1:
                    LOG.error("%s failed in a way nobody planned for", batch, exc_info=failure)
                self._isolate(batch, failure, due, tally)

    def _isolate(self, batch: Batch, error: Exception, due: dict[int, Work], tally: _Tally) -> None:
        """Halve a batch until the scope at fault is alone."""
        if len(batch.states) > 1:
            self._halve(batch, due, tally)
            return
        LOG.error("%s cannot be rated: %s", batch, error)
        self._give_up(batch, str(error), due, tally)

    def _halve(self, batch: Batch, due: dict[int, Work], tally: _Tally) -> None:
        """Deal with half the scopes, then with the others.

        A single scope is left to the pass, which takes a shorter window next time.
        """
        if len(batch.states) > 1:
            for half in batch.halves():
                if not self._parts.stopping():
                    self._deal_with(half, due, tally)

    def _give_up(self, batch: Batch, error: str, due: dict[int, Work], tally: _Tally) -> None:
        tally.failed += len(batch.states)
        self._postpone(batch.states, error)
        for state in batch.states:
            due.pop(state.key, None)

    def _advance(self, state: State, batch: Batch, lost: bool, due: dict[int, Work]) -> None:
        if lost:
            LOG.debug("scope %s was rated by another processor", state.scope.id)
        work = due[state.key]
        if lost or batch.window.end >= work.until:
            del due[state.key]
            return
        advanced = dataclasses.replace(
            state, rated_until=batch.window.end, failures=0, retry_at=None
        )
        due[state.key] = dataclasses.replace(work, state=advanced)

    def _tell(self, batch: Batch, frames: int, due: dict[int, Work]) -> None:
        step = self._calendar.step
        left = [(one.until - one.state.rated_until) // step for one in due.values()]
        self._parts.report(
            Progress(
                batch, frames, sum(1 for one in left if one > 0), sum(max(one, 0) for one in left)
            )
        )

    def _rate(self, batch: Batch) -> interfaces.Committed:
        """Collect, price and commit one batch."""
        book = self._rules()
        begun = time.monotonic()
        series = self._collect(batch)
        points = sum(len(one.points) for one in series)
        self._size = self._size.after(batch.size, time.monotonic() - begun, points)
        rated = [self._priced(one) for one in series]
        return self._parts.ledger.commit(
            interfaces.RatedBatch(batch.window, batch.states, rated, book.version)
        )

    def _collect(self, batch: Batch) -> list[Series]:
        scopes = [state.scope.id for state in batch.states]

        def one_metric(metric: Metric) -> list[Series]:
            return list(self._parts.collector.collect(metric, batch.window, scopes))

        collected = self._parts.side_by_side(one_metric, self._parts.metrics)
        return [series for of_metric in collected for series in of_metric]

    def _rules(self) -> RuleBook:
        """The current rules, compiled anew when they changed."""
        book = self._parts.rules.read(self._book)
        if book is not self._book:
            self._pricers = [module.compile(book) for module in self._parts.modules]
            self._book = book
        return book

    def _priced(self, series: Series) -> RatedSeries:
        prices: Sequence[Decimal] = [exact.ZERO] * len(series.points)
        for price in self._pricers:
            prices = price(series, prices)
        return RatedSeries(series, prices)

    def _postpone(self, states: Sequence[State], error: str) -> None:
        """Let scopes rest, the longer the more often they have failed."""
        now = self._parts.clock()
        failures = max(state.failures for state in states)
        rest = min(self._retry * 2 ** min(failures, 20), self._calendar.step)
        self._parts.ledger.postpone(states, error, now + rest)


@dataclasses.dataclass(slots=True)
class _Tally:
    """What a pass has done so far."""

    frames: int = 0
    periods: int = 0
    failed: int = 0
    failures_in_a_row: int = 0


def _named(scopes: Sequence[Scope]) -> str:
    """Some of the scopes' ids, and how many more there are."""
    some = ", ".join(scope.id for scope in scopes[:5])
    return some if len(scopes) <= 5 else f"{some} and {len(scopes) - 5} more"

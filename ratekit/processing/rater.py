"""Rates one batch: collects, prices and commits."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Collection, Mapping, Sequence

from ratekit import errors, interfaces
from ratekit.domain.period import Window
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.batch import FIRST, Batch, BatchSize
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.domain.schedule.large_scopes import LargeScopes, Load
from ratekit.domain.usage.metric import Metric
from ratekit.pricing.price_list import PriceList
from ratekit.processing.failures import RetryPolicy
from ratekit.processing.priced_usage import (
    ForEachMetric,
    PricedUsage,
    UsagePricer,
    UsageRequest,
    find_skipping_metrics,
)
from ratekit.processing.storable import StorableUsage


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """Settings that may change while a daemon runs; they take effect with the next batch.

    :ivar metrics: the metrics to collect
    :ivar for_each_metric: calls a function with each metric
    :ivar batch_seconds: how long collecting a batch should take
    :ivar batch_frames: how many frames a batch should have at most, if each series has many; a
        series takes as much memory as several frames
    :ivar backoff: delays after failures
    :ivar requires_rules: rate nothing while there has never been a price rule
    """

    metrics: Sequence[Metric]
    for_each_metric: ForEachMetric
    batch_seconds: float
    batch_frames: int
    backoff: Backoff
    requires_rules: bool = False


class Rater:
    """Rates batches, and adapts their size to how long they take.

    :param modules: rating modules, highest priority first
    :param limit: scopes times periods of the first batch
    """

    def __init__(
        self,
        collector: interfaces.Collector,
        modules: Sequence[interfaces.RatingModule],
        ledger: interfaces.Ledger,
        rules: interfaces.RuleStore,
        settings: Settings,
        limit: int = FIRST,
    ) -> None:
        self._collector = collector
        self._modules = modules
        self._ledger = ledger
        self._rules = rules
        self._settings = settings
        self._size = BatchSize(
            settings.batch_seconds, settings.batch_frames, min(limit, settings.batch_frames)
        )
        self._price_list: PriceList | None = None
        self._usage = UsagePricer(collector, StorableUsage())
        self._large = LargeScopes()
        #: Scopes that were divided since the back end has last answered.
        self._divided_scopes: set[str] = set()
        self._has_collected = False

    @property
    def size(self) -> BatchSize:
        """How large the next batch may be."""
        return self._size

    @property
    def large_scopes(self) -> Mapping[str, int]:
        """Maximum number of periods of a batch of each scope that is rated alone, in parts."""
        return self._large.max_periods

    @property
    def settings(self) -> Settings:
        """The current settings."""
        return self._settings

    @property
    def retry_policy(self) -> RetryPolicy:
        """What comes after a failure, by the current settings."""
        return RetryPolicy(self._settings.backoff)

    def read_clock(self) -> ClockReading | None:
        """Return the reading of the metering back end's clock, or None if it does not show one.

        :raises ratekit.errors.RatekitError: as collectors do
        """
        if not isinstance(self._collector, interfaces.ClockSource):
            return None
        return self._collector.read_clock()

    def require_data(self) -> None:
        """Require that the metering back end has processed all measures that it received.

        :raises ratekit.errors.NotYet: it is still processing some
        :raises ratekit.errors.RatekitError: as collectors do
        """
        if not isinstance(self._collector, interfaces.Readiness):
            return
        reason = self._collector.not_ready()
        if reason is not None:
            raise errors.NotYet(reason)

    def find_unused_metrics(self) -> Sequence[str]:
        """Return the public names of the metrics of which no scope has ever had usage, sorted.

        A metric of which metrics.yml skips some usage may have been used.

        :raises ratekit.errors.TryLater: the database did not answer
        """
        names = {metric.public_name for metric in self._settings.metrics}
        names -= find_skipping_metrics(self._settings.metrics).keys()
        return sorted(names.difference(self._ledger.metrics_with_usage()))

    def adopt(self, settings: Settings) -> None:
        """Use other settings from the next batch on."""
        self._settings = settings
        self._size = dataclasses.replace(
            self._size, seconds=settings.batch_seconds, weight=settings.batch_frames
        )

    def shrink(self, batch: Batch) -> None:
        """Make the next batches smaller, because ``batch`` was too large."""
        self._size = self._size.after_failure(batch.size)

    def divide(self, scope: str, periods: int) -> bool:
        """Divide a scope's resources into more parts from the next batch on, if possible.

        :param periods: of the batch that was too large
        :returns: False: it cannot be, or into no more parts
        """
        if not isinstance(self._collector, interfaces.DivisibleUsage):
            return False
        self._divided_scopes.add(scope)
        return self._large.divide(scope, periods, self._settings.batch_frames)

    def ask_less(self, batch: Batch, failure: errors.TryLater) -> bool:
        """Rate less of a batch's only scope at a time; False: it cannot be less.

        That is fewer periods, or more parts of the resources, by what failed last.
        """
        [state] = batch.states
        scope, periods = state.scope.id, batch.window.count
        if scope in self._large.max_periods:
            return self.ask_less_of_large(scope, periods, failure)
        if self._size.limit < periods:
            return True
        return not self._has_collected and self.divide(scope, periods)

    def ask_less_of_large(self, scope: str, periods: int, failure: errors.TryLater) -> bool:
        """Collect a large scope in more parts, or fewer periods at a time; False: it cannot be.

        :param periods: of the window that failed
        """
        # More parts make neither the transaction nor the file smaller.
        if self._has_collected or isinstance(failure, errors.NoSpace):
            return self._large.shorten(scope)
        return self.divide(scope, periods) or self._large.shorten(scope)

    def forget_divisions(self) -> None:
        """Divide no scope further for failures that the back end as a whole caused."""
        for scope in self._divided_scopes:
            self._large.relieve(scope, self._settings.batch_frames)
        self._divided_scopes.clear()

    def rate(
        self, batch: Batch, next_part: Callable[[], None] = lambda: None
    ) -> interfaces.CommitResult:
        """Collect, price and commit.

        :param next_part: see :meth:`price`
        :raises ratekit.errors.RatekitError: as collectors and ledgers do; nothing was written
        """
        # A reload may replace the settings while the collector waits, but not for this batch.
        settings = self._settings
        scopes = [state.scope.id for state in batch.states]
        priced = self.price(batch.window, scopes, None, next_part)
        commit = self._commit(batch, priced)
        # Usage that metrics.yml skips has not stopped.
        skipping = find_skipping_metrics(settings.metrics)
        stopped, resumed = (
            [(scope, name) for scope, name in pairs if name not in skipping]
            for pairs in (commit.stopped_usage, commit.resumed_usage)
        )
        return dataclasses.replace(commit, stopped_usage=stopped, resumed_usage=resumed)

    def price(
        self,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
        next_part: Callable[[], None] = lambda: None,
    ) -> PricedUsage:
        """Collect and price; write nothing.

        A large scope alone is collected in parts.

        :param records_until: see :meth:`ratekit.interfaces.Collector.collect`
        :param next_part: is called before each part; what it raises ends the work
        :raises ratekit.errors.RatekitError: as collectors do
        """
        self._has_collected = False
        settings = self._settings
        limit, parts = settings.batch_frames, 1
        if len(scopes) == 1:
            [scope] = scopes
            parts = self._large.parts(scope, window.count, limit)
        request = UsageRequest(window, scopes, settings.metrics, records_until, parts, limit)
        priced = self._usage.price(request, self.price_list(), settings.for_each_metric, next_part)
        self._has_collected = True
        self._divided_scopes.clear()
        if len(scopes) == 1 and isinstance(self._collector, interfaces.DivisibleUsage):
            load = Load(priced.seconds / settings.batch_seconds, priced.share)
            self._large.learn(scope, window.count, limit, priced.density, load)
        return priced

    def price_list(self) -> PriceList:
        """Return the price list of the current rules; it is compiled again only if they changed.

        :raises ratekit.errors.NoRules: there has never been one, but the settings require rules
        :raises ratekit.errors.TryLater: the database did not answer
        """
        book = self._rules.read(None if self._price_list is None else self._price_list.book)
        # Closed rules are never deleted.
        if self._settings.requires_rules and not book.rules:
            raise errors.NoRules
        if self._price_list is None or book is not self._price_list.book:
            self._price_list = PriceList(self._modules, book)
        return self._price_list

    def _commit(self, batch: Batch, priced: PricedUsage) -> interfaces.CommitResult:
        """Write a batch, and learn from its size."""
        # What is known of scopes that are rated alone says nothing about the others.
        if batch.states[0].scope.id not in self._large.max_periods:
            self._size = self._size.after(batch.size, priced.seconds, priced.density, priced.share)
        return self._ledger.commit(
            interfaces.RatedBatch(
                batch.window,
                batch.states,
                priced.series_to_store,
                priced.rules_version,
                priced.metrics,
                priced.exclusions,
            )
        )

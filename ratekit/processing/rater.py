"""Rates one batch: collects, prices and commits."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import time
from collections.abc import Callable, Mapping, Sequence

from ratekit import errors, interfaces
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.batch import FIRST, Batch, BatchSize
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.skipping import remove_skipped
from ratekit.pricing.price_list import PriceList
from ratekit.processing.failures import RetryPolicy
from ratekit.processing.storable import StorableUsage

#: Calls a function with each metric, several at a time, and returns the results in order.
ForEachMetric = Callable[[Callable[[Metric], list[Series]], Sequence[Metric]], list[list[Series]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """Settings that may change while a daemon runs; they take effect with the next batch.

    :ivar metrics: the metrics to collect
    :ivar for_each_metric: calls a function with each metric
    :ivar batch_seconds: how long collecting a batch should take
    :ivar batch_frames: how many frames a batch should have at most
    :ivar backoff: delays after failures
    :ivar requires_rules: rate nothing while there has never been a price rule
    """

    metrics: Sequence[Metric]
    for_each_metric: ForEachMetric
    batch_seconds: float
    batch_frames: int
    backoff: Backoff
    requires_rules: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class PricedUsage:
    """The usage of scopes over a window, with prices.

    :ivar series: everything that was collected
    :ivar series_to_store: what metrics.yml does not skip of it
    :ivar rules_version: version of the rule book that priced it
    :ivar metrics: public names of all metrics that were collected, each once
    :ivar exclusions: what the collector left out
    :ivar seconds: how long collecting took
    """

    series: Sequence[RatedSeries]
    series_to_store: Sequence[RatedSeries]
    rules_version: int
    metrics: tuple[str, ...]
    exclusions: Sequence[Exclusion]
    seconds: float

    @property
    def points(self) -> int:
        """Number of usages that were collected."""
        return sum(len(rated.prices) for rated in self.series)


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
        self._storable = StorableUsage()

    @property
    def limit(self) -> int:
        """Largest size of the next batch, scopes times periods."""
        return self._size.limit

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
        names -= _find_skipping_metrics(self._settings).keys()
        return sorted(names.difference(self._ledger.metrics_with_usage()))

    def adopt(self, settings: Settings) -> None:
        """Use other settings from the next batch on."""
        self._settings = settings
        self._size = dataclasses.replace(
            self._size, seconds=settings.batch_seconds, frames=settings.batch_frames
        )

    def shrink(self, batch: Batch) -> None:
        """Make the next batches smaller, because ``batch`` was too large."""
        self._size = self._size.after_failure(batch.size)

    def rate(self, batch: Batch) -> interfaces.CommitResult:
        """Collect, price and commit.

        :raises ratekit.errors.RatekitError: as collectors and ledgers do; nothing was written
        """
        # A reload may replace the settings while the collector waits, but not for this batch.
        settings = self._settings
        priced = self.price(batch.window, [state.scope.id for state in batch.states])
        self._size = self._size.after(batch.size, priced.seconds, priced.points)
        commit = self._ledger.commit(
            interfaces.RatedBatch(
                batch.window,
                batch.states,
                priced.series_to_store,
                priced.rules_version,
                priced.metrics,
                priced.exclusions,
            )
        )
        # Usage that metrics.yml skips has not stopped.
        skipping = _find_skipping_metrics(settings)
        stopped, resumed = (
            [(scope, name) for scope, name in pairs if name not in skipping]
            for pairs in (commit.stopped_usage, commit.resumed_usage)
        )
        return dataclasses.replace(commit, stopped_usage=stopped, resumed_usage=resumed)

    def price(
        self,
        window: Window,
        scopes: Sequence[str],
        records_until: datetime.datetime | None = None,
    ) -> PricedUsage:
        """Collect and price; write nothing.

        :param records_until: see :meth:`ratekit.interfaces.Collector.collect`
        :raises ratekit.errors.RatekitError: as collectors do
        """
        settings = self._settings
        price_list = self.price_list()
        start = time.monotonic()
        series = self._collect(window, scopes, settings, records_until)
        seconds = time.monotonic() - start
        rated, unstorable = self._storable.price(series, price_list)
        return PricedUsage(
            series=rated,
            series_to_store=_remove_skipped_usage(rated, _find_skipping_metrics(settings)),
            rules_version=price_list.book.version,
            metrics=tuple(sorted({metric.public_name for metric in settings.metrics})),
            exclusions=[*self._read_exclusions(window, scopes, settings), *unstorable],
            seconds=seconds,
        )

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

    def _collect(
        self,
        window: Window,
        scopes: Sequence[str],
        settings: Settings,
        records_until: datetime.datetime | None,
    ) -> list[Series]:
        def collect_metric(metric: Metric) -> list[Series]:
            return list(self._collector.collect(metric, window, scopes, records_until))

        series_by_metric = settings.for_each_metric(collect_metric, settings.metrics)
        return list(itertools.chain.from_iterable(series_by_metric))

    def _read_exclusions(
        self, window: Window, scopes: Sequence[str], settings: Settings
    ) -> list[Exclusion]:
        if not isinstance(self._collector, interfaces.ExclusionReport):
            return []
        return [
            exclusion
            for metric in settings.metrics
            for exclusion in self._collector.exclusions(metric, window, scopes)
        ]


def _find_skipping_metrics(settings: Settings) -> dict[str, Metric]:
    """Return the metrics that do not store all rated usage, by public name."""
    return {
        metric.public_name: metric
        for metric in settings.metrics
        if metric.skip_zero or metric.skip is not None
    }


def _remove_skipped_usage(
    series: list[RatedSeries], skipping: Mapping[str, Metric]
) -> list[RatedSeries]:
    """Return the usage that metrics.yml does not skip.

    :param skipping: metrics that skip some of their usage, by public name
    """
    if not skipping:
        return series
    stored = (
        remove_skipped(rated, skipping[rated.series.metric])
        if rated.series.metric in skipping
        else rated
        for rated in series
    )
    return [rated for rated in stored if rated is not None]

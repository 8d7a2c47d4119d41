"""One batch: collect, price, commit."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

from ratekit import errors, interfaces
from ratekit.domain.period import Window
from ratekit.domain.reporting.excluded import Exclusion
from ratekit.domain.schedule.backoff import Backoff
from ratekit.domain.schedule.batch import FIRST, Batch, BatchSize
from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.skipping import remove_skipped
from ratekit.pricing.price_list import PriceList

#: Calls a function with each metric, some at the same time; results in order.
SideBySide = Callable[[Callable[[Metric], list[Series]], Sequence[Metric]], list[list[Series]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What may change while a daemon runs; taken up between two batches.

    :ivar metrics: what is collected
    :ivar batch_seconds: how long collecting a batch should take
    :ivar batch_frames: how many frames a batch should hold at most
    :ivar backoff: how long a scope rests after failures
    """

    metrics: Sequence[Metric]
    side_by_side: SideBySide
    batch_seconds: float
    batch_frames: int
    backoff: Backoff


@dataclasses.dataclass(frozen=True, slots=True)
class PricedUsage:
    """What scopes used over a window, and what it costs.

    :ivar rated: all that was collected
    :ivar kept: what is to be stored of it
    :ivar version: of the rule book that priced it
    :ivar metrics: public names of all that was asked for, each once
    :ivar excluded: what the collector left out
    :ivar seconds: how long collecting took
    """

    rated: Sequence[RatedSeries]
    kept: Sequence[RatedSeries]
    version: int
    metrics: tuple[str, ...]
    excluded: Sequence[Exclusion]
    seconds: float


class Rater:
    """Rates batches, and learns how large they may be.

    :param modules: highest priority first
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
        self._list: PriceList | None = None

    @property
    def limit(self) -> int:
        """Scopes times periods that the next batch may have."""
        return self._size.limit

    @property
    def settings(self) -> Settings:
        """What it works by at this moment."""
        return self._settings

    @property
    def backoff(self) -> Backoff:
        """How long what failed rests."""
        return self._settings.backoff

    def require_data(self) -> None:
        """Wait while the metering back end says that data is on its way.

        :raises ratekit.errors.NotYet: it is
        :raises ratekit.errors.RatekitError: as collectors do
        """
        if not isinstance(self._collector, interfaces.Readiness):
            return
        reason = self._collector.not_ready()
        if reason is not None:
            raise errors.NotYet(reason)

    def adopt(self, settings: Settings) -> None:
        """Work by other settings from the next batch on."""
        self._settings = settings
        self._size = dataclasses.replace(
            self._size, seconds=settings.batch_seconds, frames=settings.batch_frames
        )

    def shrink(self, batch: Batch) -> None:
        """Take note that ``batch`` was too much at once."""
        self._size = self._size.after_failure(batch.size)

    def rate(self, batch: Batch) -> interfaces.CommitResult:
        """Collect, price and commit.

        :raises ratekit.errors.RatekitError: as collectors and ledgers do; nothing was written
        """
        # Others may be adopted while the collector waits, but not for this batch.
        settings = self._settings
        priced = self.price(batch.window, [state.scope.id for state in batch.states])
        points = sum(len(one.prices) for one in priced.rated)
        self._size = self._size.after(batch.size, priced.seconds, points)
        committed = self._ledger.commit(
            interfaces.RatedBatch(
                batch.window,
                batch.states,
                priced.kept,
                priced.version,
                priced.metrics,
                priced.excluded,
            )
        )
        # Silence that metrics.yml asks for is no news.
        skipping = _skipping(settings)
        silent = [one for one in committed.stopped_usage if one[1] not in skipping]
        return dataclasses.replace(committed, stopped_usage=silent)

    def price(self, window: Window, scopes: Sequence[str]) -> PricedUsage:
        """Collect and price, and write nothing.

        :raises ratekit.errors.RatekitError: as collectors do
        """
        settings = self._settings
        price_list = self.price_list()
        begun = time.monotonic()
        series = self._collect(window, scopes, settings)
        seconds = time.monotonic() - begun
        rated = [RatedSeries(one, price_list.prices(one)) for one in series]
        return PricedUsage(
            rated=rated,
            kept=_kept(rated, _skipping(settings)),
            version=price_list.book.version,
            metrics=tuple(sorted({metric.public_name for metric in settings.metrics})),
            excluded=self._excluded(window, scopes, settings),
            seconds=seconds,
        )

    def price_list(self) -> PriceList:
        """Return what prices by the current rules, compiled anew when they changed.

        :raises ratekit.errors.TryLater: the database did not answer
        """
        book = self._rules.read(None if self._list is None else self._list.book)
        if self._list is None or book is not self._list.book:
            self._list = PriceList(self._modules, book)
        return self._list

    def _collect(self, window: Window, scopes: Sequence[str], settings: Settings) -> list[Series]:
        def one_metric(metric: Metric) -> list[Series]:
            return list(self._collector.collect(metric, window, scopes))

        collected = settings.side_by_side(one_metric, settings.metrics)
        return [series for of_metric in collected for series in of_metric]

    def _excluded(
        self, window: Window, scopes: Sequence[str], settings: Settings
    ) -> list[Exclusion]:
        if not isinstance(self._collector, interfaces.ExclusionReport):
            return []
        return [
            exclusion
            for metric in settings.metrics
            for exclusion in self._collector.exclusions(metric, window, scopes)
        ]


def _skipping(settings: Settings) -> dict[str, Metric]:
    """Return the metrics of which not all that is rated is stored, by public name."""
    return {
        metric.public_name: metric
        for metric in settings.metrics
        if metric.skip_zero or metric.skip is not None
    }


def _kept(rated: list[RatedSeries], skipping: Mapping[str, Metric]) -> list[RatedSeries]:
    """Leave out what metrics.yml says is not to be stored."""
    if not skipping:
        return rated
    kept = (
        remove_skipped(one, skipping[one.series.metric]) if one.series.metric in skipping else one
        for one in rated
    )
    return [one for one in kept if one is not None]

"""Collects and prices usage, metric by metric and part by part, so that memory stays bounded."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from ratekit import errors, interfaces
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.schedule.density import Density
from ratekit.domain.series import RatedSeries, Series
from ratekit.domain.usage import resource_part
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.resource_part import ResourcePart
from ratekit.domain.usage.skipping import remove_skipped
from ratekit.pricing.price_list import PriceList
from ratekit.processing.spool import Merger, Spool
from ratekit.processing.storable import StorableUsage

#: Calls a function with each metric, several at a time; returns when all calls have ended.
ForEachMetric = Callable[[Callable[[Metric], None], Sequence[Metric]], object]

#: How much of the largest allowed response a batch should need.
_RESPONSE_SHARE = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class UsageRequest:
    """What to collect and price.

    :ivar records_until: see :meth:`ratekit.interfaces.Collector.collect`
    :ivar parts: number of parts into which the resources are divided, one request each
    :ivar weight: of the series that may be in memory together
    """

    window: Window
    scopes: Collection[str]
    metrics: Sequence[Metric]
    records_until: datetime.datetime | None
    parts: int
    weight: int


@dataclasses.dataclass(frozen=True, slots=True)
class PricedUsage:
    """The usage of scopes over a window, with prices.

    :ivar series: everything that was collected; may be iterated over more than once
    :ivar series_to_store: what metrics.yml does not skip of it; likewise
    :ivar rules_version: version of the rule book that priced it
    :ivar metrics: public names of all metrics that were collected, each once
    :ivar exclusions: what the collector left out
    :ivar seconds: how long collecting took
    :ivar density: of the usage that was collected, on average of the scopes
    :ivar share: how much the largest request took of what it should take at most
    """

    series: Iterable[RatedSeries]
    series_to_store: Iterable[RatedSeries]
    rules_version: int
    metrics: tuple[str, ...]
    exclusions: Sequence[Exclusion]
    seconds: float
    density: Density
    share: float


class UsagePricer:
    """Collects usage and prices it, as soon as each metric's has arrived."""

    def __init__(self, collector: interfaces.Collector, storable: StorableUsage) -> None:
        self._collector = collector
        self._storable = storable

    def price(
        self,
        request: UsageRequest,
        price_list: PriceList,
        for_each_metric: ForEachMetric,
        next_part: Callable[[], None],
    ) -> PricedUsage:
        """Collect and price; write nothing.

        :param next_part: is called before each part; what it raises ends the work
        :raises ratekit.errors.RatekitError: as collectors do
        """
        run = _Run(self._collector, self._storable, request, price_list)
        self._take_response_share()
        start = time.monotonic()
        for part in resource_part.divide(request.parts):
            next_part()
            for_each_metric(functools.partial(run.collect, part), request.metrics)
            run.add_exclusions()
        run.merge()
        seconds = time.monotonic() - start
        scopes = max(len(request.scopes), 1)
        points = run.series.points / request.window.count
        return PricedUsage(
            series=run.series,
            series_to_store=run.series_to_store,
            rules_version=price_list.book.version,
            metrics=tuple(sorted({metric.public_name for metric in request.metrics})),
            exclusions=list(run.exclusions),
            seconds=seconds,
            density=Density(run.series.series / scopes, points / scopes),
            share=self._take_response_share() / _RESPONSE_SHARE,
        )

    def _take_response_share(self) -> float:
        if not isinstance(self._collector, interfaces.ResponseSize):
            return 0.0
        return self._collector.take_response_share()


class _Run:
    """The usage of one request, as it arrives.

    :ivar exclusions: a set in order of their occurrence
    """

    def __init__(
        self,
        collector: interfaces.Collector,
        storable: StorableUsage,
        request: UsageRequest,
        price_list: PriceList,
    ) -> None:
        self._collector = collector
        self._storable = storable
        self._request = request
        self._price_list = price_list
        self._mergers: dict[Metric, Merger] = {}
        self._skipping = find_skipping_metrics(request.metrics)
        self.series: Spool[RatedSeries] = Spool(request.weight)
        self.series_to_store = Spool[RatedSeries](request.weight) if self._skipping else self.series
        self.exclusions: dict[Exclusion, None] = {}

    def collect(self, part: ResourcePart, metric: Metric) -> None:
        """Collect the usage of one metric and part; price it, or keep it for :meth:`merge`."""
        request = self._request
        arguments = metric, request.window, request.scopes, request.records_until
        if part.count == 1:
            self._price(self._collector.collect(*arguments))
            return
        if not isinstance(self._collector, interfaces.DivisibleUsage):
            raise errors.OperatorError("the collector cannot divide the usage of a scope")
        series = self._collector.collect_part(*arguments, part)
        if self._collector.labels_tell_resources(metric):
            self._price(series)
        else:
            self._mergers.setdefault(metric, Merger()).add(series)

    def merge(self) -> None:
        """Price what several parts may have in common."""
        for merger in self._mergers.values():
            self._price(merger.merge())

    def add_exclusions(self) -> None:
        """Record what the collector left out of the last part."""
        if isinstance(self._collector, interfaces.ExclusionReport):
            request = self._request
            for metric in request.metrics:
                exclusions = self._collector.exclusions(metric, request.window, request.scopes)
                self.exclusions |= dict.fromkeys(exclusions)

    def _price(self, series: Iterable[Series]) -> None:
        rated, exclusions = self._storable.price(series, self._price_list)
        self.exclusions |= dict.fromkeys(exclusions)
        self.series.add(rated)
        if self._skipping:
            self.series_to_store.add(_remove_skipped_usage(rated, self._skipping))


def find_skipping_metrics(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Return the metrics that do not store all rated usage, by public name."""
    return {
        metric.public_name: metric
        for metric in metrics
        if metric.skip_zero or metric.skip is not None
    }


def _remove_skipped_usage(
    series: Iterable[RatedSeries], skipping: Mapping[str, Metric]
) -> Iterator[RatedSeries]:
    """Yield the usage that metrics.yml does not skip.

    :param skipping: metrics that skip some of their usage, by public name
    """
    for rated in series:
        metric = skipping.get(rated.series.metric)
        stored = rated if metric is None else remove_skipped(rated, metric)
        if stored is not None:
            yield stored

"""Prices rated periods again; writes nothing."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import CoverageFacts
from ratekit.domain.reporting.reports import FrameRow, Selection
from ratekit.domain.reprocessing.missing_usage import (
    EXCLUDED,
    describe_usage,
    find_missing_usage,
)
from ratekit.domain.reprocessing.task import Order, RepricedWindow, TaskKind
from ratekit.domain.schedule.batch import BatchSize
from ratekit.domain.schedule.density import Density
from ratekit.domain.series import RatedSeries, Series, select_points
from ratekit.interfaces import Reports
from ratekit.pricing.stored_usage import build_series, group_stored_usage
from ratekit.processing import storable
from ratekit.processing.priced_usage import PricedUsage
from ratekit.processing.rater import Rater
from ratekit.processing.spool import Spool

#: Divides the number of periods that are priced at once after an order failed.
_SHRINK_FACTOR = 8
#: Periods of the first window, of one scope.
_FIRST = 96


class Repricer:
    """Prices the periods of orders, window by window, and adapts the size of the windows.

    :param reports: reports of the storage that the rater writes to
    :param clock: returns the current time, UTC; usage that is collected again follows the records
        that have been made by then
    :param next_part: is called before each part of the work; what it raises ends the work
    """

    def __init__(
        self,
        rater: Rater,
        reports: Reports,
        clock: Callable[[], datetime.datetime],
        next_part: Callable[[], None] = lambda: None,
    ) -> None:
        self._rater = rater
        self._clock = clock
        self._next_part = next_part
        self._reports = reports
        self._sizes: dict[TaskKind, BatchSize] = {}
        #: Sizes of orders that failed: they say nothing about other orders.
        self._sizes_after_failure: dict[Order, BatchSize] = {}
        #: Scopes whose last period was kept because its data has expired; the next may have, too.
        self._expired: set[str] = set()
        #: Number of periods of the last window.
        self._periods = 1

    def price(self, order: Order, begin: datetime.datetime) -> RepricedWindow:
        """Return the new frames of an order's next periods, and the periods that are kept.

        Periods in which the scope was not rated are kept. Periods whose data has expired are
        kept, too: the back end says so, or, unless the order accepts silence, charged usage is
        missing or has lost a label that its price depends on.

        :param begin: start of the next period: the order's start, or the end of the last window
        :raises ratekit.errors.TryLater: a back end did not answer
        :raises ratekit.errors.OperatorError: the back end cannot answer, and not because the
            data has expired
        """
        window = order.window(begin, self._limit(order))
        self._periods = window.count
        facts = self._reports.coverage(order.scope.id, window.begin, window.end)
        window, reason = _cut_at_first_change(window, facts)
        if reason is not None:
            return RepricedWindow(window, dict.fromkeys(window.begins(), reason))
        window = _limit_frames(window, facts, self._rater.settings.batch_frames)
        self._periods = window.count
        if order.kind is TaskKind.RATES:
            return self._price_stored_usage(order, window)
        return self._collect(order, window)

    def ask_less(self, order: Order, failure: errors.TryLater) -> bool:
        """Price fewer periods of an order next time, or its resources in more parts.

        :param failure: of :meth:`price`, which was called last for this order
        :returns: False: neither is possible
        """
        scope, collects = order.scope.id, order.kind is TaskKind.COLLECT
        if collects and scope in self._rater.large_scopes:
            return self._rater.ask_less_of_large(scope, self._periods, failure)
        limit = max(self._periods // _SHRINK_FACTOR, 1)
        self._sizes_after_failure[order] = dataclasses.replace(self._size(order), limit=limit)
        if self._periods > 1:
            return True
        return collects and self._rater.divide(scope, self._periods)

    def forget_except(self, orders: Collection[Order]) -> None:
        """Drop the sizes of all other orders."""
        self._sizes_after_failure = {
            order: size for order, size in self._sizes_after_failure.items() if order in orders
        }

    def _limit(self, order: Order) -> int:
        if order.scope.id in self._expired:
            return 1
        limit = self._size(order).max_periods()
        if order.kind is TaskKind.RATES:
            return limit
        return self._rater.large_scopes.get(order.scope.id, limit)

    def _size(self, order: Order) -> BatchSize:
        settings = self._rater.settings
        first = BatchSize(0, 0, min(_FIRST, settings.batch_frames))
        size = self._sizes_after_failure.get(order) or self._sizes.get(order.kind, first)
        return dataclasses.replace(
            size, seconds=settings.batch_seconds, weight=settings.batch_frames
        )

    def _adapt(
        self, order: Order, window: Window, seconds: float, density: Density, share: float
    ) -> None:
        if order.kind is TaskKind.COLLECT and order.scope.id in self._rater.large_scopes:
            return
        size = self._size(order).after(window.count, seconds, density, share)
        if order in self._sizes_after_failure:
            self._sizes_after_failure[order] = size
        else:
            self._sizes[order.kind] = size

    def _price_stored_usage(self, order: Order, window: Window) -> RepricedWindow:
        """Price stored usage, so that only prices change.

        Usage that the metric's ``skip`` would drop at the new price stays: the task charges
        exactly what ``hashmap plan`` computed from stored usage, and deletes no usage. A period
        with a price that live rating would exclude is kept.
        """
        price_list = self._rater.price_list()
        start = time.monotonic()
        rows = self._read_frames(order, window)
        series: Spool[RatedSeries] = Spool(self._rater.settings.batch_frames)
        reasons: dict[datetime.datetime, str] = {}
        for group in group_stored_usage(rows):
            usage = build_series(group)
            rated, begins = storable.price_storable(usage, price_list)
            series.add(rated)
            for begin in begins:
                reasons.setdefault(period.floor(begin, window.step), _unstorable_note(usage))
        density = Density(series.series, series.points / window.count)
        self._adapt(order, window, time.monotonic() - start, density, 0)
        remaining = self._remove_periods(series, reasons, window.step)
        return RepricedWindow(window, reasons, remaining, price_list.book.version)

    def _collect(self, order: Order, window: Window) -> RepricedWindow:
        self._periods = window.count
        try:
            priced = self._rater.price(window, [order.scope.id], self._clock(), self._next_part)
        except errors.Expired as error:
            if window.count == 1:
                self._expired.add(order.scope.id)
                return RepricedWindow(window, {window.begin: error.gone})
        else:
            self._expired.discard(order.scope.id)
            self._adapt(order, window, priced.seconds, priced.density, priced.share)
            return self._keep_incomplete(order, window, priced)
        return self._collect(order, dataclasses.replace(window, count=window.count // 2))

    def _keep_incomplete(self, order: Order, window: Window, priced: PricedUsage) -> RepricedWindow:
        """Return the new frames, but keep the periods in which charged usage is missing."""
        reasons: Mapping[datetime.datetime, str] = {}
        if not order.accept_silence:
            reasons = find_missing_usage(
                self._read_frames(order, window),
                priced.series,
                window.step,
                priced.metrics,
                priced.exclusions,
            )
        return RepricedWindow(
            window=window,
            kept_reasons=reasons,
            series=self._remove_periods(priced.series_to_store, reasons, window.step),
            rules_version=priced.rules_version,
            metrics=priced.metrics,
            exclusions=priced.exclusions,
        )

    def _remove_periods(
        self,
        series: Iterable[RatedSeries],
        begins: Collection[datetime.datetime],
        step: datetime.timedelta,
    ) -> Iterable[RatedSeries]:
        """Return the series without the points of some periods, which may be longer than theirs."""
        if not begins:
            return series
        remaining: Spool[RatedSeries] = Spool(self._rater.settings.batch_frames)
        for rated in series:
            decisions = [
                period.floor(begin, step) not in begins for begin, _ in rated.series.points
            ]
            selection = select_points(rated, decisions)
            if selection is not None:
                remaining.add([selection])
        return remaining

    def _read_frames(self, order: Order, window: Window) -> Iterator[FrameRow]:
        scopes = frozenset({order.scope.id})
        return self._reports.frames(Selection(window.begin, window.end, scopes=scopes))


def _unstorable_note(series: Series) -> str:
    return f"{EXCLUDED}: {describe_usage(series.metric, series.groupby)}: {storable.REASON}"


def _cut_at_first_change(window: Window, facts: CoverageFacts) -> tuple[Window, str | None]:
    """Return the first periods that are all priced, or all kept for the same reason."""
    reasons = [_reason_to_keep(begin, window.step, facts) for begin in window.begins()]
    count = len(list(itertools.takewhile(lambda reason: reason == reasons[0], reasons)))
    return dataclasses.replace(window, count=count), reasons[0]


def _limit_frames(window: Window, facts: CoverageFacts, limit: int) -> Window:
    """Return the first periods that have at most ``limit`` stored frames; at least one period."""
    frames: Counter[datetime.datetime] = Counter()
    for (begin, _), points in facts.points.items():
        frames[period.floor(begin, window.step)] += points
    sums = itertools.accumulate(frames[begin] for begin in window.begins())
    count = len(list(itertools.takewhile(lambda total: total <= limit, sums)))
    return dataclasses.replace(window, count=max(count, 1))


def _reason_to_keep(
    begin: datetime.datetime, step: datetime.timedelta, facts: CoverageFacts
) -> str | None:
    """Return why a period must not be priced; None: it may be."""
    if any(gap.contains(begin) for gap in facts.gaps):
        return "in a gap: the scope was not rated then"
    if facts.rated_since is not None and begin < facts.rated_since:
        return "before the scope's first period"
    if begin + step > facts.rated_until:
        return "the scope was reset, and this period has not been rated again yet"
    return None

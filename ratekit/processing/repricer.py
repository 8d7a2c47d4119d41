"""A stretch of the past, priced anew; nothing is written."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import CoverageFacts
from ratekit.domain.reporting.reports import FrameRow, Selection
from ratekit.domain.reprocessing.missing_usage import lost
from ratekit.domain.reprocessing.task import Order, RepricedWindow, TaskKind
from ratekit.domain.schedule.batch import FIRST, BatchSize
from ratekit.domain.series import RatedSeries
from ratekit.interfaces import Reports
from ratekit.pricing.stored_usage import price_stored_usage
from ratekit.processing.rater import PricedUsage, Rater

#: How many times less is priced at once of an order that failed.
_LESS = 8


class Repricer:
    """Prices periods anew, a window at a time, and learns how large that may be.

    :param reports: of the same storage as the rater's
    """

    def __init__(self, rater: Rater, reports: Reports) -> None:
        self._rater = rater
        self._reports = reports
        self._sizes: dict[TaskKind, BatchSize] = {}
        #: Of orders that failed: what they teach is about themselves, and so they learn alone.
        self._own: dict[Order, BatchSize] = {}
        #: Scopes whose last period was kept since its data is gone: that of the next may be.
        self._expired: set[str] = set()

    def price(self, order: Order, begin: datetime.datetime) -> RepricedWindow:
        """Return what the next periods of an order come to.

        Periods in which the scope was not to be rated are kept, and so are those whose data is
        gone: which the back end says, or which shows in usage that was charged for and is not
        there any more, or costs nothing without a label that it had, unless the order accepts
        silence.

        :param begin: of the first of them; the order's begin, or the end of the last window
        :raises ratekit.errors.TryLater: a back end did not answer
        :raises ratekit.errors.OperatorError: it cannot answer, for another reason than that
            the data is gone
        """
        window = order.window(begin, self._limit(order))
        facts = self._reports.coverage(order.scope.id, window.begin, window.end)
        window, why = _alike(window, facts)
        if why is not None:
            return RepricedWindow(window, dict.fromkeys(window.begins(), why))
        window = _bounded(window, facts, self._rater.settings.batch_frames)
        if order.kind is TaskKind.RATES:
            return self._by_rates(order, window)
        return self._collected(order, window)

    def ask_less(self, order: Order, begin: datetime.datetime) -> bool:
        """Price less of an order next time; False: it was one period already.

        :param begin: of the first period, at which pricing failed
        """
        size = self._size(order)
        tried = order.window(begin, self._limit(order)).count
        self._own[order] = dataclasses.replace(size, limit=max(tried // _LESS, 1))
        return tried > 1

    def remember(self, orders: Collection[Order]) -> None:
        """Forget what all others taught."""
        self._own = {order: size for order, size in self._own.items() if order in orders}

    def _limit(self, order: Order) -> int:
        return 1 if order.scope.id in self._expired else self._size(order).limit

    def _size(self, order: Order) -> BatchSize:
        settings = self._rater.settings
        first = BatchSize(0, 0, min(FIRST, settings.batch_frames))
        known = self._own.get(order) or self._sizes.get(order.kind, first)
        return dataclasses.replace(
            known, seconds=settings.batch_seconds, frames=settings.batch_frames
        )

    def _learn(self, order: Order, window: Window, seconds: float, points: int) -> None:
        size = self._size(order).after(window.count, seconds, points)
        if order in self._own:
            self._own[order] = size
        else:
            self._sizes[order.kind] = size

    def _by_rates(self, order: Order, window: Window) -> RepricedWindow:
        """Price what is stored: only prices change.

        What the metric's ``skip`` would leave out at the new price stays: the task charges
        to the digit what was foretold from stored usage, and no usage is forgotten.
        """
        price_list = self._rater.price_list()
        begun = time.monotonic()
        series = [one for _, one in price_stored_usage(self._stored(order, window), price_list)]
        points = sum(len(one.prices) for one in series)
        self._learn(order, window, time.monotonic() - begun, points)
        return RepricedWindow(window, {}, series, price_list.book.version)

    def _collected(self, order: Order, window: Window) -> RepricedWindow:
        expired: errors.Expired | None = None
        try:
            priced = self._rater.price(window, [order.scope.id])
        except errors.Expired as error:
            expired = error
        if expired is None:
            self._expired.discard(order.scope.id)
            points = sum(len(one.prices) for one in priced.rated)
            self._learn(order, window, priced.seconds, points)
            return self._swappable(order, window, priced)
        if window.count > 1:
            half = dataclasses.replace(window, count=window.count // 2)
            return self._collected(order, half)
        self._expired.add(order.scope.id)
        return RepricedWindow(window, {window.begin: expired.gone})

    def _swappable(self, order: Order, window: Window, priced: PricedUsage) -> RepricedWindow:
        kept: Mapping[datetime.datetime, str] = {}
        if not order.accept_silence:
            kept = lost(self._stored(order, window), priced.rated, window.step, priced.metrics)
        return RepricedWindow(
            window=window,
            kept=kept,
            series=_without(priced.kept, kept),
            rules_version=priced.version,
            metrics=priced.metrics,
            excluded=priced.excluded,
        )

    def _stored(self, order: Order, window: Window) -> Iterator[FrameRow]:
        return self._reports.frames(Selection(window.begin, window.end, (order.scope.id,)))


def _alike(window: Window, facts: CoverageFacts) -> tuple[Window, str | None]:
    """Return the first periods that are all to be priced, or all kept for the same reason."""
    reasons = [_left_alone(begin, window.step, facts) for begin in window.begins()]
    count = len(list(itertools.takewhile(lambda one: one == reasons[0], reasons)))
    return dataclasses.replace(window, count=count), reasons[0]


def _bounded(window: Window, facts: CoverageFacts, frames: int) -> Window:
    """Return the first periods that hold no more frames together; one at least."""
    stored: Counter[datetime.datetime] = Counter()
    for (begin, _), points in facts.points.items():
        stored[period.floor(begin, window.step)] += points
    sums = itertools.accumulate(stored[begin] for begin in window.begins())
    count = len(list(itertools.takewhile(lambda held: held <= frames, sums)))
    return dataclasses.replace(window, count=max(count, 1))


def _left_alone(
    begin: datetime.datetime, step: datetime.timedelta, facts: CoverageFacts
) -> str | None:
    """Return why a period is not to be priced, or None."""
    if any(gap.holds(begin) for gap in facts.gaps):
        return "in a gap: the scope was not rated then"
    if facts.rated_since is not None and begin < facts.rated_since:
        return "before the scope's first period"
    if begin + step > facts.rated_until:
        return "the scope was reset: it is being rated as any other"
    return None


def _without(
    rated: Iterable[RatedSeries], kept: Mapping[datetime.datetime, str]
) -> list[RatedSeries]:
    """Return series without the points of periods that are kept."""
    if not kept:
        return list(rated)
    found = []
    for one in rated:
        pairs = zip(one.series.points, one.prices, strict=True)
        left = [(point, price) for point, price in pairs if point[0] not in kept]
        if left:
            series = dataclasses.replace(one.series, points=[point for point, _ in left])
            found.append(RatedSeries(series, [price for _, price in left]))
    return found

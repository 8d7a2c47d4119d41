"""Frames as charges: rows with a value for each column."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.reports import FrameRow
from ratekit.export.focus.periods import Periods, Span
from ratekit.export.focus.skus import Memory, Sku, SkuFinder
from ratekit.export.focus.usage_columns import INDEX, UNIT_PRICES, Cells, Row, UsageColumns

#: Series whose texts are kept between two charge periods; of a larger cloud they are written anew.
_MAX_SERIES = 20_000
#: Prices for which a series has its texts.
_MAX_ROWS = 8

_COSTS = [INDEX[f"{kind}Cost"] for kind in ("Billed", "Contracted", "Effective", "List")]
_CHARGE = INDEX["ChargePeriodStart"], INDEX["ChargePeriodEnd"]
_BILLING = INDEX["BillingPeriodStart"], INDEX["BillingPeriodEnd"]
_CONSUMED, _PRICED = INDEX["ConsumedQuantity"], INDEX["PricingQuantity"]
_COUNT = INDEX["x_FrameCount"]


@dataclasses.dataclass(slots=True)
class Sum:
    """Frames that were added up.

    :ivar quantity: exact
    :ivar price: exact
    """

    frames: int = 0
    quantity: Decimal = ZERO
    price: Decimal = ZERO

    def add(self, frames: int, quantity: Decimal, price: Decimal) -> None:
        """Add what others add up to."""
        self.frames += frames
        self.quantity = EXACT.add(self.quantity, quantity)
        self.price = EXACT.add(self.price, price)


@dataclasses.dataclass(slots=True, eq=False)
class _Series:
    """Usage with the same labels.

    :ivar sample: a frame of it
    :ivar row: what all of its charges have
    :ivar skus: that were found
    :ivar rows: what all of its charges with an SKU have, by the SKU's identity, with the SKU
    """

    sample: FrameRow
    row: Row
    skus: Memory = dataclasses.field(default_factory=dict)
    rows: dict[int, tuple[Sku, Row]] = dataclasses.field(default_factory=dict)


class Charges:
    """Writes the charges of frames.

    Where several rated periods are one charge, memory holds the charges of one hour, day or month;
    otherwise one frame at a time.

    :param build_skus: called when the first frame was read: rules are then at least as new
    :ivar total: of the frames so far; its quantity has no meaning
    :ivar count: number of rows so far
    """

    def __init__(
        self,
        columns: UsageColumns,
        cells: Cells,
        periods: Periods,
        build_skus: Callable[[], SkuFinder],
    ) -> None:
        self.total = Sum()
        self.count = 0
        self._columns = columns
        self._cells = cells
        self._periods = periods
        self._build_skus = build_skus
        self._series: dict[tuple[object, ...], _Series] = {}
        self._pending: dict[tuple[_Series, int], tuple[Sku, Sum]] = {}

    def rows(self, frames: Iterable[FrameRow]) -> Iterator[Row]:
        """Yield a row for each charge, in the order of the columns.

        :param frames: by begin
        :raises ratekit.errors.TryLater: the storage did not answer
        """
        skus: SkuFinder | None = None
        last: FrameRow | None = None
        span: Span | None = None
        for frame in frames:
            skus = skus or self._build_skus()
            if span is not None and last is not None and self._is_later(frame, last, span):
                yield from self._flush(span, last.begin)
                span = None
            if span is None:
                span = self._periods.charge(frame.begin)
            last = frame
            series = self._find_series(frame)
            sku = skus.find(frame, series.skus)
            if self._periods.whole:
                yield self._write(series, sku, Sum(1, frame.quantity, frame.price), span)
            else:
                _, total = self._pending.setdefault((series, id(sku)), (sku, Sum()))
                total.add(1, frame.quantity, frame.price)
        if last is not None and span is not None:
            yield from self._flush(span, last.begin)

    def _is_later(self, frame: FrameRow, last: FrameRow, span: Span) -> bool:
        """Return whether a frame belongs to the charge period after that of the last frame."""
        return frame.begin >= span.end or (self._periods.whole and frame.begin != last.begin)

    def _flush(self, span: Span, last: datetime.datetime) -> Iterator[Row]:
        """Yield the charges of a charge period.

        :param last: start of the last rated period in it
        """
        whole_span = self._periods.until(span, last)
        for (series, _), (sku, total) in self._pending.items():
            yield self._write(series, sku, total, whole_span)
        self._pending.clear()
        if len(self._series) > _MAX_SERIES:
            self._series.clear()

    def _write(self, series: _Series, sku: Sku, total: Sum, span: Span) -> Row:
        number, time = self._cells.number, self._cells.time
        row = self._template(series, sku).copy()
        price = number(total.price)
        for index in _COSTS:
            row[index] = price
        for (begin, end), (first, until) in (
            (_CHARGE, span),
            (_BILLING, self._periods.billing(span.begin)),
        ):
            row[begin], row[end] = time(first), time(until)
        row[_CONSUMED] = row[_PRICED] = number(total.quantity)
        row[_COUNT] = total.frames
        if sku.unit_price is None:
            # One charge of this price; below zero it is taken back.
            row[_PRICED] = number(Decimal(-1 if total.price < 0 else 1))
            for index in UNIT_PRICES:
                row[index] = number(total.price.copy_abs())
        elif sku.unit_price < 0:
            row[_PRICED] = number(EXACT.minus(total.quantity))
        self.count += 1
        self.total.add(total.frames, ZERO, total.price)
        return row

    def _template(self, series: _Series, sku: Sku) -> Row:
        entry = series.rows.get(id(sku))
        if entry is None:
            if len(series.rows) >= _MAX_ROWS:
                series.rows.clear()
            entry = sku, self._columns.price(series.row, series.sample, sku)
            series.rows[id(sku)] = entry
        return entry[1]

    def _find_series(self, frame: FrameRow) -> _Series:
        key = (
            frame.scope,
            frame.metric,
            frame.unit,
            tuple(frame.groupby.items()),
            tuple(frame.metadata.items()),
        )
        series = self._series.get(key)
        if series is None:
            if self._periods.whole and len(self._series) >= _MAX_SERIES:
                self._series.clear()
            series = self._series[key] = _Series(frame, self._columns.describe(frame))
        return series

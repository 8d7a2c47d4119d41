"""The arithmetic of one metric over one window, and how it reduces values."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from ratekit.domain import exact
from ratekit.domain.usage.counter import Counter, Grid
from ratekit.domain.usage.reducers import Reducer
from ratekit.domain.usage.remarks import Remark, RemarkKind
from ratekit.domain.usage.revision import Instant

_NOTHING = Fraction(0)
_Number = TypeVar("_Number", Decimal, Fraction, Decimal | Fraction)


class Negative(enum.Enum):
    """What becomes of values below zero."""

    KEEP = "keep"
    #: Zero in their place; the reduced value of a period is judged.
    ZERO = "zero"
    #: The same, but each bucket is judged, because growth cannot be negative.
    ZERO_BUCKETS = "zero_buckets"


@dataclasses.dataclass(frozen=True, slots=True)
class Reduction:
    """The arithmetic of one metric over one window.

    :ivar period_of: start of each bucket inside the window -> start of its period
    :ivar step: length of a period
    :ivar granularity: length of a bucket; divides ``step``
    :ivar patience: a period becomes due so long after its end; records that were made by then
        count for it
    :ivar reducer: how a pool's buckets become one value
    :ivar convert: (total, parts) -> exact quantity as a ratio; the value is total / parts
    :ivar quantity: (total, parts) -> the same quantity, rounded to 18 places
    :ivar split: False pools all revisions of a scope under the labels of the last one with a
        bucket
    :ivar counter: for a counter, whose differences are reduced
    :ivar prorate: a period costs the share of its quantity for which the resource existed;
        the reducer is not additive
    :ivar negative: what becomes of values below zero
    :ivar records_until: records count that were made before this instant, however late it is;
        None: those that were made before the period became due
    """

    period_of: Mapping[Instant, Instant]
    step: datetime.timedelta
    granularity: datetime.timedelta
    patience: datetime.timedelta
    reducer: Reducer
    convert: Callable[[Decimal | Fraction, int], tuple[int, int]]
    quantity: Callable[[Decimal | Fraction, int], Decimal]
    split: bool = True
    counter: Counter | None = None
    prorate: bool = False
    negative: Negative = Negative.KEEP
    records_until: Instant | None = None

    def horizon(self, period: Instant) -> Instant:
        """Return the instant before which records count for a period."""
        return self.records_until or period + self.step + self.patience

    def grid(self) -> Grid:
        """Return the periods, for counters."""
        origin = next(iter(self.period_of.values()))
        return Grid(self.step, self.granularity, self.patience, self.horizon, origin)


def reduce_values(
    period: Instant, values: Sequence[Decimal], reduction: Reduction, remarks: list[Remark]
) -> tuple[Decimal | Fraction, int]:
    """Return a period's values reduced to (total, parts); the value is total / parts.

    :param values: of whole buckets, in order of time
    """
    reducer = reduction.reducer
    # A counter that never restarts shows no value below zero.
    if reducer.convert is None and (
        reduction.negative is not Negative.ZERO_BUCKETS or min(values) >= 0
    ):
        total, parts = reducer.reduce(values)
    else:
        begins = [period] * len(values)
        total, parts = reducer.reduce(bucket_values(begins, values, reduction, remarks))
    return judge(period, total, reduction, remarks), parts


def bucket_values(
    begins: Sequence[Instant],
    values: Sequence[Decimal],
    reduction: Reduction,
    remarks: list[Remark],
) -> Sequence[Decimal | Fraction]:
    """Return what whole buckets count for.

    :param begins: starts of the buckets
    """
    convert = reduction.reducer.convert
    results: list[Decimal | Fraction] = [*values] if convert is None else [*map(convert, values)]
    if reduction.negative is Negative.ZERO_BUCKETS:
        for index, result in enumerate(results):
            if result < 0:
                remarks.append(Remark(RemarkKind.NEGATIVE, begins[index], result))
                results[index] = _NOTHING if convert else exact.ZERO
    return results


def judge(period: Instant, total: _Number, reduction: Reduction, remarks: list[Remark]) -> _Number:
    """Return the reduced value, or zero in place of one below zero."""
    if total < 0 and reduction.negative is Negative.ZERO:
        remarks.append(Remark(RemarkKind.NEGATIVE, period, total))
        return total * 0
    return total

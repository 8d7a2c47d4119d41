"""Quantities of resources that did not change; the formulas are those of all others."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from ratekit.domain import exact
from ratekit.domain.usage.counter import Counter, growths, is_within_gap
from ratekit.domain.usage.reduction import Reduction, reduce_values
from ratekit.domain.usage.remarks import Remark
from ratekit.domain.usage.revision import Instant

#: (start of a period, index of its first bucket, index after its last one)
Cut = tuple[Instant, int, int]


class BucketRow(NamedTuple):
    """How the values of a row of buckets are read; many resources share one row.

    :ivar first: index of the first value that is read; a counter's is that of the bucket with
        which the first one that counts is compared
    :ivar stop: index after the last value that is read
    :ivar cuts: into these values, or into a counter's growths
    """

    first: int
    stop: int
    cuts: Sequence[Cut]


def read_row(begins: Sequence[Instant], reduction: Reduction) -> BucketRow | None:
    """Return how a row of buckets is read; None: it takes more than the row to say.

    That is where a counter's bucket cannot be compared with the one before it.

    :param begins: starts of the buckets, in order of time
    """
    cuts = cut_periods(begins, reduction.period_of)
    if not cuts:
        return BucketRow(0, 0, ())
    first, stop = cuts[0][1], cuts[-1][2]
    if reduction.counter is not None:
        first -= 1
        if first < 0 or not _is_steady(begins[first:stop], reduction.counter):
            return None
    offset = cuts[0][1]
    return BucketRow(first, stop, [(period, at - offset, end - offset) for period, at, end in cuts])


def cut_periods(begins: Sequence[Instant], period_of: Mapping[Instant, Instant]) -> list[Cut]:
    """Return where periods begin and end in a row of buckets; a period without any is absent.

    :param begins: starts of the buckets, in order of time
    :param period_of: start of each bucket that counts -> start of its period
    """
    cuts: list[Cut] = []
    for index, begin in enumerate(begins):
        period = period_of.get(begin)
        if period is None:
            continue
        if cuts and cuts[-1][0] == period:
            cuts[-1] = period, cuts[-1][1], index + 1
        else:
            cuts.append((period, index, index + 1))
    return cuts


def plain_points(
    row: BucketRow, values: Sequence[Decimal], reduction: Reduction
) -> list[tuple[Instant, Decimal]] | None:
    """Return the quantity of each period; None: an operator must hear of something.

    That is a remark, or a quantity that cannot be stored.

    :param values: of whole buckets, in order of time
    :raises ArithmeticError: a value is too large for the arithmetic
    """
    points = []
    remarks: list[Remark] = []
    previous: Sequence[Decimal] | None = None
    quantity = exact.ZERO
    row_values: Sequence[Decimal] = values[row.first : row.stop]
    if reduction.counter is not None and row.cuts:
        row_values = growths(row_values, reduction.counter)
    for period, first, stop in row.cuts:
        period_values = row_values[first:stop]
        # Many gauges keep their value for hours: half of the time of such a point.
        if period_values != previous:
            previous = period_values
            total, parts = reduce_values(period, period_values, reduction, remarks)
            quantity = reduction.quantity(total, parts)
            if remarks or not exact.is_storable(quantity):
                return None
        points.append((period, quantity))
    return points


def _is_steady(begins: Sequence[Instant], counter: Counter) -> bool:
    """Return whether each bucket but the first can be compared with the one before it."""
    return all(
        is_within_gap(previous, begin, counter) for previous, begin in itertools.pairwise(begins)
    )

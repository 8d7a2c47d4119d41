"""Quantities of resources that did not change; the formulas are those of all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.domain import exact
from ratekit.domain.usage.reduction import Reduction, reduce_values
from ratekit.domain.usage.remarks import Remark
from ratekit.domain.usage.revision import Instant

#: (start of a period, index of its first bucket, index after its last one)
Cut = tuple[Instant, int, int]


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
    cuts: Sequence[Cut], values: Sequence[Decimal], reduction: Reduction
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
    for period, first, stop in cuts:
        period_values = values[first:stop]
        # Many gauges keep their value for hours: half of the time of such a point.
        if period_values != previous:
            previous = period_values
            total, parts = reduce_values(period, period_values, reduction, remarks)
            quantity = reduction.quantity(total, parts)
            if remarks or not exact.is_storable(quantity):
                return None
        points.append((period, quantity))
    return points

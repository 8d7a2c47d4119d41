"""Sums of a bill: exact, then rounded once, and how far apart rounded rows and totals are."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT, ZERO, round_places


def add_up(values: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    return functools.reduce(EXACT.add, values, ZERO)


def rounding_gap(sums: Iterable[Sequence[Decimal]], places: int) -> Decimal:
    """Return the largest difference between a rounded sum and the sum of its rounded summands.

    :param sums: the exact summands of each sum that is printed beside them
    """
    return max((_gap(summands, places) for summands in sums), default=ZERO)


def _gap(summands: Sequence[Decimal], places: int) -> Decimal:
    total = round_places(add_up(summands), places)
    parts = add_up(round_places(summand, places) for summand in summands)
    return EXACT.subtract(total, parts).copy_abs()

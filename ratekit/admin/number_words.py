"""Exact numbers of calculations in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.domain import exact
from ratekit.text import count_text, number_text


def decimal_text(value: Decimal) -> str:
    """Write a number exactly, without exponent."""
    return number_text(value or exact.ZERO)


def ratio_text(value: Fraction) -> str:
    """Write a number exactly: as a decimal if its digits end, else as a fraction."""
    ended = exact.terminating_decimal(value)
    return str(value) if ended is None else decimal_text(ended)


def value_text(values: Sequence[Decimal], limit: int) -> str:
    """Write values one by one, or their number if there are more than ``limit``."""
    if len(values) > limit:
        return count_text(len(values), "value")
    return ", ".join(map(decimal_text, values))

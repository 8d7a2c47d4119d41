"""Decimal arithmetic that never rounds unless it is told to."""

from __future__ import annotations

import decimal
import re
from decimal import Decimal
from fractions import Fraction

#: Context in which every operation is exact. A result that would need rounding raises
#: decimal.Inexact instead of losing money; 2,000 digits hold the product of 40 costs of
#: 40 digits each with a quantity.
EXACT = decimal.Context(
    prec=2000,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-999999,
    Emax=999999,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)

_ROUNDING = decimal.Context(
    prec=4000,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-999999,
    Emax=999999,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)

ZERO = Decimal(0)
#: Text that is a number, for costs, levels and labels alike: what Decimal() takes, less what
#: nobody means as a number: spaces around it, underscores, digits of other scripts, Infinity,
#: NaN, and exponents that need megabytes to write out.
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?\Z")
#: Places after the point that a stored quantity has.
QUANTITY_PLACES = 18
#: Places after the point that a stored price has.
PRICE_PLACES = 28

_PRICE_UNIT = Decimal(1).scaleb(-PRICE_PLACES)


def round_price(price: Decimal) -> Decimal:
    """Round half-even to 28 places (design, third rounding point)."""
    return price.quantize(_PRICE_UNIT, context=_ROUNDING)


def ended(ratio: Fraction) -> Decimal | None:
    """Return a fraction as the decimal it is; None: its digits have no end."""
    rest = ratio.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return EXACT.divide(ratio.numerator, ratio.denominator) if rest == 1 else None


def round_ratio(numerator: int, denominator: int, places: int) -> Decimal:
    """Round ``numerator / denominator`` half-even to ``places`` digits after the point.

    One rounding only, however long the exact quotient is. ``denominator`` is positive.
    """
    scaled, rest = divmod(numerator * 10**places, denominator)
    if rest:
        twice = 2 * rest
        if twice > denominator or (twice == denominator and scaled & 1):
            scaled += 1
    # A Decimal's exponent says where the point is, so nothing is computed here.
    return Decimal(scaled).scaleb(-places, context=EXACT)

"""Decimal arithmetic that rounds only where a function says so."""

from __future__ import annotations

import decimal
import re
from collections.abc import Sequence
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

#: As many digits as EXACT.
_FIXED_POINT = EXACT.copy()
_FIXED_POINT.traps[decimal.Inexact] = False

ZERO = Decimal(0)
#: Text that counts as a number, for costs, levels and labels. Decimal() accepts more: surrounding
#: spaces, underscores, digits of other scripts, Infinity, NaN, and exponents that take megabytes
#: to write out.
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?\Z")
#: Decimal places of a stored quantity.
QUANTITY_PLACES = 18
#: Decimal places of a stored share, which is at most 1.
SHARE_PLACES = 18
#: Decimal places of a stored price.
PRICE_PLACES = 28

#: Quantities and prices must be smaller, so that they and their sums can be stored.
LIMIT = Decimal("1e30")

_QUANTITY_UNIT = Decimal(1).scaleb(-QUANTITY_PLACES)
_QUANTITY_ZERO = Decimal(0).scaleb(-QUANTITY_PLACES)
_PRICE_UNIT = Decimal(1).scaleb(-PRICE_PLACES)


def is_storable(number: Decimal) -> bool:
    """Return whether a quantity or a price is small enough to be stored and summed up."""
    return -LIMIT < number < LIMIT


def round_price(price: Decimal) -> Decimal:
    """Round half-even to 28 places (third rounding point of doc/arithmetic.rst)."""
    return price.quantize(_PRICE_UNIT, context=_ROUNDING)


def round_places(value: Decimal, places: int) -> Decimal:
    """Round half-even to so many decimal places, for people."""
    return value.quantize(Decimal(1).scaleb(-places), context=_ROUNDING)


def terminating_decimal(ratio: Fraction) -> Decimal | None:
    """Return a fraction as an exact decimal; None if its decimal expansion does not terminate."""
    cofactor = ratio.denominator
    for prime in (2, 5):
        while cofactor % prime == 0:
            cofactor //= prime
    return EXACT.divide(ratio.numerator, ratio.denominator) if cofactor == 1 else None


def round_ratio(numerator: int, denominator: int, places: int) -> Decimal:
    """Round ``numerator / denominator`` half-even to ``places`` decimal places.

    Rounds once, however long the exact quotient is. ``denominator`` must be positive.
    """
    scaled, remainder = divmod(numerator * 10**places, denominator)
    if remainder:
        twice = 2 * remainder
        if twice > denominator or (twice == denominator and scaled & 1):
            scaled += 1
    # scaleb() only sets the exponent, so it cannot round.
    return Decimal(scaled).scaleb(-places, context=EXACT)


def round_line(total: Decimal, factor: Decimal, offset: Decimal, parts: int) -> Decimal:
    """Round ``total / parts * factor + offset`` half-even to 18 places.

    The same as :func:`round_ratio`, in 0.2 µs instead of 1.0 where ``parts`` is 1.

    :raises ArithmeticError: more than 2,000 digits
    """
    if parts == 1:
        quantity = EXACT.fma(total, factor, offset).quantize(_QUANTITY_UNIT, None, _FIXED_POINT)
        # Without the sign that a negative value leaves when it is rounded to zero.
        return quantity or _QUANTITY_ZERO
    # In units of the last place, a whole number and a remainder.
    dividend = EXACT.fma(total, factor, EXACT.multiply(offset, parts))
    units, remainder = EXACT.divmod(EXACT.scaleb(dividend, QUANTITY_PLACES), parts)
    scaled, twice = int(units), abs(EXACT.add(remainder, remainder))
    if twice > parts or (twice == parts and scaled & 1):
        scaled += 1 if dividend > 0 else -1
    return Decimal(scaled).scaleb(-QUANTITY_PLACES, context=EXACT)


def round_parts(parts: Sequence[Fraction], places: int) -> list[Decimal]:
    """Round the parts of a whole so that they add up to the rounded whole.

    The sum is rounded half-even, once. Each part is rounded down, and what is missing goes, a
    unit each, to the parts with the largest remainders; of equal ones to the first.
    """
    scale = 10**places
    floors, remainders = [], []
    for part in parts:
        floor, remainder = divmod(part.numerator * scale, part.denominator)
        floors.append(floor)
        remainders.append(Fraction(remainder, part.denominator))
    # round() of a fraction rounds half-even.
    units = round(sum(remainders, Fraction(0)) + sum(floors)) - sum(floors)
    ranking = sorted(range(len(parts)), key=lambda index: -remainders[index])
    for index in ranking[:units]:
        floors[index] += 1
    return [Decimal(floor).scaleb(-places, context=EXACT) for floor in floors]

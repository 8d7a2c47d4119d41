"""How large a number from outside may be: exact arithmetic with a larger one takes minutes."""

from __future__ import annotations

import decimal
from decimal import Decimal

MAX_DIGITS = 1000
MAX_EXPONENT = 9999
#: What a number must be, for messages.
EXPECTED = f"at most {MAX_DIGITS:,} digits and an exponent of at most {MAX_EXPONENT:,}"
#: Its ``create_decimal`` reads a number exactly, or raises an ArithmeticError.
CONTEXT = decimal.Context(
    prec=MAX_DIGITS,
    Emin=-MAX_EXPONENT,
    Emax=MAX_EXPONENT,
    clamp=0,
    traps=[decimal.InvalidOperation, decimal.Inexact, decimal.Overflow, decimal.Subnormal],
)


def read(value: str | int | Decimal) -> Decimal:
    """Return a number exactly.

    :raises ValueError: it is not a number, or too large; the message is for an operator
    """
    try:
        number = CONTEXT.create_decimal(value)
    except decimal.InvalidOperation:
        raise ValueError(f"{value!r:.60} is not a number") from None
    except ArithmeticError:
        raise ValueError(f"{value!r:.60} is too large a number: expected {EXPECTED}") from None
    if not number.is_finite():
        raise ValueError(f"{value!r:.60} is not a number")
    return number

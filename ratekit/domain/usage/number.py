"""Numbers in operators' files, read exactly."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

# No leading zeros: YAML 1.1 would read 010 as eight. Arithmetic with more digits would take long.
_NUMBER = r"((?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,100})?(?:[eE][-+]?[0-9]{1,3})?)"
_FRACTION = re.compile(rf"\s*([-+]?){_NUMBER}\s*(?:/\s*{_NUMBER}\s*)?\Z")


def read(value: object) -> Fraction:
    """Read a number or a fraction such as 1/1048576.

    :raises ValueError: it is not valid; the message is for the author of the file
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        if isinstance(value, Decimal) and not value.is_finite():
            raise ValueError(f"expected a number, not {value}")
        return Fraction(value)
    match = _FRACTION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a number or a fraction such as 1/1024, not {value!r}")
    divisor = Fraction(match[3] or 1)
    if not divisor:
        raise ValueError(f"divides by zero: {value!r}")
    return Fraction(match[1] + match[2]) / divisor

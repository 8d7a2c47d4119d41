"""Reading what operators write: times, labels, quantities."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.domain import exact
from ratekit.domain.due import parse_instant

_DAY = datetime.timedelta(days=1)
#: Digits before the point that a stored quantity has.
_WHOLE = 47


def instant(option: str, text: str) -> datetime.datetime:
    """Read an ISO 8601 date or time, in UTC unless it says another zone.

    :raises ratekit.errors.OperatorError: it is none, or the last day there is
    """
    try:
        found = parse_instant(text)
        # What is asked about it is asked about its day.
        _ = found + _DAY
    except ValueError:
        raise errors.OperatorError(
            f"{option}: expected a date or time such as 2026-01-31T12:00, not {text!r}"
        ) from None
    except OverflowError:
        # Only the first and the last day there are can be on the other side of an edge.
        way = "back" if text.startswith("0") else "ahead"
        raise errors.OperatorError(f"{option}: {text!r} is too far {way}") from None
    return found


def labels(texts: Sequence[str]) -> Mapping[str, str]:
    """Read labels such as ``flavor_name=m1.small``.

    :raises ratekit.errors.OperatorError: one is none, or is there twice
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise errors.OperatorError(
                f"--label: expected NAME=VALUE such as flavor_name=m1.small, not {text!r}"
            )
        if name in found:
            raise errors.OperatorError(f"--label: {name!r} is given twice")
        found[name] = value
    return found


def quantity(option: str, text: str) -> Decimal:
    """Read a quantity as exactly as it would be stored.

    :raises ratekit.errors.OperatorError: it is none
    """
    if exact.NUMBER.match(text):
        found = Decimal(text).normalize(exact.EXACT)
        _, digits, exponent = found.as_tuple()
        assert isinstance(exponent, int), "a number is finite"
        if -exponent <= exact.QUANTITY_PLACES and len(digits) + exponent <= _WHOLE:
            return found
    raise errors.OperatorError(
        f"{option}: expected a decimal number with at most {_WHOLE} digits before the point and "
        f"{exact.QUANTITY_PLACES} after it, not {text!r}"
    )

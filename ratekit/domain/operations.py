"""Gnocchi's operations on numbers that have an exact result for every value.

Names and meanings are those of ``gnocchi.rest.aggregates.operations``. Left out are sines and the
like, which have no exact result, and what looks at more than one bucket.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    :ivar apply: takes and returns fractions
    :ivar counts: how many values it takes
    :ivar is_division: its second value must be a number other than 0
    :ivar is_power: its second value must be a small whole number
    """

    apply: Callable[..., Fraction]
    counts: tuple[int, ...] = (2,)
    is_division: bool = False
    is_power: bool = False


def _clip(value: Fraction, least: Fraction, most: Fraction | None = None) -> Fraction:
    # As in numpy: where the bounds cross, the upper one wins.
    clipped = max(value, least)
    return clipped if most is None else min(clipped, most)


def _fraction(function: Callable[..., int | bool]) -> Callable[..., Fraction]:
    return lambda *values: Fraction(function(*values))


_ONE = (1,)
_BY_NAMES: Mapping[tuple[str, ...], Operation] = {
    ("+", "add"): Operation(operator.add),
    ("-", "sub"): Operation(operator.sub),
    ("*", "\u00d7", "mul"): Operation(operator.mul),
    ("/", "\u00f7", "div"): Operation(operator.truediv, is_division=True),
    ("%", "mod"): Operation(operator.mod, is_division=True),
    ("**", "^", "pow"): Operation(operator.pow, is_power=True),
    ("=", "==", "eq"): Operation(_fraction(operator.eq)),
    ("!=", "\u2260", "ne"): Operation(_fraction(operator.ne)),
    ("<", "lt"): Operation(_fraction(operator.lt)),
    ("<=", "\u2264", "le"): Operation(_fraction(operator.le)),
    (">", "gt"): Operation(_fraction(operator.gt)),
    (">=", "\u2265", "ge"): Operation(_fraction(operator.ge)),
    ("max", "clip_min"): Operation(max),
    ("clip_max",): Operation(min),
    ("clip",): Operation(_clip, (2, 3)),
    ("abs", "absolute"): Operation(abs, _ONE),
    ("neg", "negative"): Operation(operator.neg, _ONE),
    ("floor",): Operation(_fraction(math.floor), _ONE),
    ("ceil",): Operation(_fraction(math.ceil), _ONE),
}
OPERATIONS: Mapping[str, Operation] = {
    name: operation for names, operation in _BY_NAMES.items() for name in names
}

"""Mutations: the last step of a quantity's conversion."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from fractions import Fraction

from ratekit.domain.usage import number

#: Takes and returns a ratio of two integers, the second one positive.
Mutation = Callable[[int, int], tuple[int, int]]


class Mutate(enum.Enum):
    """Which mutation; the names are CloudKitty's."""

    NONE = "NONE"
    NUMBOOL = "NUMBOOL"
    NOTNUMBOOL = "NOTNUMBOOL"
    FLOOR = "FLOOR"
    CEIL = "CEIL"
    MAP = "MAP"


MUTATIONS: Mapping[Mutate, Mutation] = {
    Mutate.NONE: lambda numerator, denominator: (numerator, denominator),
    Mutate.NUMBOOL: lambda numerator, _denominator: (int(numerator != 0), 1),
    Mutate.NOTNUMBOOL: lambda numerator, _denominator: (int(numerator == 0), 1),
    Mutate.FLOOR: lambda numerator, denominator: (numerator // denominator, 1),
    Mutate.CEIL: lambda numerator, denominator: (-(-numerator // denominator), 1),
}


def read_map(value: Mapping[object, object]) -> dict[Fraction, Fraction]:
    """Read a ``mutate_map``: numbers or fractions, compared by value.

    :raises ValueError: it is not valid; the message is for the author of the file
    """
    if not isinstance(value, Mapping) or not value:
        raise ValueError("expected at least one pair such as 4: 1")
    results: dict[Fraction, Fraction] = {}
    for key, result in value.items():
        exact = number.read(key)
        if exact in results:
            raise ValueError(f"{key} occurs twice")
        results[exact] = number.read(result)
    return results

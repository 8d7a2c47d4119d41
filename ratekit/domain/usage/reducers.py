"""How the buckets of a period become one value."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from ratekit.domain.exact import EXACT

Number = TypeVar("Number", Decimal, Fraction)
#: (total, parts); the value is ``total / parts``
Ratio = tuple[Number, int]

#: Stands before the method of a re-aggregation whose values are differences of a counter.
RATE = "rate:"
#: What makes one value of a period's differences. A count of differences says nothing.
RATES = ("first", "last", "max", "mean", "median", "min", "sum")


@dataclasses.dataclass(frozen=True, slots=True)
class Reducer:
    """Turns values, in order of time, into one.

    :ivar reduce: returns (total, parts); the value is ``total / parts``, not divided yet
        so that nothing is rounded
    :ivar additive: values are parts of a whole (sum, count): a back end's shares of them
        are added, where those of other values must be undone
    :ivar exactly: what a whole of which there are parts counts for
    """

    reduce: Callable[[Sequence[Decimal]], tuple[Decimal | Fraction, int]]
    additive: bool = False
    exactly: Callable[[Decimal], Fraction] = Fraction


def _table(
    total: Callable[[Sequence[Number]], Number],
) -> Mapping[str, Callable[[Sequence[Number]], Ratio[Number]]]:
    """By the names that metrics.yml gives them; Gnocchi's."""

    def median(values: Sequence[Number]) -> Ratio[Number]:
        ordered = sorted(values)
        middle = len(ordered) // 2
        if len(ordered) % 2:
            return ordered[middle], 1
        return total(ordered[middle - 1 : middle + 1]), 2

    return {
        "mean": lambda values: (total(values), len(values)),
        "median": median,
        "max": lambda values: (max(values), 1),
        "min": lambda values: (min(values), 1),
        "first": lambda values: (values[0], 1),
        "last": lambda values: (values[-1], 1),
        "sum": lambda values: (total(values), 1),
        "count": lambda values: (total(values), 1),
    }


def _decimals(values: Sequence[Decimal]) -> Decimal:
    return values[0] if len(values) == 1 else functools.reduce(EXACT.add, values)


def _fractions(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0))


_ADDITIVE = {"sum", "count"}
_OF_FRACTIONS = _table(_fractions)
REDUCERS: Mapping[str, Reducer] = {
    name: Reducer(reduce, name in _ADDITIVE) for name, reduce in _table(_decimals).items()
}


def converting(name: str, convert: Callable[[Decimal], Fraction]) -> Reducer:
    """Return the reducer of that name, which converts each value first."""
    reduce = _OF_FRACTIONS[name]
    return Reducer(
        lambda values: reduce([convert(value) for value in values]), name in _ADDITIVE, convert
    )


def fitting(aggregation_method: str) -> str:
    """Return the reducer's name that fits what a bucket holds.

    What has no reducer of its own is averaged: deviations and percentiles of parts do not
    make one of the whole. What Gnocchi stores as ``rate:mean`` is the mean of a bucket's
    differences, so their mean is that of the period; and so with the others: a metric costs
    the same at each granularity.
    """
    method = aggregation_method.removeprefix(RATE)
    return method if method in REDUCERS else "mean"

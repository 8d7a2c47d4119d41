"""How the buckets of a period become one value."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from ratekit.domain.exact import EXACT

Number = TypeVar("Number", Decimal, Fraction)
#: (total, parts); the value is ``total / parts``
Ratio = tuple[Number, int]

#: Prefix of a re-aggregation method that reduces the differences of a counter.
RATE = "rate:"
#: Methods that may follow it. A count of differences has no meaning.
RATES = ("first", "last", "max", "mean", "median", "min", "sum")


@dataclasses.dataclass(frozen=True, slots=True)
class Reducer:
    """Reduces values, in order of time, to one.

    :ivar reduce: returns (total, parts); the value is ``total / parts``, not divided yet
        so that nothing is rounded
    :ivar additive: values are sums (sum, count): parts that the back end shows of a bucket
        are added; with other methods each part must be scaled up to the whole
    :ivar convert: value of a whole bucket -> value to reduce; None: the same
    """

    reduce: Callable[[Sequence[Any]], tuple[Decimal | Fraction, int]]
    additive: bool = False
    convert: Callable[[Decimal], Fraction] | None = None


def _table(
    total: Callable[[Sequence[Number]], Number],
) -> Mapping[str, Callable[[Sequence[Number]], Ratio[Number]]]:
    """Return the functions by the names that metrics.yml and Gnocchi use."""

    def median(values: Sequence[Number]) -> Ratio[Number]:
        ranking = sorted(values)
        middle = len(ranking) // 2
        if len(ranking) % 2:
            return ranking[middle], 1
        return total(ranking[middle - 1 : middle + 1]), 2

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


def converting_reducer(name: str, convert: Callable[[Decimal], Fraction]) -> Reducer:
    """Return the reducer of that name with a conversion of each value before it."""
    return Reducer(_OF_FRACTIONS[name], name in _ADDITIVE, convert)


def default_reducer(aggregation_method: str) -> str:
    """Return the name of the reducer to use for buckets of that method.

    Methods without a reducer of their own are averaged: a deviation or percentile of the whole
    cannot be computed from those of its parts. Gnocchi's ``rate:mean`` is the mean of a
    bucket's differences, so the mean of these is that of the period; likewise with the other
    methods. A metric thus costs the same at each granularity.
    """
    method = aggregation_method.removeprefix(RATE)
    return method if method in REDUCERS else "mean"

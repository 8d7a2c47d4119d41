"""How the buckets of a period become one value."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT


@dataclasses.dataclass(frozen=True, slots=True)
class Reducer:
    """Turns values, in order of time, into one.

    :ivar reduce: returns (total, parts); the value is ``total / parts``, not divided yet
        so that nothing is rounded
    :ivar additive: values are parts of a whole (sum, count): a back end's shares of them
        are added, where those of other values must be undone
    """

    reduce: Callable[[Sequence[Decimal]], tuple[Decimal, int]]
    additive: bool = False


def _total(values: Sequence[Decimal]) -> Decimal:
    return values[0] if len(values) == 1 else functools.reduce(EXACT.add, values)


def _median(values: Sequence[Decimal]) -> tuple[Decimal, int]:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle], 1
    return EXACT.add(ordered[middle - 1], ordered[middle]), 2


#: By the names that metrics.yml gives them; Gnocchi's.
REDUCERS: Mapping[str, Reducer] = {
    "mean": Reducer(lambda values: (_total(values), len(values))),
    "median": Reducer(_median),
    "max": Reducer(lambda values: (max(values), 1)),
    "min": Reducer(lambda values: (min(values), 1)),
    "first": Reducer(lambda values: (values[0], 1)),
    "last": Reducer(lambda values: (values[-1], 1)),
    "sum": Reducer(lambda values: (_total(values), 1), additive=True),
    "count": Reducer(lambda values: (_total(values), 1), additive=True),
}


def fitting(aggregation_method: str) -> str:
    """Return the reducer's name that fits what a bucket holds.

    What has no reducer of its own is averaged: deviations and percentiles of parts do not
    make one of the whole.
    """
    method = aggregation_method.removeprefix("rate:")
    return method if method in REDUCERS else "mean"

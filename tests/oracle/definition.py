"""One entry of metrics.yml."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from tests.oracle.custom_query import Query, as_function, judges_steps
from tests.oracle.model import SECOND

RATE = "rate:"


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """What is read, and how it becomes a quantity.

    :ivar metric: name in Gnocchi
    :ivar name: public name
    :ivar method: the stored aggregate that is read
    :ivar reducer: how buckets become one value, without ``rate:``
    :ivar counter: the differences between buckets are reduced
    :ivar split: a period is split among the labels that a resource had
    :ivar query: applied to each bucket, for counters to each difference
    :ivar raw_steps: the query decides about a counter's negative step
    """

    metric: str
    name: str
    labels: tuple[str, ...]
    method: str = "max"
    reducer: str = "max"
    counter: bool = False
    granularity: int = 3600 * SECOND
    split: bool = True
    query: Query | None = None
    raw_steps: bool = False
    counter_gap: int = 86400 * SECOND
    counts_first_value: bool = False
    keeps_negative: bool = False
    prorate: bool = False
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    mutate: str = "NONE"
    mutate_map: Mapping[Fraction, Fraction] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, metric: str, entry: Mapping[str, Any]) -> Definition:
        """Read an entry; a key that the oracle does not know is an error."""
        args = entry["extra_args"]
        method = args.get("aggregation_method", "max")
        reducer = args.get("re_aggregation_method", method.removeprefix(RATE))
        text = args.get("custom_query")
        key = args.get("resource_key", "id")
        labels = {*entry.get("groupby", ()), *entry.get("metadata", ()), key}
        return cls(
            metric=metric,
            name=entry.get("alt_name", metric),
            labels=tuple(sorted(labels)),
            method=method,
            reducer=reducer.removeprefix(RATE),
            counter=reducer.startswith(RATE),
            granularity=args.get("force_granularity", 3600) * SECOND,
            split=args.get("use_all_resource_revisions", True),
            query=as_function(text) if text else None,
            raw_steps=bool(text) and judges_steps(text),
            counter_gap=args.get("counter_gap", 86400) * SECOND,
            counts_first_value=args.get("first_value") == "count",
            keeps_negative=args.get("negative") == "keep",
            prorate=entry.get("prorate", False),
            factor=_quotient(str(entry.get("factor", 1))),
            offset=_quotient(str(entry.get("offset", 0))),
            mutate=entry.get("mutate", "NONE"),
            mutate_map={
                Fraction(str(key)): Fraction(str(value))
                for key, value in entry.get("mutate_map", {}).items()
            },
        )

    @property
    def additive(self) -> bool:
        """Whether buckets are parts of a whole."""
        return self.reducer in ("sum", "count")

    @property
    def judges_buckets(self) -> bool:
        """Whether each bucket is judged for being negative, and not the reduced value."""
        return self.counter or self.method.startswith(RATE)

    def apply_query(self, value: Fraction) -> Fraction:
        """Return a bucket's value, or a difference, after the custom query."""
        return self.query(value) if self.query else value

    def without_negative(self, value: Fraction) -> Fraction:
        """Return 0 for a negative value, unless it is kept."""
        return value if self.keeps_negative else max(value, Fraction(0))

    def reduce(self, values: list[Fraction]) -> Fraction:
        """Return one value for several in order of time."""
        match self.reducer:
            case "mean":
                return sum(values, Fraction(0)) / len(values)
            case "max":
                return max(values)
            case "min":
                return min(values)
            case "last":
                return values[-1]
        raise NotImplementedError(self.reducer)

    def convert(self, value: Fraction) -> Fraction:
        """Apply factor, offset and mutation."""
        quantity = value * self.factor + self.offset
        match self.mutate:
            case "NONE":
                return quantity
            case "NUMBOOL":
                return Fraction(quantity != 0)
            case "NOTNUMBOOL":
                return Fraction(quantity == 0)
            case "CEIL":
                return Fraction(math.ceil(quantity))
            case "FLOOR":
                return Fraction(math.floor(quantity))
            case "MAP":
                return self.mutate_map.get(quantity, Fraction(0))
        raise NotImplementedError(self.mutate)


def _quotient(text: str) -> Fraction:
    numerator, _, denominator = text.partition("/")
    return Fraction(numerator) / Fraction(denominator or 1)

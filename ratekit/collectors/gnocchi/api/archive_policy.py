"""Archive policies: what Gnocchi keeps of a metric, and for how long."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, Self

from ratekit.collectors.gnocchi.api import formats

_SECOND = datetime.timedelta(seconds=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """One archive policy.

    :ivar kept: how long aggregates are kept, by their granularity, counted back from a
        metric's newest one; None: for ever
    :ivar methods: aggregation methods
    """

    name: str
    kept: Mapping[datetime.timedelta, datetime.timedelta | None]
    methods: frozenset[str]

    @classmethod
    def read(cls, row: Any) -> Self:
        """Read Gnocchi's description.

        :raises ValueError: it makes no sense, as do TypeError and KeyError
        """
        kept = {}
        for one in row["definition"]:
            granularity = formats.timespan(one["granularity"])
            points = one["points"]
            kept[granularity] = None if points is None else granularity * int(points)
        return cls(row["name"], kept, frozenset(row["aggregation_methods"]))

    def widest(self, period: datetime.timedelta) -> int | None:
        """Return the largest granularity that divides ``period``, in seconds, if any does."""
        fitting = [one for one in self.kept if not period % one and not one % _SECOND]
        return max(fitting) // _SECOND if fitting else None

    def granularities(self) -> str:
        """Name the granularities, for people."""
        return ", ".join(f"{one / _SECOND:g} s" for one in sorted(self.kept))

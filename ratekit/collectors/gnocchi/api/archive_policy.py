"""Archive policies: which aggregates Gnocchi keeps of a metric, and for how long."""

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

    :ivar retention: granularity -> how long its aggregates are kept, counted back from a
        metric's newest one; None: for ever
    :ivar methods: aggregation methods
    """

    name: str
    retention: Mapping[datetime.timedelta, datetime.timedelta | None]
    methods: frozenset[str]

    @classmethod
    def read(cls, row: Any) -> Self:
        """Read Gnocchi's description.

        :raises ValueError: it is not valid; so do TypeError and KeyError
        """
        retention = {}
        for definition in row["definition"]:
            granularity = formats.timespan(definition["granularity"])
            points = definition["points"]
            retention[granularity] = None if points is None else granularity * int(points)
        return cls(row["name"], retention, frozenset(row["aggregation_methods"]))

    def widest(self, period: datetime.timedelta) -> int | None:
        """Return the largest granularity that divides ``period``, in seconds, if any does."""
        divisors = [
            granularity
            for granularity in self.retention
            if not period % granularity and not granularity % _SECOND
        ]
        return max(divisors) // _SECOND if divisors else None

    def granularities_text(self) -> str:
        """Write the granularities for a message."""
        return ", ".join(f"{granularity / _SECOND:g} s" for granularity in sorted(self.retention))

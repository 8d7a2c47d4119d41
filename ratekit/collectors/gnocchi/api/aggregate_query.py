"""What is asked of Gnocchi for a metric, some scopes and a window."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Sequence
from typing import Any

Instant = datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class AggregateQuery:
    """One request for aggregates with history.

    :ivar groupby: attributes that come back with each group
    :ivar start: inclusive, UTC
    :ivar stop: exclusive, UTC
    :ivar granularity: seconds
    :ivar only: ids of the resources that are asked for; None: of all
    :ivar without: ids of resources that are left out
    """

    metric: str
    aggregation_method: str
    resource_type: str
    scope_key: str
    scopes: Collection[str]
    groupby: Sequence[str]
    start: Instant
    stop: Instant
    granularity: int
    only: Collection[str] | None = None
    without: Collection[str] = ()

    def conditions(self) -> list[dict[str, Any]]:
        """Which resources are asked for, in Gnocchi's search language; all must hold."""
        found: list[dict[str, Any]] = [
            {"=": {"type": self.resource_type}},
            {"in": {self.scope_key: sorted(self.scopes)}},
        ]
        if self.only is not None:
            found.append({"in": {"id": sorted(self.only)}})
        if self.without:
            found.append({"not": {"in": {"id": sorted(self.without)}}})
        return found

"""A query for aggregates: of one metric, some scopes and a stretch of time."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Hashable, Sequence
from typing import Any

from ratekit.domain.usage.resource_part import ALL, ResourcePart

Instant = datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class AggregateQuery:
    """A query for aggregates with history; as it is, or narrowed to what one request can answer.

    :ivar groupby: attributes that Gnocchi returns with each group
    :ivar start: inclusive, UTC
    :ivar stop: exclusive, UTC
    :ivar granularity: seconds; 0, before the query is narrowed: of each archive policy the
        largest that divides ``period``
    :ivar period: length of the periods that the aggregates are reduced to
    :ivar resource_ids: the only resources to read; None: all
    :ivar excluded_ids: resources not to read
    :ivar any_scope: resources are read whatever their scopes
    :ivar part: the only resources to read, by ranges of ids
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
    period: datetime.timedelta
    resource_ids: Collection[str] | None = None
    excluded_ids: Collection[str] = ()
    any_scope: bool = False
    part: ResourcePart = ALL

    def identity(self) -> Hashable:
        """Return what equal queries of other scopes and other times have in common."""
        return (
            self.metric, self.aggregation_method, self.resource_type, self.scope_key,
            self.granularity, self.period,
        )  # fmt: skip

    def conditions(self) -> list[dict[str, Any]]:
        """Return which resources to read, in Gnocchi's search language; all must hold."""
        conditions: list[dict[str, Any]] = [{"=": {"type": self.resource_type}}]
        if not self.any_scope:
            conditions.append({"in": {self.scope_key: sorted(self.scopes)}})
        for operator, bound in ((">=", self.part.first), ("<", self.part.stop)):
            if bound is not None:
                conditions.append({operator: {"id": bound}})
        if self.resource_ids is not None:
            conditions.append({"in": {"id": sorted(self.resource_ids)}})
        if self.excluded_ids:
            conditions.append({"not": {"in": {"id": sorted(self.excluded_ids)}}})
        return conditions

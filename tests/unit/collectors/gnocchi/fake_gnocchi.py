"""A fake Gnocchi with archive policies, on top of the fake of its history."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.client import LiveResource, MetricRow, Ownership
from ratekit.collectors.gnocchi.api.transport import AggregateMissing
from tests.fakes import History, Instant, Resource

METHODS = ("mean", "max", "min", "sum", "count")


def policy(
    name: str, retention: Mapping[int, int | None], methods: Collection[str] = METHODS
) -> Policy:
    """An archive policy.

    :param retention: granularity in seconds -> hours for which it is kept, None: for ever
    """
    return Policy(
        name,
        {
            datetime.timedelta(seconds=granularity): (
                None if hours is None else datetime.timedelta(hours=hours)
            )
            for granularity, hours in retention.items()
        },
        frozenset(methods),
    )


class FakeGnocchi(History):
    """Responds like a Gnocchi in which each resource has one metric, ``cpu``.

    :param under: resource's id -> name of its metric's archive policy
    :param kinds: resource's id -> its type, where that is not ``instance``
    :ivar requests: names of the requests, one for each page
    :ivar ended_at: resource's id -> when it ceased to exist; queries with history still find it
    :ivar backlog_size: measures that metricd has not processed
    :ivar without_start: number of resources without ``started_at``
    """

    def __init__(
        self,
        resources: Sequence[Resource],
        policies: Sequence[Policy],
        under: Mapping[str, str],
        page: int = 1000,
        kinds: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(resources, ("flavor", "vcpus"))
        self.policies = list(policies)
        self.under = dict(under)
        self.requests: list[str] = []
        self.ended_at: dict[str, Instant] = {}
        self.backlog_size = 0
        self.without_start = 0
        self._page = page
        self._kinds = dict(kinds or {})

    def aggregates(self, query: AggregateQuery) -> list[Any]:
        self.requests.append("aggregates")
        self.queries.append(query)
        resources = self._select(query)
        for resource in resources:
            self._refuse_mismatch(resource, query)
        return History(resources, self.names).aggregates(query)

    def archive_policies(self) -> list[Policy]:
        self.requests.append("archive_policies")
        return list(self.policies)

    def metrics(
        self, name: str, policy: str | None = None, limit: int = 1000
    ) -> Iterator[tuple[list[MetricRow], bool]]:
        rows = [
            (f"metric of {resource.id}", resource.id, self.under[resource.id])
            for resource in self.resources
            if name == "cpu" and policy in (None, self.under[resource.id])
        ]
        size = min(limit, self._page)
        # Like Gnocchi, which announces another page after each full page.
        for at in range(0, len(rows) + 1, size):
            self.requests.append("metrics")
            yield rows[at : at + size], len(rows) - at >= size

    def owners(
        self, resource_type: str, scope_key: str, ids: Collection[str]
    ) -> dict[str, Ownership]:
        if ids:
            self.requests.append("owners")
        return {
            resource.id: Ownership(
                frozenset(str(phase.attributes[scope_key]) for phase in resource.phases),
                self.ended_at.get(resource.id),
            )
            for resource in self.resources
            if resource.id in ids and self._kind(resource) == resource_type
        }

    def live_resources(self, query: AggregateQuery, until: Instant) -> Iterator[LiveResource]:
        self.requests.append("living")
        for resource in self._select(query):
            if self.ended_at.get(resource.id, until) < query.start:
                continue
            for phase in resource.phases:
                if phase.start < until and (phase.end is None or phase.end >= query.start):
                    yield LiveResource(resource.id, f"metric of {resource.id}", phase.start)

    def policies_of(
        self, metrics: Collection[str], query: AggregateQuery, after: Instant
    ) -> dict[str, str]:
        self.requests.append("policies_of")
        return {
            id_: self.under[resource.id]
            for resource in self.resources
            if (id_ := f"metric of {resource.id}") in metrics
        }

    def newest(
        self, metrics: Collection[str], query: AggregateQuery, since: Instant
    ) -> dict[str, Instant]:
        self.requests.append("newest")
        return {
            id_: max(resource.buckets)
            for resource in self.resources
            if (id_ := f"metric of {resource.id}") in metrics
            and resource.buckets
            and max(resource.buckets) >= since
        }

    def recent(
        self, metrics: Collection[str], query: AggregateQuery, since: Instant
    ) -> dict[str, list[tuple[Instant, Decimal]]]:
        self.requests.append("recent")
        recent = {
            f"metric of {resource.id}": [
                (begin, Decimal(value))
                for begin, value in sorted(resource.buckets.items())
                if begin >= since
            ]
            for resource in self.resources
        }
        return {id_: buckets for id_, buckets in recent.items() if buckets and id_ in metrics}

    def backlog(self) -> int:
        self.requests.append("backlog")
        return self.backlog_size

    def count(self, resource_type: str, search: Mapping[str, Any]) -> int:
        self.requests.append("count")
        assert search == {"=": {"started_at": None}}
        return self.without_start

    def _kind(self, resource: Resource) -> str:
        return self._kinds.get(resource.id, "instance")

    def _select(self, query: AggregateQuery) -> list[Resource]:
        return [
            resource
            for resource in self.resources
            if query.metric == "cpu"
            and self._kind(resource) == query.resource_type
            and (query.resource_ids is None or resource.id in query.resource_ids)
            and resource.id not in query.excluded_ids
            and any(phase.attributes[query.scope_key] in query.scopes for phase in resource.phases)
        ]

    def _refuse_mismatch(self, resource: Resource, query: AggregateQuery) -> None:
        policies = {member.name: member for member in self.policies}
        used = policies[self.under[resource.id]]
        if not self._found(resource, query):
            return
        if query.aggregation_method not in used.methods:
            raise AggregateMissing(f"Metrics with unknown aggregation: {resource.id}")
        if datetime.timedelta(seconds=query.granularity) not in used.retention:
            raise AggregateMissing("Metrics cannot be aggregated: Granularities are missing")

"""A model of Gnocchi's archive policies, over the model of its history."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.index import Listed, LiveResource, Ownership
from ratekit.collectors.gnocchi.api.transport import AggregateMissing
from tests.fakes import History, Instant, Resource

METHODS = ("mean", "max", "min", "sum", "count")


def policy(name: str, retention: Mapping[int, int | None], methods: Collection[str] = METHODS) -> Policy:
    """An archive policy: granularity in seconds -> hours that it is kept, None for ever."""
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


class Archive(History):
    """Answers as a Gnocchi does in which each resource has one metric, ``cpu``.

    :param under: resource's id -> name of its metric's archive policy
    :param kinds: resource's id -> its type, where that is not ``instance``
    :ivar asked: names of the requests, each page one
    :ivar ended: resource's id -> when it ceased to exist; history mode finds it all the same
    :ivar waiting: measures that metricd has not processed
    :ivar startless: resources without ``started_at``
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
        self.asked: list[str] = []
        self.ended: dict[str, Instant] = {}
        self.waiting = 0
        self.startless = 0
        self._page = page
        self._kinds = dict(kinds or {})

    def aggregates(self, question: AggregateQuery) -> list[Any]:
        self.asked.append("aggregates")
        self.questions.append(question)
        chosen = self._chosen(question)
        for resource in chosen:
            self._refuse_what_lacks(resource, question)
        return History(chosen, self.names).aggregates(question)

    def archive_policies(self) -> list[Policy]:
        self.asked.append("archive_policies")
        return list(self.policies)

    def metrics(
        self, name: str, policy: str | None = None, limit: int = 1000
    ) -> Iterator[tuple[list[Listed], bool]]:
        rows = [
            (f"metric of {resource.id}", resource.id, self.under[resource.id])
            for resource in self.resources
            if name == "cpu" and policy in (None, self.under[resource.id])
        ]
        size = min(limit, self._page)
        # As Gnocchi, which says that there may be more after each full page.
        for at in range(0, len(rows) + 1, size):
            self.asked.append("metrics")
            yield rows[at : at + size], len(rows) - at >= size

    def owners(
        self, resource_type: str, scope_key: str, ids: Collection[str]
    ) -> dict[str, Ownership]:
        if ids:
            self.asked.append("owners")
        return {
            resource.id: Ownership(
                frozenset(str(phase.attributes[scope_key]) for phase in resource.phases),
                self.ended.get(resource.id),
            )
            for resource in self.resources
            if resource.id in ids and self._kind(resource) == resource_type
        }

    def living(self, question: AggregateQuery, until: Instant) -> Iterator[LiveResource]:
        self.asked.append("living")
        for resource in self._chosen(question):
            if self.ended.get(resource.id, until) < question.start:
                continue
            for phase in resource.phases:
                if phase.start < until and (phase.end is None or phase.end >= question.start):
                    yield LiveResource(resource.id, f"metric of {resource.id}", phase.start)

    def policies_of(
        self, metrics: Collection[str], question: AggregateQuery, after: Instant
    ) -> dict[str, str]:
        self.asked.append("policies_of")
        return {
            id_: self.under[resource.id]
            for resource in self.resources
            if (id_ := f"metric of {resource.id}") in metrics
        }

    def newest(
        self, metrics: Collection[str], question: AggregateQuery, since: Instant
    ) -> dict[str, Instant]:
        self.asked.append("newest")
        return {
            id_: max(resource.buckets)
            for resource in self.resources
            if (id_ := f"metric of {resource.id}") in metrics
            and resource.buckets
            and max(resource.buckets) >= since
        }

    def backlog(self) -> int:
        self.asked.append("backlog")
        return self.waiting

    def count(self, resource_type: str, search: Mapping[str, Any]) -> int:
        self.asked.append("count")
        assert search == {"=": {"started_at": None}}
        return self.startless

    def _kind(self, resource: Resource) -> str:
        return self._kinds.get(resource.id, "instance")

    def _chosen(self, question: AggregateQuery) -> list[Resource]:
        return [
            resource
            for resource in self.resources
            if question.metric == "cpu"
            and self._kind(resource) == question.resource_type
            and (question.only is None or resource.id in question.only)
            and resource.id not in question.without
            and any(
                phase.attributes[question.scope_key] in question.scopes for phase in resource.phases
            )
        ]

    def _refuse_what_lacks(self, resource: Resource, question: AggregateQuery) -> None:
        known = {one.name: one for one in self.policies}[self.under[resource.id]]
        if not self._found(resource, question):
            return
        if question.aggregation_method not in known.methods:
            raise AggregateMissing(f"Metrics with unknown aggregation: {resource.id}")
        if datetime.timedelta(seconds=question.granularity) not in known.kept:
            raise AggregateMissing("Metrics cannot be aggregated: Granularities are missing")

"""Which resources of a metric one request can read together."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.client import Client, MetricRow, Ownership
from ratekit.text import count_text

#: More mismatches than this are a mistake in the metric's settings, not in the resources.
TOO_MANY = 5000
#: Resources that are looked up together to find one of the right type.
_BATCH = 200

#: The granularity in seconds with which to query a policy's metrics, or what the policy lacks.
PolicyFit = int | str
#: Resource's id -> its scopes.
Owners = Mapping[str, frozenset[str]]
FindOwners = Callable[[Collection[str]], Mapping[str, Ownership]]


class PolicyMismatch(NamedTuple):
    """Why a resource is excluded, and which scopes it belongs to."""

    policy: str
    lacks: str
    ownership: Ownership


@dataclasses.dataclass(frozen=True, slots=True)
class Routing:
    """How to query the resources of a metric.

    :ivar granularity: of the query for all resources that are neither in ``minorities`` nor
        mismatches; None: there are no such resources
    :ivar minorities: granularity -> the resources of another query
    :ivar mismatches: resources to exclude, by id; empty where there are too many
    :ivar failure: why no resource at all can be read, for an operator
    """

    granularity: int | None = None
    minorities: Mapping[int, Owners] = dataclasses.field(default_factory=dict)
    mismatches: Mapping[str, PolicyMismatch] = dataclasses.field(default_factory=dict)
    failure: str | None = None

    def mismatches_of(self, scopes: Collection[str]) -> dict[str, PolicyMismatch]:
        """Return the mismatches of resources that belong or belonged to some of ``scopes``."""
        # The other way round, each resource would walk all scopes of the batch.
        scope_set = frozenset(scopes)
        return {
            id_: mismatch
            for id_, mismatch in self.mismatches.items()
            if not scope_set.isdisjoint(mismatch.ownership.scopes)
        }

    def queries(self, query: AggregateQuery) -> list[AggregateQuery]:
        """Return the queries that together read what ``query`` asks for, each resource once.

        Ids of resources that belong to other scopes are left off, so that requests are short.
        """
        scope_set = frozenset(query.scopes)
        minorities = {
            granularity: sorted(
                id_
                for id_, owner_scopes in owners.items()
                if not scope_set.isdisjoint(owner_scopes)
            )
            for granularity, owners in sorted(self.minorities.items())
        }
        queries = []
        if self.granularity is not None:
            excluded_ids = [
                *self.mismatches_of(scope_set),
                *itertools.chain(*minorities.values()),
            ]
            queries.append(
                dataclasses.replace(query, granularity=self.granularity, excluded_ids=excluded_ids)
            )
        return queries + [
            dataclasses.replace(query, granularity=granularity, resource_ids=ids)
            for granularity, ids in minorities.items()
            if ids
        ]


def fit_policy(query: AggregateQuery, policy: Policy) -> PolicyFit:
    """Return the granularity with which to query a policy's metrics, or what it lacks."""
    lacks = []
    granularity = query.granularity or policy.widest(query.period)
    if granularity is None:
        seconds = query.period // datetime.timedelta(seconds=1)
        lacks.append(f"a granularity that divides the collect period, {seconds} s")
    elif datetime.timedelta(seconds=granularity) not in policy.retention:
        lacks.append(f"a granularity of {granularity} s")
    if query.aggregation_method not in policy.methods:
        lacks.append(f"the aggregation method {query.aggregation_method!r}")
    return " and ".join(lacks) if lacks or granularity is None else granularity


def find_routing(client: Client, policies: Mapping[str, Policy], query: AggregateQuery) -> Routing:
    """Find the archive policy of each resource, in as few requests as possible.

    One request lists a page of metrics. If there are more, the metrics of each archive policy
    are listed separately; of the policies that fit, those of the largest group are not listed
    to the end, because their resources are the ones that are in no other group.

    :param query: its scopes and its time do not matter
    :raises ratekit.errors.TryLater: Gnocchi did not respond, or the response is not valid
    """
    fits = {name: fit_policy(query, policy) for name, policy in policies.items()}
    groups, largest = _groups(client, query.metric, fits)
    lacks = _common_shortage(groups)
    if lacks is not None:
        return Routing(failure=_too_many_text(query, lacks, groups[lacks]))

    def owners(ids: Collection[str]) -> dict[str, Ownership]:
        return client.owners(query.resource_type, query.scope_key, ids)

    shortages = {
        id_: (policy, fit)
        for fit, group in groups.items()
        for id_, policy in group.items()
        if isinstance(fit, str)
    }
    mismatches = {
        id_: PolicyMismatch(*shortages[id_], ownership)
        for id_, ownership in owners(shortages).items()
    }
    readable = {fit: group for fit, group in groups.items() if isinstance(fit, int)}
    if mismatches and not _has_resource_of_type(readable.values(), owners):
        failure = _all_mismatch_text(query, mismatches, policies)
        return Routing(mismatches=mismatches, failure=failure)
    minorities = {
        granularity: {id_: ownership.scopes for id_, ownership in owners(group).items()}
        for granularity, group in sorted(readable.items())
        if granularity != largest
    }
    return Routing(query.granularity or largest, minorities, mismatches)


def _groups(
    client: Client, metric: str, fits: Mapping[str, PolicyFit]
) -> tuple[dict[PolicyFit, dict[str, str]], int | None]:
    """Return resource -> policy by fit, and the granularity of the largest group."""
    groups: dict[PolicyFit, dict[str, str]] = {}

    def read_page(pages: Iterator[tuple[list[MetricRow], bool]]) -> bool:
        rows, has_next = next(pages)
        for _, resource, policy in rows:
            if policy not in fits:
                raise errors.InvalidResponse(
                    f"archive policy {policy} was created meanwhile; retrying"
                )
            groups.setdefault(fits[policy], {})[resource] = policy
        return has_next

    largest: PolicyFit | None = None
    if read_page(client.metrics(metric)):
        unread = {policy: client.metrics(metric, policy) for policy in fits}
        while unread:
            unread = {policy: pages for policy, pages in unread.items() if read_page(pages)}
            if _common_shortage(groups) is not None:
                break
            readable = {fit for policy in unread if isinstance(fit := fits[policy], int)}
            if len(readable) == 1:
                (largest,) = readable
                unread = {
                    policy: pages for policy, pages in unread.items() if fits[policy] != largest
                }
    if isinstance(largest, int):
        return groups, largest
    sizes = {fit: len(group) for fit, group in groups.items() if isinstance(fit, int)}
    return groups, max(sizes, key=lambda fit: (sizes[fit], fit), default=None)


def _common_shortage(groups: Mapping[PolicyFit, Collection[str]]) -> str | None:
    """Return what so many resources' policies lack that listing them all is useless."""
    for fit, group in groups.items():
        if isinstance(fit, str) and len(group) > TOO_MANY:
            return fit
    return None


def _too_many_text(query: AggregateQuery, lacks: str, group: Mapping[str, str]) -> str:
    names = ", ".join(sorted(set(group.values())))
    return (
        f"more than {TOO_MANY:,} resources have the metric {query.metric!r} with an archive "
        f"policy that lacks {lacks} ({names}); set force_granularity and aggregation_method to "
        "values that it has"
    )


def _has_resource_of_type(groups: Iterable[Collection[str]], owners: FindOwners) -> bool:
    for group in groups:
        ids = sorted(group)
        if any(owners(ids[first : first + _BATCH]) for first in range(0, len(ids), _BATCH)):
            return True
    return False


def _all_mismatch_text(
    query: AggregateQuery,
    mismatches: Mapping[str, PolicyMismatch],
    policies: Mapping[str, Policy],
) -> str:
    """Write that the metric's settings are wrong, and which values the policies have."""
    counts = collections.Counter(
        (mismatch.policy, mismatch.lacks) for mismatch in mismatches.values()
    )
    alternatives = "; ".join(
        f"{count_text(count, 'resource')} with {name!r}, which lacks {lacks}, but has "
        f"{policies[name].granularities_text()} and "
        f"{', '.join(sorted(policies[name].methods)[:12])}"
        for (name, lacks), count in sorted(counts.items())
    )
    return (
        f"no resource of type {query.resource_type!r} has the metric {query.metric!r} with an "
        f"archive policy that fits: {alternatives}; set force_granularity and "
        "aggregation_method to values that exist"
    )

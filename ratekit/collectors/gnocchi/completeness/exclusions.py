"""Excludes resources whose archive policies do not fit, so that the others can be rated."""

from __future__ import annotations

import datetime
import logging
import math
from collections.abc import Hashable, Mapping, Sequence

import cachetools

from ratekit import errors
from ratekit.collectors.gnocchi import ttl_cache
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.completeness.policies import Policies
from ratekit.collectors.gnocchi.completeness.routing import (
    PolicyMismatch,
    Routing,
    find_routing,
)
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.text import count_text, list_text

LOG = logging.getLogger(__name__)

#: A routing so young is not looked up again: the result would be the same.
_YOUNG = datetime.timedelta(seconds=10)
#: Resources that one log line names.
_PER_LINE = 20

#: (the metric's public name, identity of its query)
_Key = tuple[str, Hashable]


class Exclusions:
    """Knows which resources to exclude, and logs each of them once."""

    def __init__(self, client: Client, policies: Policies, clock: ttl_cache.Clock) -> None:
        self._client = client
        self._policies = policies
        #: The last routing of each query for which the plain query failed, or would.
        self._latest: dict[_Key, Routing] = {}
        #: Those of them that need no new look-up.
        self._current: cachetools.TTLCache[_Key, Routing, datetime.datetime]
        self._current = cachetools.TTLCache(math.inf, ttl_cache.TTL, clock)
        self._young: cachetools.TTLCache[_Key, bool, datetime.datetime]
        self._young = cachetools.TTLCache(math.inf, _YOUNG, clock)
        self._logged_ids: dict[_Key, set[str]] = {}

    def queries(self, name: str, query: AggregateQuery) -> Sequence[AggregateQuery]:
        """Return the queries that together read what ``query`` asks for.

        Sends no request unless the granularity is left to the archive policies, or a resource
        was excluded recently. Where no resource has the metric there is no query. Resources
        that ended before the query's start are excluded without a log line.

        :param name: the metric's public name
        :raises ratekit.errors.OperatorError: no resource's archive policy fits
        """
        routing = self._routing(name, query)
        if routing is None:
            return [query]
        live = _live(routing.mismatches_of(query.scopes), query.start)
        if routing.failure is None:
            self._log(name, query, live)
            return routing.queries(query)
        if live or not (query.granularity or routing.mismatches):
            raise errors.OperatorError(f"{name}: {routing.failure}")
        if not query.granularity:
            return []
        # None of these scopes has such a resource now, so the plain query works without them.
        plain = Routing(query.granularity, mismatches=routing.mismatches)
        return plain.queries(query)

    def find(self, name: str, query: AggregateQuery) -> bool:
        """Find the resources to exclude, after Gnocchi refused a query.

        :returns: False: repeating the query does not help
        :raises ratekit.errors.OperatorError: no resource's archive policy fits
        """
        key = (name, query.identity())
        routing = self._current.get(key)
        if routing is not None and routing.failure is not None:
            raise errors.OperatorError(f"{name}: {routing.failure}")
        if key in self._young:
            return False
        routing = self._find_routing(name, query)
        if routing.failure is not None and not routing.mismatches:
            raise errors.OperatorError(f"{name}: {routing.failure}")
        return True

    def exclusions(
        self, name: str, query: AggregateQuery, since: datetime.datetime
    ) -> Sequence[Exclusion]:
        """Return what :meth:`queries` last excluded, without what ended before ``since``."""
        routing = self._latest.get((name, query.identity()))
        if routing is None or routing.failure is not None:
            return ()
        mismatches = _live(routing.mismatches_of(query.scopes), since)
        return sorted(
            Exclusion(scope, name, id_, _reason(query, mismatch), _remedy(query))
            for id_, mismatch in mismatches.items()
            for scope in mismatch.ownership.scopes.intersection(query.scopes)
        )

    def _routing(self, name: str, query: AggregateQuery) -> Routing | None:
        """Return how to split the query; None: not at all, because no resource mismatched."""
        key = (name, query.identity())
        if key not in self._latest and query.granularity:
            return None
        return self._current.get(key) or self._find_routing(name, query)

    def _find_routing(self, name: str, query: AggregateQuery) -> Routing:
        routing = find_routing(self._client, self._policies.by_name(refresh=True), query)
        key = (name, query.identity())
        self._young[key] = True
        if routing.failure is None and _is_void(routing, query):
            self._latest.pop(key, None)
            self._current.pop(key, None)
        else:
            self._latest[key] = self._current[key] = routing
        self._log_repairs(name, key, routing)
        return routing

    def _log_repairs(self, name: str, key: _Key, routing: Routing) -> None:
        logged_ids = self._logged_ids.get(key, set())
        repaired_ids = sorted(logged_ids - routing.mismatches.keys())
        logged_ids.difference_update(repaired_ids)
        if repaired_ids:
            count = count_text(len(repaired_ids), "resource")
            ids = list_text(repaired_ids, _PER_LINE)
            LOG.info("%s: no longer excluded from rating: %s (%s)", name, count, ids)

    def _log(
        self, name: str, query: AggregateQuery, mismatches: Mapping[str, PolicyMismatch]
    ) -> None:
        """Log each resource once, with the reason for its exclusion."""
        logged_ids = self._logged_ids.setdefault((name, query.identity()), set())
        ids_by_reason: dict[str, list[str]] = {}
        for id_, mismatch in mismatches.items():
            if id_ not in logged_ids:
                ids_by_reason.setdefault(_reason(query, mismatch), []).append(id_)
        logged_ids.update(mismatches)
        for reason, ids in ids_by_reason.items():
            for first in range(0, len(ids), _PER_LINE):
                LOG.error(
                    "%s: excluded from rating and not charged: %s: %s; %s",
                    name, "; ".join(f"resource {id_}" for id_ in ids[first : first + _PER_LINE]),
                    reason, _remedy(query),
                )  # fmt: skip


def _is_void(routing: Routing, query: AggregateQuery) -> bool:
    """Return whether the plain query works, or no resource has the metric yet."""
    if query.granularity:
        return not routing.mismatches
    return routing.granularity is None and not routing.minorities


def _live(
    mismatches: Mapping[str, PolicyMismatch], since: datetime.datetime
) -> dict[str, PolicyMismatch]:
    """Return the mismatches of resources that had not ended by ``since``."""
    return {
        id_: mismatch
        for id_, mismatch in mismatches.items()
        if mismatch.ownership.ended_at is None or mismatch.ownership.ended_at >= since
    }


def _reason(query: AggregateQuery, mismatch: PolicyMismatch) -> str:
    return (
        f"its metric {query.metric!r} has archive policy {mismatch.policy!r}, which lacks "
        f"{mismatch.lacks}"
    )


def _remedy(query: AggregateQuery) -> str:
    return (
        f"delete that resource's metric {query.metric!r}, so that it is created again with "
        "another archive policy, or set force_granularity and aggregation_method to values that "
        "all archive policies in use have"
    )

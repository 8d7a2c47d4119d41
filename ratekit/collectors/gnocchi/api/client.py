"""The requests that ratekit sends to Gnocchi."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gnocchiclient import client as gnocchi_client

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.formats import utc
from ratekit.collectors.gnocchi.api.transport import PAGE, Transport, parsing
from ratekit.domain.usage.lifetime import End

#: Ids in one search for resources, which rarely have more than a few revisions each.
_IDS = 200

Instant = datetime.datetime
#: A row of a listing of metrics: (metric's id, resource's id, name of its archive policy).
MetricRow = tuple[str, str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class LiveResource:
    """A resource that existed at some time, and one of its metrics.

    :ivar resource: the resource's id
    :ivar metric: the metric's id
    :ivar since: start of the first revision in question
    """

    resource: str
    metric: str
    since: Instant


@dataclasses.dataclass(frozen=True, slots=True)
class Ownership:
    """The scopes that own a resource.

    :ivar scopes: present and past owners
    :ivar ended_at: when the resource ceased to exist, although Gnocchi still has it; None: it
        has not
    """

    scopes: frozenset[str]
    ended_at: Instant | None


class Client:
    """Gnocchi's REST API, version 1.

    Every method raises :class:`ratekit.errors.TryLater` if Gnocchi did not respond or the
    response cannot be parsed, and :class:`ratekit.errors.OperatorError` if Gnocchi refused.

    :param api: session and endpoint
    """

    def __init__(self, api: gnocchi_client.SessionClient) -> None:
        self._transport = Transport(api)

    # Aggregates -----------------------------------------------------------------------------

    def aggregates(self, query: AggregateQuery) -> list[Any]:
        """Return Gnocchi's groups, numbers as Decimal; an empty list means no usage.

        :raises ratekit.collectors.gnocchi.api.transport.AggregateMissing: some resource's
            archive policy has not the granularity or the aggregation method
        """
        body = {
            # Any re-aggregation gives the same within one resource's bucket.
            "operations": ["aggregate", "max", ["metric", query.metric, query.aggregation_method]],
            "resource_type": query.resource_type,
            "search": {"and": query.conditions()},
        }
        parameters = {
            "groupby": query.groupby,
            "use_history": "true",
            "start": query.start.isoformat(),
            "stop": query.stop.isoformat(),
            "granularity": query.granularity,
        }
        groups = self._transport.ask("POST", "v1/aggregates", params=parameters, body=body)
        return [] if groups is None else _list(groups, "aggregates")

    def newest(
        self, metrics: Collection[str], query: AggregateQuery, since: Instant
    ) -> dict[str, Instant]:
        """Return the start of the newest aggregate of each metric, by its id.

        A metric without an aggregate since ``since`` is absent.
        """
        content = self._measures(metrics, query, since)
        with parsing("measures"):
            return {
                id_: utc(rows[-1][0])
                for id_, by_method in content["measures"].items()
                if (rows := by_method[query.aggregation_method])
            }

    # Metrics and archive policies -----------------------------------------------------------

    def archive_policies(self) -> list[Policy]:
        """Return all archive policies."""
        rows = _list(self._transport.ask("GET", "v1/archive_policy"), "archive policies")
        with parsing("archive policies"):
            return [Policy.read(row) for row in rows]

    def metrics(
        self, name: str, policy: str | None = None, limit: int = PAGE
    ) -> Iterator[tuple[list[MetricRow], bool]]:
        """Yield pages of the metrics of one name that belong to resources of any type.

        :param policy: only metrics with this archive policy
        :returns: (rows, whether there is another page)
        """
        parameters = {"name": name}
        if policy is not None:
            parameters["archive_policy_name"] = policy
        for rows, has_next in self._transport.pages("GET", "v1/metric", parameters, limit):
            with parsing("metrics"):
                yield (
                    [
                        (row["id"], row["resource_id"], row["archive_policy"]["name"])
                        for row in rows
                        if row["resource_id"] is not None
                    ],
                    has_next,
                )

    def policies_of(
        self, metrics: Collection[str], query: AggregateQuery, after: Instant
    ) -> dict[str, str]:
        """Return the name of each metric's archive policy, by the metric's id.

        :param after: an instant after the newest measure, so that Gnocchi reads no measures
        """
        content = self._measures(metrics, query, after, details="true")
        with parsing("metrics"):
            return {row["id"]: row["archive_policy"]["name"] for row in content["references"]}

    def backlog(self) -> int:
        """Return the number of measures that metricd has not processed."""
        content = self._transport.ask("GET", "v1/status", params={"details": "false"})
        with parsing("status"):
            return int(content["storage"]["summary"]["measures"])

    def _measures(
        self, metrics: Collection[str], query: AggregateQuery, start: Instant, **parameters: str
    ) -> Any:
        method = query.aggregation_method
        operations = ["metric", *([id_, method] for id_ in sorted(metrics))]
        return self._transport.ask(
            "POST", "v1/aggregates", body={"operations": operations},
            params={"start": start.isoformat(), "granularity": query.granularity, **parameters},
        )  # fmt: skip

    # Resources ------------------------------------------------------------------------------

    def attributes(self, resource_type: str) -> frozenset[str] | None:
        """Return the attributes that a resource type adds; None: there is no such type."""
        content = self._transport.ask("GET", f"v1/resource_type/{resource_type}")
        if content is None:
            return None
        with parsing(f"resource type {resource_type}"):
            return frozenset(content["attributes"])

    def owners(
        self, resource_type: str, scope_key: str, ids: Collection[str]
    ) -> dict[str, Ownership]:
        """Return the owners of these resources; resources of another type are absent."""
        owners: dict[str, Ownership] = {}
        sorted_ids = sorted(ids)
        for first in range(0, len(sorted_ids), _IDS):
            search = {"in": {"id": sorted_ids[first : first + _IDS]}}
            attributes = ("id", scope_key, "ended_at")
            # Revisions come by start, so the last one is the current one.
            for row in self._transport.revisions(resource_type, search, attributes):
                with parsing("resources"):
                    id_, scope, ended_at = row["id"], row[scope_key], row["ended_at"]
                    scopes = owners[id_].scopes if id_ in owners else frozenset()
                    scopes = scopes if scope is None else scopes | {scope}
                    owners[id_] = Ownership(scopes, None if ended_at is None else utc(ended_at))
        return owners

    def live_resources(self, query: AggregateQuery, until: Instant) -> Iterator[LiveResource]:
        """Yield the resources of ``query`` that existed between its start and ``until``."""
        start = query.start.isoformat()
        conditions = [
            *query.conditions(),
            {"<": {"revision_start": until.isoformat()}},
            {"or": [{">=": {"revision_end": start}}, {"=": {"revision_end": None}}]},
            {"or": [{">=": {"ended_at": start}}, {"=": {"ended_at": None}}]},
        ]
        attributes = ("id", "revision_start", "metrics")
        search = {"and": conditions}
        for row in self._transport.revisions(query.resource_type, search, attributes):
            with parsing("resources"):
                metric = row["metrics"].get(query.metric)
                since = utc(row["revision_start"])
                if metric is not None:
                    yield LiveResource(row["id"], metric, since)

    def older_revisions(
        self, query: AggregateQuery, starts: Mapping[str, Instant]
    ) -> dict[str, bool]:
        """Return which resources have a revision that starts before the one in ``starts``.

        :param starts: start of a revision, by resource's id
        :returns: True where the response to ``query`` took an older one into account, and so
            counted the revision from its start only; absent where there is no older one
        """
        older: dict[str, bool] = {}
        batches = [sorted(starts)]
        while batches:
            ids = batches.pop()
            before = max(starts[id_] for id_ in ids)
            rows = self._history(query.resource_type, ids, before)
            if len(rows) >= PAGE and len(ids) > 1:
                # The page is full, so there may be more.
                batches += [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
                continue
            with parsing("resources"):
                for row in rows:
                    _note_older(row, query, starts, older)
        return older

    def ends(self, query: AggregateQuery) -> dict[tuple[str, str], list[End]]:
        """Return ends of resources at or after ``query.start``.

        Only those that were recorded before ``query.stop``.

        :returns: by (resource's id, its scope), in any order
        """
        conditions = [
            *query.conditions(),
            {">=": {"ended_at": query.start.isoformat()}},
            {"<": {"revision_start": query.stop.isoformat()}},
        ]
        attributes = ("id", query.scope_key, "revision_start", "ended_at")
        search = {"and": conditions}
        ends: dict[tuple[str, str], list[End]] = {}
        for row in self._transport.revisions(query.resource_type, search, attributes):
            with parsing("resources"):
                end = End(utc(row["revision_start"]), utc(row["ended_at"]))
                ends.setdefault((row["id"], row[query.scope_key]), []).append(end)
        return ends

    def count(self, resource_type: str, search: Mapping[str, Any]) -> int:
        """Return how many resources match a search."""
        url, parameters = f"v1/search/resource/{resource_type}", {"attrs": ["id"]}
        pages = self._transport.pages("POST", url, parameters, body=search)
        return sum(len(rows) for rows, _ in pages)

    def _history(self, resource_type: str, ids: list[str], before: Instant) -> list[Any]:
        rows = self._transport.ask(
            "POST", f"v1/search/resource/{resource_type}",
            body={"and": [{"in": {"id": ids}}, {"<": {"revision_start": before.isoformat()}}]},
            params={"history": "true", "sort": "revision_start:asc", "limit": PAGE},
        )  # fmt: skip
        return _list(rows, "resources")


def _list(content: Any, name: str) -> list[Any]:
    if not isinstance(content, list):
        raise errors.InvalidResponse(f"cannot parse Gnocchi's {name} response: it is not a list")
    return content


def _note_older(
    row: Any, query: AggregateQuery, starts: Mapping[str, Instant], older: dict[str, bool]
) -> None:
    id_ = row["id"]
    if datetime.datetime.fromisoformat(row["revision_start"]) >= starts[id_]:
        return
    end = row["revision_end"]
    is_in_query = row[query.scope_key] in query.scopes and (
        end is None or datetime.datetime.fromisoformat(end) >= query.start
    )
    older[id_] = older.get(id_, False) or is_in_query

"""The requests that ratekit sends to Gnocchi."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from gnocchiclient import client as gnocchi_client

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.formats import utc
from ratekit.collectors.gnocchi.api.group import AggregateGroup, read_groups, require_decimal
from ratekit.collectors.gnocchi.api.transport import PAGE, Transport, parsing
from ratekit.domain.schedule.clocks import ClockReading

#: Ids in one search for resources, which rarely have more than a few revisions each.
_IDS = 200
#: Ids in one search for a part of the resources' histories.
_HISTORY_IDS = 2000

#: Attributes of a revision, in the order of :class:`Record`.
_TIMES = ("revision_start", "revision_end", "started_at", "ended_at")

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


class Record(NamedTuple):
    """A revision of a resource, without measures.

    :ivar scope: its owner
    :ivar end: None: it is the current revision
    :ivar started_at: when the resource started to exist, as recorded then; None: unknown
    :ivar ended_at: when it ceased to exist, likewise; None: it has not, or unknown
    """

    scope: str | None
    start: Instant
    end: Instant | None
    started_at: Instant | None
    ended_at: Instant | None


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

    def aggregates(self, query: AggregateQuery) -> list[AggregateGroup]:
        """Return Gnocchi's groups; an empty list means no usage.

        :raises ratekit.collectors.gnocchi.api.transport.AggregateMissing: some resource's
            archive policy has not the granularity or the aggregation method
        """
        parameters = {"groupby": query.groupby, "use_history": "true"}
        return self._aggregates(query, parameters)

    def values(self, query: AggregateQuery) -> dict[str, list[tuple[Instant, Decimal]]]:
        """Return the aggregates by resource's id, whatever records there are of the time.

        :returns: (start of the bucket, value of the whole bucket), in order of time; a resource
            without aggregates is absent
        :raises ratekit.collectors.gnocchi.api.transport.AggregateMissing: as :meth:`aggregates`
        """
        groups = self._aggregates(query, {"groupby": ["id"]})
        with parsing("aggregates"):
            return {
                group.attributes["id"]: list(zip(map(utc, group.begins), group.values, strict=True))
                for group in groups
                if group.begins
            }

    def _aggregates(
        self, query: AggregateQuery, parameters: Mapping[str, Any]
    ) -> list[AggregateGroup]:
        body = {
            # Any re-aggregation gives the same within one resource's bucket.
            "operations": ["aggregate", "max", ["metric", query.metric, query.aggregation_method]],
            "resource_type": query.resource_type,
            "search": {"and": query.conditions()},
        }
        groups: list[AggregateGroup] | None = self._transport.ask(
            "POST", "v1/aggregates", read_groups, body=body,
            params={
                **parameters,
                "start": query.start.isoformat(),
                "stop": query.stop.isoformat(),
                "granularity": query.granularity,
            },
        )  # fmt: skip
        return [] if groups is None else groups

    def newest(
        self, metrics: Collection[str], query: AggregateQuery, since: Instant
    ) -> dict[str, Instant]:
        """Return the start of the newest aggregate of each metric, by its id.

        A metric without an aggregate since ``since`` is absent.
        """
        return {id_: buckets[-1][0] for id_, buckets in self.recent(metrics, query, since).items()}

    def recent(
        self, metrics: Collection[str], query: AggregateQuery, since: Instant
    ) -> dict[str, list[tuple[Instant, Decimal]]]:
        """Return the aggregates of each metric since an instant, by its id; likewise."""
        content = self._measures(metrics, query, since)
        with parsing("measures"):
            return {
                id_: [(utc(begin), require_decimal(value)) for begin, _, value in rows]
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

    def read_clock(self) -> ClockReading | None:
        """Return the reading of the clock of Gnocchi's API, or None if it does not show one."""
        return self._transport.read_clock()

    def take_response_share(self) -> float:
        """Return the largest response since the last call, as a share of what is allowed."""
        return self._transport.take_response_share()

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

    def history(
        self, query: AggregateQuery, ids: Collection[str], until: Instant
    ) -> dict[str, list[Record]]:
        """Return the revisions of resources that overlap ``query.start <= t < until``.

        :param ids: of resources of any owner
        :returns: by resource's id, by start
        """
        start = query.start.isoformat()
        attributes = ("id", query.scope_key, *_TIMES)
        records: dict[str, list[Record]] = {}
        sorted_ids = sorted(ids)
        for first in range(0, len(sorted_ids), _HISTORY_IDS):
            search = {
                "and": [
                    {"in": {"id": sorted_ids[first : first + _HISTORY_IDS]}},
                    {"<": {"revision_start": until.isoformat()}},
                    {"or": [{">=": {"revision_end": start}}, {"=": {"revision_end": None}}]},
                ]
            }
            for row in self._transport.revisions(query.resource_type, search, attributes):
                with parsing("resources"):
                    records.setdefault(row["id"], []).append(
                        Record(row[query.scope_key], *(_optional_utc(row[name]) for name in _TIMES))
                    )
        return {id_: sorted(rows, key=lambda record: record.start) for id_, rows in records.items()}

    def revisions(
        self, query: AggregateQuery, since: Instant, until: Instant
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the revisions of ``query``'s resources that start at ``since <= t < until``.

        :returns: the attributes that ``query`` groups by
        """
        conditions = [
            *query.conditions(),
            {">=": {"revision_start": since.isoformat()}},
            {"<": {"revision_start": until.isoformat()}},
        ]
        search = {"and": conditions}
        yield from self._transport.revisions(query.resource_type, search, query.groupby)

    def count(self, resource_type: str, search: Mapping[str, Any]) -> int:
        """Return how many resources match a search."""
        url, parameters = f"v1/search/resource/{resource_type}", {"attrs": ["id"]}
        pages = self._transport.pages("POST", url, parameters, body=search)
        return sum(len(rows) for rows, _ in pages)


def _list(content: Any, name: str) -> list[Any]:
    if not isinstance(content, list):
        raise errors.InvalidResponse(f"cannot parse Gnocchi's {name} response: it is not a list")
    return content


def _optional_utc(text: str | None) -> Any:
    return None if text is None else utc(text)

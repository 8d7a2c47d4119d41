"""What Gnocchi knows of metrics and resources, rather than what was measured."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.formats import utc
from ratekit.collectors.gnocchi.api.transport import PAGE, Transport, sensible

#: Ids in one search for resources, which seldom have more than a few revisions each.
_IDS = 200

Instant = datetime.datetime
#: A metric as a listing has it: (its id, its resource's id, its archive policy's name).
Listed = tuple[str, str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class LiveResource:
    """A resource that was there at some time, and one metric of it.

    :ivar since: start of the first revision that was looked for
    """

    resource: str
    metric: str
    since: Instant


@dataclasses.dataclass(frozen=True, slots=True)
class Ownership:
    """Whose a resource is.

    :ivar scopes: whose it is and was
    :ivar ended: when it ceased to exist; None: it has not. Gnocchi finds it all the same
    """

    scopes: frozenset[str]
    ended: Instant | None


class Index:
    """Gnocchi's index, asked through its REST API.

    Each of its methods raises :class:`ratekit.errors.TryLater` and
    :class:`ratekit.errors.OperatorError` as :meth:`Transport.ask` does.
    """

    def __init__(self, transport: Transport) -> None:
        self._ask = transport.ask
        self._pages = transport.pages
        self._revisions = transport.revisions

    def archive_policies(self) -> list[Policy]:
        """Return all archive policies."""
        rows = self._ask("GET", "v1/archive_policy")
        if not isinstance(rows, list):
            raise errors.InvalidResponse("Gnocchi's archive policies are not a list")
        with sensible("archive policies"):
            return [Policy.read(row) for row in rows]

    def metrics(
        self, name: str, policy: str | None = None, limit: int = PAGE
    ) -> Iterator[tuple[list[Listed], bool]]:
        """Yield pages of the metrics of one name that belong to resources of any type.

        :param policy: only those under this archive policy
        :returns: (rows, whether there are more)
        """
        known = {"name": name, **({} if policy is None else {"archive_policy_name": policy})}
        for rows, more in self._pages("GET", "v1/metric", known, limit):
            with sensible("metrics"):
                yield (
                    [
                        (row["id"], row["resource_id"], row["archive_policy"]["name"])
                        for row in rows
                        if row["resource_id"] is not None
                    ],
                    more,
                )

    def owners(
        self, resource_type: str, scope_key: str, ids: Collection[str]
    ) -> dict[str, Ownership]:
        """Return whose each of these resources is and was; absent: it is of another type."""
        owners: dict[str, Ownership] = {}
        ordered = sorted(ids)
        for first in range(0, len(ordered), _IDS):
            search = {"in": {"id": ordered[first : first + _IDS]}}
            # By start, so the last one is the present.
            for row in self._revisions(resource_type, search, ("id", scope_key, "ended_at")):
                with sensible("resources"):
                    id_, scope, ended = row["id"], row[scope_key], row["ended_at"]
                    scopes = owners[id_].scopes if id_ in owners else frozenset()
                    scopes = scopes if scope is None else scopes | {scope}
                    owners[id_] = Ownership(scopes, None if ended is None else utc(ended))
        return owners

    def living(self, question: AggregateQuery, until: Instant) -> Iterator[LiveResource]:
        """Yield the resources of ``question`` that were there from its start to ``until``."""
        start = question.start.isoformat()
        conditions = [
            *question.conditions(),
            {"<": {"revision_start": until.isoformat()}},
            {"or": [{">=": {"revision_end": start}}, {"=": {"revision_end": None}}]},
            {"or": [{">=": {"ended_at": start}}, {"=": {"ended_at": None}}]},
        ]
        attributes = ("id", "revision_start", "metrics")
        for row in self._revisions(question.resource_type, {"and": conditions}, attributes):
            with sensible("resources"):
                metric = row["metrics"].get(question.metric)
                since = utc(row["revision_start"])
                if metric is not None:
                    yield LiveResource(row["id"], metric, since)

    def policies_of(
        self, metrics: Collection[str], question: AggregateQuery, after: Instant
    ) -> dict[str, str]:
        """Return the archive policies' names of metrics given by id.

        :param after: an instant after which nothing was measured, so that nothing is read
        """
        answer = self._measures(metrics, question, after, details="true")
        with sensible("metrics"):
            return {row["id"]: row["archive_policy"]["name"] for row in answer["references"]}

    def newest(
        self, metrics: Collection[str], question: AggregateQuery, since: Instant
    ) -> dict[str, Instant]:
        """Return the begin of the newest aggregate of metrics given by id.

        Absent where it is before ``since``.
        """
        answer = self._measures(metrics, question, since)
        with sensible("measures"):
            return {
                id_: utc(rows[-1][0])
                for id_, of_one in answer["measures"].items()
                if (rows := of_one[question.aggregation_method])
            }

    def backlog(self) -> int:
        """Return the number of measures that metricd has not processed."""
        answer = self._ask("GET", "v1/status", params={"details": "false"})
        with sensible("status"):
            return int(answer["storage"]["summary"]["measures"])

    def count(self, resource_type: str, search: Mapping[str, Any]) -> int:
        """Return how many resources a search finds."""
        url, known = f"v1/search/resource/{resource_type}", {"attrs": ["id"]}
        return sum(len(rows) for rows, _ in self._pages("POST", url, known, body=search))

    def _measures(
        self, metrics: Collection[str], question: AggregateQuery, start: Instant, **more: str
    ) -> Any:
        method = question.aggregation_method
        operations = ["metric", *([id_, method] for id_ in sorted(metrics))]
        parameters = {"start": start.isoformat(), "granularity": question.granularity, **more}
        return self._ask(
            "POST", "v1/aggregates", params=parameters, body={"operations": operations}
        )

"""What ratekit asks Gnocchi, request by request."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from gnocchiclient import client as gnocchi_client

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.formats import utc
from ratekit.collectors.gnocchi.api.index import Index
from ratekit.collectors.gnocchi.api.transport import PAGE, Transport, sensible
from ratekit.domain.usage.lifetime import End

Instant = datetime.datetime


class Client:
    """Gnocchi's REST API, version 1.

    :param api: session and endpoint
    :ivar index: what Gnocchi knows of metrics and resources, without their aggregates
    """

    def __init__(self, api: gnocchi_client.SessionClient) -> None:
        self._transport = Transport(api)
        self._ask = self._transport.ask
        self._revisions = self._transport.revisions
        self.index = Index(self._transport)

    def aggregates(self, question: AggregateQuery) -> list[Any]:
        """Return Gnocchi's groups, numbers as Decimal; none means silence.

        :raises ratekit.errors.TryLater: no answer for now, or one that makes no sense
        :raises ratekit.collectors.gnocchi.api.transport.Lacking: some resource's archive policy
            has not the granularity or the aggregation method
        :raises ratekit.errors.OperatorError: Gnocchi cannot aggregate this
        """
        body = {
            # Any re-aggregation gives the same within one resource's bucket.
            "operations": [
                "aggregate",
                "max",
                ["metric", question.metric, question.aggregation_method],
            ],
            "resource_type": question.resource_type,
            "search": {"and": question.conditions()},
        }
        parameters = {
            "groupby": question.groupby,
            "use_history": "true",
            "start": question.start.isoformat(),
            "stop": question.stop.isoformat(),
            "granularity": question.granularity,
        }
        answer = self._ask("POST", "v1/aggregates", params=parameters, body=body)
        if answer is None:
            return []
        if not isinstance(answer, list):
            raise errors.InvalidResponse("Gnocchi's aggregates are not a list")
        return answer

    def attributes(self, resource_type: str) -> frozenset[str] | None:
        """Return the names of a resource type's own attributes; None: no such type."""
        answer = self._ask("GET", f"v1/resource_type/{resource_type}")
        if answer is None:
            return None
        try:
            return frozenset(answer["attributes"])
        except (TypeError, KeyError):
            raise errors.InvalidResponse(
                f"Gnocchi's resource type {resource_type} is senseless"
            ) from None

    def older_revisions(
        self, question: AggregateQuery, starts: Mapping[str, Instant]
    ) -> dict[str, bool]:
        """Return which resources have a revision that starts before the given one.

        :param starts: start of a revision, by resource's id
        :returns: True where the answer to ``question`` took an older one into account, and
            so counted the given one from its start only; absent where there is no older one
        """
        older: dict[str, bool] = {}
        todo = [sorted(starts)]
        while todo:
            ids = todo.pop()
            rows = self._history(question.resource_type, ids, max(starts[one] for one in ids))
            if len(rows) >= PAGE and len(ids) > 1:
                # The page is full, so there may be more.
                todo += [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
                continue
            with sensible("resources"):
                for row in rows:
                    self._note(row, question, starts, older)
        return older

    def ends(self, question: AggregateQuery) -> dict[tuple[str, str], list[End]]:
        """Return ends of resources that are not before ``question.start``.

        Those that were recorded before ``question.stop``.

        :returns: by (resource's id, its scope), in any order
        """
        conditions = [
            *question.conditions(),
            {">=": {"ended_at": question.start.isoformat()}},
            {"<": {"revision_start": question.stop.isoformat()}},
        ]
        attributes = ("id", question.scope_key, "revision_start", "ended_at")
        ends: dict[tuple[str, str], list[End]] = {}
        for row in self._revisions(question.resource_type, {"and": conditions}, attributes):
            with sensible("resources"):
                end = End(utc(row["revision_start"]), utc(row["ended_at"]))
                ends.setdefault((row["id"], row[question.scope_key]), []).append(end)
        return ends

    def _history(self, resource_type: str, ids: list[str], before: Instant) -> list[Any]:
        rows = self._ask(
            "POST", f"v1/search/resource/{resource_type}",
            body={"and": [{"in": {"id": ids}}, {"<": {"revision_start": before.isoformat()}}]},
            params={"history": "true", "sort": "revision_start:asc", "limit": PAGE},
        )  # fmt: skip
        if not isinstance(rows, list):
            raise errors.InvalidResponse("Gnocchi's resources are not a list")
        return rows

    @staticmethod
    def _note(
        row: Any, question: AggregateQuery, starts: Mapping[str, Instant], older: dict[str, bool]
    ) -> None:
        id_ = row["id"]
        if datetime.datetime.fromisoformat(row["revision_start"]) >= starts[id_]:
            return
        end = row["revision_end"]
        asked_for = row[question.scope_key] in question.scopes and (
            end is None or datetime.datetime.fromisoformat(end) >= question.start
        )
        older[id_] = older.get(id_, False) or asked_for

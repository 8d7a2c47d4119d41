"""From the groups of Gnocchi's response to the revisions of resources."""

from __future__ import annotations

import datetime
import itertools
import operator
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Record, require_decimal
from ratekit.collectors.gnocchi.api.formats import label, utc
from ratekit.collectors.gnocchi.api.transport import parsing
from ratekit.domain.usage.counter import Reading
from ratekit.domain.usage.quantities import Resource
from ratekit.domain.usage.revision import Instant, Labels, Revision

#: A resource that started at most so long before its revision was created with it.
_CREATION = datetime.timedelta(seconds=1)


class _Instants(dict[str, datetime.datetime]):
    """Parsed timestamps; resources share their buckets' times, so each is parsed once."""

    def __missing__(self, text: str) -> datetime.datetime:
        self[text] = instant = utc(text)
        return instant


class AggregateResponse:
    """Gnocchi's response to a query with history, and what was asked to complete it.

    :param rows: groups, each one revision of one resource
    :param names: labels in the order wanted; one that is not in ``query.groupby`` is empty
    :ivar query: the query
    :ivar names: the same
    :raises ratekit.errors.InvalidResponse: the response has not the expected form
    """

    def __init__(self, rows: Sequence[Any], names: Sequence[str], query: AggregateQuery) -> None:
        self.query = query
        self.names = tuple(names)
        self._columns = [(name, name in query.groupby) for name in names]
        self._scope_at = self.names.index(query.scope_key)
        self._instants = _Instants()
        self._revisions: dict[str, list[Revision]] = {}
        self._previous: dict[str, Reading] = {}
        #: Resources of which other scopes' revisions were read too.
        self._moved_ids: set[str] = set()
        self._add(rows)
        self._scopes = frozenset(query.scopes)
        self._require_scopes()

    @property
    def ids(self) -> Collection[str]:
        """Ids of the resources."""
        return self._revisions.keys()

    def resources(self) -> Iterator[tuple[str, Resource]]:
        """Yield each resource and its id."""
        for id_, revisions in self._revisions.items():
            yield id_, Resource(revisions, self._previous.get(id_))

    def uncertain_ids(self, until: Instant) -> list[str]:
        """Return the resources with revisions that may matter, but are not in the response.

        Gnocchi leaves out revisions without measures and those of other scopes. There may be
        some where the first revision here starts inside the query and the resource is older,
        between revisions that do not meet, and after the last one.

        :param until: revisions that start from then on do not matter
        """
        start = self.query.start
        return [
            id_
            for id_, revisions in self._revisions.items()
            if _is_uncertain(revisions, start, until)
        ]

    def add_history(self, history: Mapping[str, Sequence[Record]]) -> None:
        """Add the revisions without measures, by resource's id."""
        for id_, records in history.items():
            revisions = {revision.start: revision for revision in self._revisions[id_]}
            for record in records:
                if record.start not in revisions:
                    revisions[record.start] = _without_buckets(record)
            self._revisions[id_] = [
                revisions[start]._replace(reaches_back=index == 0)
                for index, start in enumerate(sorted(revisions))
            ]

    def replace(self, rows: Sequence[Any]) -> None:
        """Put whole resources in the place of the part that belongs to the query's scopes.

        :param rows: groups of a query by ids, whatever the resources' scopes
        """
        self._moved_ids.update(self._add(rows))

    def add_late_resource(
        self, group: Mapping[str, Any], buckets: Sequence[tuple[Instant, Decimal]]
    ) -> None:
        """Add a resource whose first record was made after the time that was queried.

        :param group: the first revision's attributes
        :param buckets: (begin, value of the whole bucket), in order of time
        """
        with parsing("resources"):
            self._revisions[group["id"]] = [self._parse(group, buckets)]

    def counters_without_previous(
        self, until: Instant, gap: datetime.timedelta
    ) -> dict[str, Instant]:
        """Return the first buckets that are compared with one from before the query, if any.

        :param until: resources with a bucket before it have one to compare with
        :param gap: longest distance of two buckets that are compared
        :returns: start of the bucket, by resource's id
        """
        results = {}
        for id_, revisions in self._revisions.items():
            first = min(revision.buckets[0][0] for revision in revisions if revision.buckets)
            if until <= first < self.query.start + gap:
                # The record may be younger than the counter, so all are asked for.
                results[id_] = first
        return results

    def add_previous(self, readings: Mapping[str, Reading]) -> None:
        """Record the last buckets of counters before the query's start, by resource's id."""
        self._previous.update(readings)

    def is_foreign(self, id_: str, labels: Labels) -> bool:
        """Return whether a usage belongs to a scope that is not in the query."""
        return id_ in self._moved_ids and labels[self._scope_at] not in self._scopes

    def scope(self, labels: Labels) -> str:
        """Return the scope of a usage."""
        return labels[self._scope_at] or ""

    def _add(self, rows: Sequence[Any]) -> set[str]:
        """Add groups; return the ids of their resources."""
        with parsing("aggregates"):
            parsed = [(row["group"]["id"], self._parse_group(row)) for row in rows]
        parsed.sort(key=lambda pair: (pair[0], pair[1].start))
        ids = set()
        for id_, pairs in itertools.groupby(parsed, key=operator.itemgetter(0)):
            revisions = [revision for _, revision in pairs]
            for revision, successor in itertools.pairwise(revisions):
                if revision.start == successor.start:
                    # It would be charged twice.
                    raise errors.InvalidResponse("Gnocchi returned a resource's revision twice")
            if len(revisions) > 1:
                revisions[1:] = [
                    revision._replace(reaches_back=False) for revision in revisions[1:]
                ]
            self._revisions[id_] = revisions
            ids.add(id_)
        return ids

    def _parse_group(self, row: Any) -> Revision:
        instants = self._instants
        return self._parse(
            row["group"],
            _ascending(
                [
                    (instants[begin], require_decimal(value))
                    for begin, _granularity, value in row["measures"]["measures"]["aggregated"]
                ]
            ),
        )

    def _parse(self, group: Mapping[str, Any], buckets: Sequence[Any]) -> Revision:
        end, started_at, ended_at = (
            group["revision_end"], group.get("started_at"), group.get("ended_at"),
        )  # fmt: skip
        instants = self._instants
        labels = tuple([label(group[name]) if is_read else "" for name, is_read in self._columns])
        return Revision(
            labels,
            instants[group["revision_start"]],
            None if end is None else instants[end],
            True,
            buckets,
            None if started_at is None else instants[started_at],
            None if ended_at is None else instants[ended_at],
            labels[self._scope_at],
        )

    def _require_scopes(self) -> None:
        for revisions in self._revisions.values():
            for revision in revisions:
                if revision.scope not in self._scopes:
                    raise errors.InvalidResponse(
                        f"Gnocchi returned a resource of {self.query.scope_key} "
                        f"{revision.scope!r}, which is not in the query"
                    )


def _is_uncertain(revisions: Sequence[Revision], start: Instant, until: Instant) -> bool:
    first, last = revisions[0], revisions[-1]
    if last.end is not None and last.end < until:
        return True
    if first.start > start and (
        first.started_at is None or first.started_at < first.start - _CREATION
    ):
        return True
    if len(revisions) == 1:
        return False
    return any(
        revision.end != successor.start for revision, successor in itertools.pairwise(revisions)
    )


def _without_buckets(record: Record) -> Revision:
    return Revision(
        (), record.start, record.end, False, (), record.started_at, record.ended_at, record.scope
    )


def _ascending(buckets: list[tuple[datetime.datetime, Decimal]]) -> list[Any]:
    """Raise if a bucket occurs twice: it would count twice."""
    if any(bucket[0] >= successor[0] for bucket, successor in itertools.pairwise(buckets)):
        raise ValueError("buckets are not in order of time")
    return buckets

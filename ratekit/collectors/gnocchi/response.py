"""From the groups of Gnocchi's response to series."""

from __future__ import annotations

import datetime
import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.formats import utc
from ratekit.collectors.gnocchi.api.transport import parsing
from ratekit.domain import exact
from ratekit.domain.series import Series
from ratekit.domain.usage.lifetime import End
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.quantities import Reduction, usages
from ratekit.domain.usage.revision import Labels, Revision
from ratekit.domain.usage.trace import TraceStep, trace_usages

Points = dict[datetime.datetime, Decimal]

#: A resource that started at most so long before its revision was created with it.
_CREATION = datetime.timedelta(seconds=1)


class _Instants(dict[str, datetime.datetime]):
    """Parsed timestamps; resources share their buckets' times, so each is parsed once."""

    def __missing__(self, text: str) -> datetime.datetime:
        self[text] = instant = utc(text)
        return instant


class _Row(NamedTuple):
    """One group of a response: a revision of a resource."""

    id: str
    start: datetime.datetime
    end: datetime.datetime | None
    started_at: datetime.datetime | None
    ended_at: datetime.datetime | None
    labels: Labels
    buckets: list[tuple[datetime.datetime, Decimal]]


class AggregateResponse:
    """Gnocchi's response to a query with history.

    :param rows: groups, each one revision of one resource
    :param names: labels in the order wanted; one that is not in ``query.groupby`` is empty
    :ivar query: the query
    :ivar is_empty: whether there are no groups
    :raises ratekit.errors.InvalidResponse: the response has not the expected form
    """

    def __init__(self, rows: Sequence[Any], names: Sequence[str], query: AggregateQuery) -> None:
        self.query = query
        self.is_empty = not rows
        self._names = tuple(names)
        self._columns = [(name, name in query.groupby) for name in names]
        self._instants = _Instants()
        with parsing("aggregates"):
            revisions = sorted(map(self._parse, rows), key=operator.itemgetter(0, 1))
        self._resources: dict[str, list[Revision]] = {}
        self._uncertain_starts: dict[str, datetime.datetime] = {}
        self._ends: Mapping[tuple[str, str], Sequence[End]] = {}
        for id_, resource_rows in itertools.groupby(revisions, key=operator.itemgetter(0)):
            self._add(id_, list(resource_rows))

    def uncertain_starts(self) -> Mapping[str, datetime.datetime]:
        """Return the resources whose first revision here may not be their first.

        It starts inside or after a bucket, and the resource is older than that. The response
        is the same in three cases: the record was made after the first measures; a scope that
        is not in the query had the resource before; an older revision has no measures.

        :returns: start of the first revision, by resource's id
        """
        return self._uncertain_starts

    def add_older_revisions(self, older: Mapping[str, bool]) -> None:
        """Record that these resources have older revisions.

        :param older: True: Gnocchi took them into account, so it scaled the first revision here
            from its start; False: they were not in the query
        """
        for id_, is_in_query in older.items():
            first, *successors = self._resources[id_]
            first = first._replace(reaches_back=False, stretched=not is_in_query)
            self._resources[id_] = [first, *successors]

    def add_ends(self, ends: Mapping[tuple[str, str], Sequence[End]]) -> None:
        """Record ends of resources, by (resource's id, its scope)."""
        self._ends = ends

    def series(self, metric: Metric, groupby: int, reduction: Reduction) -> Iterator[Series]:
        """Yield one series for each distinct set of labels.

        :param groupby: how many of the names are ``groupby``; the others are metadata
        :raises ratekit.errors.InvalidResponse: a resource belongs to a scope that was not queried
        """
        scope_at = self._scope_at
        scopes = frozenset(self.query.scopes)
        for labels, points in self._points(reduction).items():
            scope = labels[scope_at]
            if scope not in scopes:
                raise errors.InvalidResponse(
                    f"Gnocchi returned a resource of {self.query.scope_key} {scope!r}, which is "
                    "not in the query"
                )
            yield Series(
                scope=scope,
                metric=metric.public_name,
                unit=metric.unit,
                groupby=dict(zip(self._names[:groupby], labels, strict=False)),
                metadata=dict(zip(self._names[groupby:], labels[groupby:], strict=True)),
                points=list(points.items()),
            )

    def steps(self, groupby: int, reduction: Reduction) -> Iterator[TraceStep]:
        """Yield how the quantities of :meth:`series` are computed, resource by resource.

        Slow: for the display of a few.

        :param groupby: how many of the names are ``groupby``
        """
        scope_at = self._scope_at
        for revisions, ends in self._by_scope():
            for labels, trace in trace_usages(revisions, reduction, ends):
                yield TraceStep(
                    scope=labels[scope_at] or "",
                    groupby=dict(zip(self._names[:groupby], labels, strict=False)),
                    metadata=dict(zip(self._names[groupby:], labels[groupby:], strict=True)),
                    trace=trace,
                )

    @property
    def _scope_at(self) -> int:
        return self._names.index(self.query.scope_key)

    def _points(self, reduction: Reduction) -> dict[Labels, Points]:
        """Return quantities by labels and start of the period.

        Resources with equal labels are one usage, so they add up.
        """
        points_of: dict[Labels, Points] = {}
        for revisions, ends in self._by_scope():
            for labels, begin, quantity in usages(revisions, reduction, ends):
                points = points_of.setdefault(labels, {})
                if begin in points:
                    quantity = exact.EXACT.add(points[begin], quantity)
                points[begin] = quantity
        return points_of

    def _by_scope(self) -> Iterator[tuple[Sequence[Revision], Sequence[End]]]:
        """Yield the revisions of each resource within each scope, by start, and its ends.

        A resource that changed its scope is billed to each scope as if the other did not
        exist, so no scope's bill depends on which scopes are queried together.
        """
        scope_at = self._scope_at
        for id_, revisions in self._resources.items():
            by_scope: dict[str | None, list[Revision]] = {}
            if len(revisions) == 1:
                by_scope[revisions[0].labels[scope_at]] = revisions
            else:
                for revision in revisions:
                    by_scope.setdefault(revision.labels[scope_at], []).append(revision)
            for scope, scope_revisions in by_scope.items():
                yield scope_revisions, self._ends.get((id_, scope or ""), ()) if self._ends else ()

    def _add(self, id_: str, rows: list[_Row]) -> None:
        """Add one resource's rows, sorted by start."""
        revisions = [
            Revision(
                row.labels, row.start, row.end, index == 0, row.buckets, False,
                row.started_at, row.ended_at,
            )
            for index, row in enumerate(rows)
        ]  # fmt: skip
        for revision, successor in itertools.pairwise(revisions):
            if revision.start == successor.start:
                # It would be charged twice.
                raise errors.InvalidResponse("Gnocchi returned a resource's revision twice")
        self._resources[id_] = revisions
        first = rows[0]
        inside = first.buckets and first.buckets[0][0] < first.start
        if inside and (first.started_at is None or first.started_at < first.start - _CREATION):
            self._uncertain_starts[id_] = first.start

    def _parse(self, row: Any) -> _Row:
        group = row["group"]
        end = group["revision_end"]
        started_at = group.get("started_at")
        ended_at = group.get("ended_at")
        instants = self._instants
        return _Row(
            group["id"],
            instants[group["revision_start"]],
            None if end is None else instants[end],
            None if started_at is None else instants[started_at],
            None if ended_at is None else instants[ended_at],
            tuple([_label(group[name]) if is_read else "" for name, is_read in self._columns]),
            _ascending(
                [
                    (instants[begin], value if type(value) is Decimal else _refuse(value))
                    for begin, _granularity, value in row["measures"]["measures"]["aggregated"]
                ]
            ),
        )


def _label(value: Any) -> str | None:
    return value if value is None or type(value) is str else str(value)


def _ascending(buckets: list[tuple[datetime.datetime, Decimal]]) -> list[Any]:
    """Raise if a bucket occurs twice: it would count twice."""
    if any(bucket[0] >= successor[0] for bucket, successor in itertools.pairwise(buckets)):
        raise ValueError("buckets are not in order of time")
    return buckets


def _refuse(value: Any) -> Decimal:
    raise TypeError(f"{value!r} is not a number")

"""From the groups that Gnocchi returns to series."""

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
from ratekit.domain import exact
from ratekit.domain.series import Series
from ratekit.domain.usage.lifetime import End
from ratekit.domain.usage.metric import Metric
from ratekit.domain.usage.quantities import Reduction, usages
from ratekit.domain.usage.revision import Labels, Revision
from ratekit.domain.usage.trace import TraceStep, trace_usages

Points = dict[datetime.datetime, Decimal]


#: A resource that started so shortly before a revision was created with it.
_AT_ONCE = datetime.timedelta(seconds=1)


class _Instants(dict[str, datetime.datetime]):
    """Parsed timestamps: resources share their buckets' times, so each is parsed once."""

    def __missing__(self, text: str) -> datetime.datetime:
        self[text] = instant = utc(text)
        return instant


class _Row(NamedTuple):
    """One group of an answer: a revision of a resource."""

    id: str
    start: datetime.datetime
    end: datetime.datetime | None
    started_at: datetime.datetime | None
    ended_at: datetime.datetime | None
    labels: Labels
    buckets: list[tuple[datetime.datetime, Decimal]]


class AggregateResponse:
    """One answer of Gnocchi's, with history.

    :param rows: groups, each one revision of one resource
    :param names: labels in the order wanted; one that was not asked for is an empty label
    :param question: what was asked
    :raises ratekit.errors.Senseless: the answer makes no sense
    """

    def __init__(self, rows: Sequence[Any], names: Sequence[str], question: AggregateQuery) -> None:
        self._names = tuple(names)
        self._scope_key = question.scope_key
        self._scopes = frozenset(question.scopes)
        self._asked = [(name, name in question.groupby) for name in names]
        self._instants = _Instants()
        try:
            parsed = sorted(map(self._parse, rows), key=operator.itemgetter(0, 1))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise errors.InvalidResponse(
                f"Gnocchi's aggregates are senseless: {error!r}"
            ) from error
        self._resources: dict[str, list[Revision]] = {}
        self._doubtful: dict[str, datetime.datetime] = {}
        self._ends: Mapping[tuple[str, str], Sequence[End]] = {}
        for id_, of_one in itertools.groupby(parsed, key=operator.itemgetter(0)):
            self._take(id_, list(of_one))

    def doubtful(self) -> Mapping[str, datetime.datetime]:
        """Return the resources whose first revision here may not be their first.

        It starts inside or after a bucket, and the resource is older than that.
        Either its record was made after its first measures, or somebody who was not asked
        for had it before, or an older revision has no measures: the answer looks the same.

        :returns: start of the first revision, by resource's id
        """
        return self._doubtful

    def resolve(self, older: Mapping[str, bool]) -> None:
        """Take note that these resources have older revisions.

        :param older: True: Gnocchi knew when it answered, and scaled the first revision here
            from its start; False: the older ones were out of the question
        """
        for id_, known in older.items():
            first, *others = self._resources[id_]
            first = first._replace(reaches_back=False, stretched=not known)
            self._resources[id_] = [first, *others]

    def note(self, ends: Mapping[tuple[str, str], Sequence[End]]) -> None:
        """Take note of resources' ends, by (resource's id, its scope)."""
        self._ends = ends

    def series(self, metric: Metric, groupby: int, how: Reduction) -> Iterator[Series]:
        """Yield one series for each distinct set of labels.

        :param groupby: how many of the names are ``groupby``; the others are metadata
        :raises ratekit.errors.Senseless: the answer makes no sense
        """
        scope_at = self._names.index(self._scope_key)
        for labels, points in self._used(how).items():
            scope = labels[scope_at]
            if scope not in self._scopes:
                raise errors.InvalidResponse(
                    f"Gnocchi returned a resource of {self._scope_key} {scope!r}, which was not "
                    "asked for"
                )
            yield Series(
                scope=scope,
                metric=metric.public_name,
                unit=metric.unit,
                groupby=dict(zip(self._names[:groupby], labels, strict=False)),
                metadata=dict(zip(self._names[groupby:], labels[groupby:], strict=True)),
                points=list(points.items()),
            )

    def steps(self, groupby: int, how: Reduction) -> Iterator[TraceStep]:
        """Yield how the quantities of :meth:`series` come about, resource by resource.

        Slow: for people who look at a few.

        :param groupby: how many of the names are ``groupby``
        """
        scope_at = self._names.index(self._scope_key)
        for revisions, ends in self._by_scope():
            for labels, trace in trace_usages(revisions, how, ends):
                yield TraceStep(
                    scope=labels[scope_at] or "",
                    groupby=dict(zip(self._names[:groupby], labels, strict=False)),
                    metadata=dict(zip(self._names[groupby:], labels[groupby:], strict=True)),
                    trace=trace,
                )

    def _used(self, how: Reduction) -> dict[Labels, Points]:
        """Quantities by labels and period's begin.

        Resources that are not told apart by their labels are one usage, so they add up.
        """
        used: dict[Labels, Points] = {}
        for revisions, ends in self._by_scope():
            for labels, begin, quantity in usages(revisions, how, ends):
                points = used.setdefault(labels, {})
                if begin in points:
                    quantity = exact.EXACT.add(points[begin], quantity)
                points[begin] = quantity
        return used

    def _by_scope(self) -> Iterator[tuple[Sequence[Revision], Sequence[End]]]:
        """Yield the revisions of each resource within each scope, by start, and its ends.

        A resource that changed hands is billed to each scope as if the other did not exist,
        so that no scope's bill depends on which scopes are asked for together.
        """
        scope_at = self._names.index(self._scope_key)
        for id_, revisions in self._resources.items():
            by_scope: dict[str | None, list[Revision]] = {}
            if len(revisions) == 1:
                by_scope[revisions[0].labels[scope_at]] = revisions
            else:
                for revision in revisions:
                    by_scope.setdefault(revision.labels[scope_at], []).append(revision)
            for scope, of_one in by_scope.items():
                yield of_one, self._ends.get((id_, scope or ""), ()) if self._ends else ()

    def _take(self, id_: str, rows: list[_Row]) -> None:
        """Keep one resource's rows, which come in order of their starts."""
        revisions = [
            Revision(
                row.labels, row.start, row.end, index == 0, row.buckets, False,
                row.started_at, row.ended_at,
            )
            for index, row in enumerate(rows)
        ]  # fmt: skip
        for one, other in itertools.pairwise(revisions):
            if one.start == other.start:
                # It would be charged twice.
                raise errors.InvalidResponse("Gnocchi returned a resource's revision twice")
        self._resources[id_] = revisions
        first = rows[0]
        inside = first.buckets and first.buckets[0][0] < first.start
        if inside and (first.started_at is None or first.started_at < first.start - _AT_ONCE):
            self._doubtful[id_] = first.start

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
            tuple([_label(group[name]) if asked else "" for name, asked in self._asked]),
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
    """Refuse a bucket that comes twice: it would count twice."""
    if any(one[0] >= other[0] for one, other in itertools.pairwise(buckets)):
        raise ValueError("buckets are not in the order of their times")
    return buckets


def _refuse(value: Any) -> Decimal:
    raise TypeError(f"{value!r} is no number")

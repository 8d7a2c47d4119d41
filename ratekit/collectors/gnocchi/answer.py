"""From the groups that Gnocchi returns to series."""

from __future__ import annotations

import datetime
import itertools
import operator
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from ratekit import errors
from ratekit.domain import exact
from ratekit.domain.metric import Metric
from ratekit.domain.revision import Labels, Reduction, Revision, usages
from ratekit.domain.series import Series

Points = dict[datetime.datetime, Decimal]


class _Instants(dict[str, datetime.datetime]):
    """Parsed timestamps: resources share their buckets' times, so each is parsed once."""

    def __missing__(self, text: str) -> datetime.datetime:
        instant = datetime.datetime.fromisoformat(text)
        if instant.utcoffset() is None:
            instant = instant.replace(tzinfo=datetime.UTC)
        self[text] = instant = instant.astimezone(datetime.UTC)
        return instant


class Answer:
    """One answer of Gnocchi's, with history.

    :param rows: groups, each one revision of one resource
    :param names: labels in the order wanted; an attribute that did not come is an empty label
    :param scope_key: the label that says who is billed
    :raises ratekit.errors.TryLater: the answer makes no sense
    """

    def __init__(self, rows: Sequence[Any], names: Sequence[str], scope_key: str) -> None:
        self._names = tuple(names)
        self._scope_key = scope_key
        self._instants = _Instants()
        try:
            parsed = sorted(map(self._parse, rows), key=operator.itemgetter(0, 1))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise errors.TryLater(f"Gnocchi's aggregates are senseless: {error!r}") from error
        self._resources = {
            id_: _history(revisions)
            for id_, revisions in itertools.groupby(parsed, key=operator.itemgetter(0))
        }

    def stretched(self, granularity: datetime.timedelta) -> dict[str, datetime.datetime]:
        """Return the resources whose first revision has buckets from before its start.

        Either the record was made after the first measures, or somebody who was not asked
        for had the resource before: the answer looks the same.

        :returns: start of the first revision, by resource's id
        """
        return {
            id_: first.start
            for id_, (first, *_) in self._resources.items()
            if first.buckets and first.buckets[0][0] + granularity <= first.start
        }

    def cut(self, ids: Collection[str], granularity: datetime.timedelta) -> None:
        """Drop what the first revisions of these resources have from before their start."""
        for id_ in ids:
            first, *others = self._resources[id_]
            buckets = [one for one in first.buckets if one[0] + granularity > first.start]
            self._resources[id_] = [first._replace(buckets=buckets), *others]

    def series(self, metric: Metric, groupby: int, how: Reduction) -> Iterator[Series]:
        """Yield one series for each distinct set of labels.

        :param groupby: how many of the names are ``groupby``; the others are metadata
        :raises ratekit.errors.TryLater: the answer makes no sense
        """
        scope_at = self._names.index(self._scope_key)
        for labels, points in self._used(how).items():
            scope = labels[scope_at]
            if scope is None:
                raise errors.TryLater(f"Gnocchi returned a resource without {self._scope_key}")
            yield Series(
                scope=scope,
                metric=metric.public_name,
                unit=metric.unit,
                groupby=dict(zip(self._names[:groupby], labels, strict=False)),
                metadata=dict(zip(self._names[groupby:], labels[groupby:], strict=True)),
                points=list(points.items()),
            )

    def _used(self, how: Reduction) -> dict[Labels, Points]:
        """Quantities by labels and period's begin.

        Resources that are not told apart by their labels are one usage, so they add up.
        """
        used: dict[Labels, Points] = {}
        for revisions in self._by_scope():
            for labels, begin, quantity in usages(revisions, how):
                points = used.setdefault(labels, {})
                if begin in points:
                    quantity = exact.EXACT.add(points[begin], quantity)
                points[begin] = quantity
        return used

    def _by_scope(self) -> Iterator[Sequence[Revision]]:
        """Yield the revisions of each resource within each scope, by start.

        A resource that changed hands is billed to each scope as if the other did not exist,
        so that no scope's bill depends on which scopes are asked for together.
        """
        scope_at = self._names.index(self._scope_key)
        for revisions in self._resources.values():
            if len(revisions) == 1:
                yield revisions
                continue
            by_scope: dict[str | None, list[Revision]] = {}
            for revision in revisions:
                by_scope.setdefault(revision.labels[scope_at], []).append(revision)
            yield from by_scope.values()

    def _parse(
        self, row: Any
    ) -> tuple[str, datetime.datetime, datetime.datetime | None, Labels, list[Any]]:
        group = row["group"]
        end = group["revision_end"]
        instants = self._instants
        return (
            group["id"],
            instants[group["revision_start"]],
            None if end is None else instants[end],
            tuple([_label(group.get(name, "")) for name in self._names]),
            [
                (instants[begin], value if type(value) is Decimal else _refuse(value))
                for begin, _granularity, value in row["measures"]["measures"]["aggregated"]
            ],
        )


def _label(value: Any) -> str | None:
    return value if value is None or type(value) is str else str(value)


def _refuse(value: Any) -> Decimal:
    raise TypeError(f"{value!r} is no number")


def _history(rows: Iterable[Any]) -> list[Revision]:
    """One resource's revisions, from parsed rows in order of their starts."""
    revisions = [
        Revision(labels, start, end, reaches_back=index == 0, buckets=buckets)
        for index, (_, start, end, labels, buckets) in enumerate(rows)
    ]
    for one, other in itertools.pairwise(revisions):
        if one.start == other.start:
            # It would be charged twice.
            raise errors.TryLater("Gnocchi returned a resource's revision twice")
    return revisions

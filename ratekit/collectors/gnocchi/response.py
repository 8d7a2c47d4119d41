"""From the groups of Gnocchi's response to the revisions of resources."""

from __future__ import annotations

import collections
import datetime
import itertools
import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Record
from ratekit.collectors.gnocchi.api.formats import label, utc
from ratekit.collectors.gnocchi.api.group import AggregateGroup
from ratekit.collectors.gnocchi.api.transport import parsing
from ratekit.collectors.gnocchi.plain_resource import PlainResource, Timeline, Timelines
from ratekit.domain.usage.counter import Reading
from ratekit.domain.usage.quantities import Resource
from ratekit.domain.usage.revision import Instant, Labels, Revision

#: A resource that started at most so long before its revision was created with it.
_CREATION = datetime.timedelta(seconds=1)
_TEXT = frozenset({str, type(None)})


class _Instants(dict[str, datetime.datetime]):
    """Parsed timestamps; resources share their buckets' times, so each is parsed once."""

    def __missing__(self, text: str) -> datetime.datetime:
        self[text] = instant = utc(text)
        return instant


class AggregateResponse:
    """Gnocchi's response to a query with history, and what was asked to complete it.

    :param groups: each one revision of one resource
    :param names: labels in the order wanted; one that is not in ``query.groupby`` is empty
    :ivar query: the query
    :ivar names: the same
    :raises ratekit.errors.InvalidResponse: the response has not the expected form
    """

    def __init__(
        self, groups: Sequence[AggregateGroup], names: Sequence[str], query: AggregateQuery
    ) -> None:
        self.query = query
        self.names = tuple(names)
        self._pick_labels = _label_picker(self.names, query.groupby)
        self._scope_at = self.names.index(query.scope_key)
        # Where usage is prorated, the first bucket may be of a period that has just begun.
        self._started_before = query.start - query.period
        self._plain: dict[str, PlainResource] = {}
        #: All other resources.
        self._revisions: dict[str, list[Revision]] = {}
        self._previous: dict[str, Reading] = {}
        #: Resources of which other scopes' revisions were read too.
        self._moved_ids: set[str] = set()
        self._add(groups, self._is_plain)
        self._scopes = frozenset(query.scopes)
        self._require_scopes()

    def ids(self) -> Collection[str]:
        """Return the ids of the resources."""
        return {*self._plain, *self._revisions}

    def plain_resources(self) -> Collection[PlainResource]:
        """Return the resources to which nothing happened that the response shows."""
        return self._plain.values()

    def other_resources(self) -> Iterator[tuple[str, Resource]]:
        """Yield each resource that is not among :meth:`plain_resources`, and its id."""
        for id_, revisions in self._revisions.items():
            yield id_, Resource(revisions, self._previous.get(id_))

    def resources(self) -> Iterator[tuple[str, Resource]]:
        """Yield each resource and its id."""
        for plain in self._plain.values():
            yield plain.id, self.resource(plain)
        yield from self.other_resources()

    def resource(self, plain: PlainResource) -> Resource:
        """Return a plain resource in the form of all others."""
        return Resource([plain.revision()], self._previous.get(plain.id))

    def uncertain_ids(self, until: Instant) -> list[str]:
        """Return the resources with revisions that may matter, but are not in the response.

        Gnocchi leaves out revisions without measures and those of other scopes. There may be
        some where the first revision here starts inside the query and the resource is older,
        between revisions that do not meet, and after the last one.

        :param until: revisions that start from then on do not matter
        """
        start = self.query.start
        # A plain resource is older than the query, and its only revision is the current one.
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

    def replace(self, groups: Sequence[AggregateGroup]) -> None:
        """Put whole resources in the place of the part that belongs to the query's scopes.

        :param groups: of a query by ids, whatever the resources' scopes
        """
        self._moved_ids.update(self._add(groups, lambda _revision, _timeline: False))

    def add_late_resource(
        self, group: Mapping[str, Any], buckets: Sequence[tuple[Instant, Decimal]]
    ) -> None:
        """Add a resource whose first record was made after the time that was queried.

        :param group: the first revision's attributes
        :param buckets: (begin, value of the whole bucket), in order of time
        """
        with parsing("resources"):
            revision = self._parse(group, _Instants())
            self._revisions[group["id"]] = [revision._replace(buckets=buckets)]

    def counters_without_previous(
        self, until: Instant, gap: datetime.timedelta
    ) -> dict[str, Instant]:
        """Return the first buckets that are compared with one from before the query, if any.

        :param until: resources with a bucket before it have one to compare with
        :param gap: longest distance of two buckets that are compared
        :returns: start of the bucket, by resource's id
        """
        firsts = {id_: plain.timeline.begins[0] for id_, plain in self._plain.items()}
        for id_, revisions in self._revisions.items():
            firsts[id_] = min(revision.buckets[0][0] for revision in revisions if revision.buckets)
        # The record may be younger than the counter, so all are asked for.
        stop = self.query.start + gap
        return {id_: first for id_, first in firsts.items() if until <= first < stop}

    def add_previous(self, readings: Mapping[str, Reading]) -> None:
        """Record the last buckets of counters before the query's start, by resource's id."""
        self._previous.update(readings)

    def is_foreign(self, id_: str, labels: Labels) -> bool:
        """Return whether a usage belongs to a scope that is not in the query."""
        return id_ in self._moved_ids and labels[self._scope_at] not in self._scopes

    def scope(self, labels: Labels) -> str:
        """Return the scope of a usage."""
        return labels[self._scope_at] or ""

    def _add(
        self, groups: Sequence[AggregateGroup], is_plain: Callable[[Revision, Timeline], bool]
    ) -> set[str]:
        """Add groups; return the ids of their resources."""
        instants = _Instants()
        timelines = Timelines(instants)
        revisions_of: dict[str, list[Revision]] = {}
        with parsing("aggregates"):
            counts = collections.Counter([group.attributes["id"] for group in groups])
            for group in groups:
                id_, values = group.attributes["id"], group.values
                revision = self._parse(group.attributes, instants)
                timeline = timelines[group.begins]
                if counts[id_] == 1 and is_plain(revision, timeline):
                    self._plain[id_] = PlainResource(id_, revision, timeline, values)
                else:
                    buckets = list(zip(timeline.begins, values, strict=True))
                    revisions_of.setdefault(id_, []).append(revision._replace(buckets=buckets))
        for id_, revisions in revisions_of.items():
            self._plain.pop(id_, None)
            self._revisions[id_] = _in_order(revisions)
        return {*counts}

    def _parse(self, attributes: Mapping[str, Any], instants: Mapping[str, Instant]) -> Revision:
        """Return a resource's first revision, without its buckets."""
        start, end, started_at, ended_at = (
            attributes["revision_start"], attributes["revision_end"],
            attributes.get("started_at"), attributes.get("ended_at"),
        )  # fmt: skip
        labels = self._pick_labels(attributes)
        if not _TEXT.issuperset(map(type, labels)):
            labels = tuple(map(label, labels))
        return Revision(
            labels,
            instants[start],
            None if end is None else instants[end],
            True,
            (),
            None if started_at is None else instants[started_at],
            None if ended_at is None else instants[ended_at],
            labels[self._scope_at],
        )

    def _is_plain(self, revision: Revision, timeline: Timeline) -> bool:
        """Return whether a resource whose only revision this is is plain."""
        start, started_at = self.query.start, revision.started_at
        return (
            revision.end is None
            and revision.ended_at is None
            and revision.start <= start
            and (started_at is None or started_at <= self._started_before)
            and bool(timeline.begins)
            and timeline.begins[0] >= start
        )

    def _require_scopes(self) -> None:
        revisions = itertools.chain(*self._revisions.values())
        plain = (plain.record for plain in self._plain.values())
        scopes = {revision.scope for revision in itertools.chain(plain, revisions)}
        for scope in scopes - self._scopes:
            raise errors.InvalidResponse(
                f"Gnocchi returned a resource of {self.query.scope_key} {scope!r}, which is not "
                "in the query"
            )


def _label_picker(
    names: Sequence[str], available: Collection[str]
) -> Callable[[Mapping[str, Any]], Labels]:
    """Return what reads the labels of a group; one that is not available is empty."""
    absent = {name: "" for name in names if name not in available}
    if len(names) == 1:
        [name] = names
        return lambda attributes: (attributes[name],)
    pick: Any = operator.itemgetter(*names)
    return (lambda attributes: pick({**attributes, **absent})) if absent else pick


def _in_order(revisions: list[Revision]) -> list[Revision]:
    """Return a resource's revisions by start, of which only the first one reaches back."""
    if len(revisions) == 1:
        return revisions
    revisions.sort(key=operator.attrgetter("start"))
    for revision, successor in itertools.pairwise(revisions):
        if revision.start == successor.start:
            # It would be charged twice.
            raise errors.InvalidResponse("Gnocchi returned a resource's revision twice")
    first, *successors = revisions
    return [first, *(revision._replace(reaches_back=False) for revision in successors)]


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

"""Asks for what a response does not show: other scopes' time, older values, late records."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client, Record
from ratekit.collectors.gnocchi.api.formats import utc
from ratekit.collectors.gnocchi.api.transport import parsing
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.domain.period import EPOCH, Window
from ratekit.domain.usage.counter import Counter, Reading

#: Resources that are asked for together whose records were made late.
_LATE_IDS = 2000
#: Buckets that are read together in search of the last one before a gap.
_MAX_BUCKETS = 500_000


@dataclasses.dataclass(frozen=True, slots=True)
class Knowledge:
    """Which records and values count.

    :ivar until: records that were made before this instant count
    :ivar counter: how the metric's counters are read; None: it is not a counter
    :ivar window: the periods that are wanted
    """

    until: datetime.datetime
    counter: Counter | None
    window: Window


class Completion:
    """Completes responses with few requests: none where nothing has changed.

    Every method raises as :class:`ratekit.collectors.gnocchi.api.client.Client` does.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def complete(self, response: AggregateResponse, knowledge: Knowledge) -> None:
        """Add revisions that the response lacks, other scopes' parts, and older values."""
        if knowledge.until > response.query.stop:
            self._add_late_resources(response, knowledge.until)
        ids = response.uncertain_ids(knowledge.until)
        if ids:
            history = self._client.history(response.query, ids, knowledge.until)
            moved_ids = [id_ for id_ in ids if _has_moved(history.get(id_, ()), response.query)]
            if moved_ids:
                query = _by_ids(response.query, moved_ids)
                response.replace(self._client.aggregates(query))
            response.add_history(history)
        if knowledge.counter is not None:
            self._add_previous(response, knowledge.counter, knowledge.window.begin)

    def _add_late_resources(self, response: AggregateResponse, until: datetime.datetime) -> None:
        """Add resources whose first record was made after the time that is queried.

        Gnocchi finds no measures of a time before the record in a query with history.
        """
        query, ids_in_response = response.query, response.ids()
        groups: dict[str, Mapping[str, Any]] = {}
        starts: dict[str, datetime.datetime] = {}
        for group in self._client.revisions(query, query.stop, until):
            with parsing("resources"):
                id_, start = group["id"], utc(group["revision_start"])
            if id_ not in ids_in_response and (id_ not in starts or start < starts[id_]):
                groups[id_], starts[id_] = group, start
        values: dict[str, list[Reading]] = {}
        for ids in _slices(groups, _LATE_IDS):
            values |= self._client.values(_by_ids(query, ids))
        if not values:
            return
        scopes = frozenset(query.scopes)
        history = self._client.history(query, values, until)
        for id_, buckets in values.items():
            first = next(iter(history.get(id_, ())), None)
            # Measures of a time at which another scope had the resource are not its own.
            if first is not None and first.start >= query.stop and first.scope in scopes:
                response.add_late_resource(groups[id_], buckets)
                response.add_history({id_: history[id_]})

    def _add_previous(
        self, response: AggregateResponse, counter: Counter, until: datetime.datetime
    ) -> None:
        """Look for the last values of counters that were silent before the window."""
        firsts = response.counters_without_previous(until, counter.gap)
        if not firsts:
            return
        start = max(min(firsts.values()) - counter.gap, EPOCH)
        period = dataclasses.replace(response.query, start=start, stop=response.query.start)
        granularity = datetime.timedelta(seconds=period.granularity)
        buckets_each = max((period.stop - start) // granularity, 1)
        for ids in _slices(firsts, max(_MAX_BUCKETS // buckets_each, 1)):
            values = self._client.values(_by_ids(period, ids))
            response.add_previous({id_: buckets[-1] for id_, buckets in values.items()})


def _slices(ids: Collection[str], size: int) -> Iterator[Sequence[str]]:
    """Yield the ids in slices, so that neither a query nor its response grows without bound."""
    sorted_ids = sorted(ids)
    for first in range(0, len(sorted_ids), size):
        yield sorted_ids[first : first + size]


def _by_ids(query: AggregateQuery, ids: Collection[str]) -> AggregateQuery:
    """Return the query of these resources, whatever their scopes."""
    return dataclasses.replace(query, any_scope=True, resource_ids=ids, excluded_ids=())


def _has_moved(records: Sequence[Record], query: AggregateQuery) -> bool:
    """Return whether another scope had the resource during the query."""
    scopes = frozenset(query.scopes)
    return any(
        record.scope not in scopes
        and record.start < query.stop
        and (record.end is None or record.end > query.start)
        for record in records
    )

"""Small fakes that tests share; each keeps the promises of what it stands in for."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Record
from ratekit.collectors.gnocchi.api.group import AggregateGroup, read_groups
from ratekit.domain.period import Window
from ratekit.domain.rules.catalog import NO_NAMES, Catalog, NameChange
from ratekit.domain.rules.history import ChangeNote, ChangeRecord
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import Series, Shared
from ratekit.domain.usage.metric import Metric
from ratekit.interfaces import (
    Collector,
    CommitResult,
    Fetcher,
    Ledger,
    Observation,
    Pricer,
    RatedBatch,
    RatingModule,
    RuleStore,
)

Instant = datetime.datetime


# Gnocchi's history ----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Phase:
    """A revision as Gnocchi keeps it; ``end`` None is the present one."""

    start: Instant
    end: Instant | None
    attributes: Mapping[str, str | None]
    ended_at: Instant | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A resource of one metric.

    :ivar phases: oldest first
    :ivar buckets: begin -> stored aggregate, of one granularity
    :ivar started_at: by default the start of the first phase
    """

    id: str
    phases: Sequence[Phase]
    buckets: Mapping[Instant, float]
    started_at: Instant | None = None


class History:
    """Answers as Gnocchi 4.7's ``POST /v1/aggregates`` with ``use_history`` does.

    Follows ``gnocchi.rest.aggregates.api``: which revisions are found, how the first of them
    is stretched, and how a bucket is multiplied, in binary, by what a revision covers of it.
    """

    def __init__(self, resources: Sequence[Resource], names: Collection[str] = ()) -> None:
        self.resources = resources
        self.names = frozenset(names)
        self.queries: list[AggregateQuery] = []
        self.histories = 0

    def attributes(self, resource_type: str) -> frozenset[str] | None:
        return self.names

    def take_response_share(self) -> float:
        return 0.0

    def archive_policies(self) -> list[Any]:
        return []

    def aggregates(self, query: AggregateQuery) -> list[AggregateGroup]:
        self.queries.append(query)
        rows = [
            row
            for resource in self.resources
            for row in self._rows(resource, query)
            if row["measures"]["measures"]["aggregated"]
        ]
        text = json.dumps(rows, default=lambda instant: instant.isoformat())
        return read_groups(text.encode()) or []

    def values(self, query: AggregateQuery) -> dict[str, list[tuple[Instant, Decimal]]]:
        """Whole buckets of the resources that exist now, whatever their history."""
        self.queries.append(query)
        values = {}
        for resource in self.resources:
            buckets = [
                (begin, Decimal(repr(value)))
                for begin, value in sorted(resource.buckets.items())
                if query.start <= begin < query.stop
            ]
            if buckets and self._is_asked(resource, query):
                values[resource.id] = buckets
        return values

    def history(
        self, query: AggregateQuery, ids: Collection[str], until: Instant
    ) -> dict[str, list[Record]]:
        self.histories += 1
        return {
            resource.id: [
                Record(
                    phase.attributes[query.scope_key],
                    phase.start,
                    phase.end,
                    resource.started_at or resource.phases[0].start,
                    phase.ended_at,
                )
                for phase in resource.phases
                if phase.start < until and (phase.end is None or phase.end >= query.start)
            ]
            for resource in self.resources
            if resource.id in ids
        }

    def revisions(
        self, query: AggregateQuery, since: Instant, until: Instant
    ) -> Iterator[Mapping[str, Any]]:
        for resource in self.resources:
            for phase in resource.phases:
                if since <= phase.start < until and self._owns(phase, query):
                    yield self._group(resource, phase, query)

    def _is_asked(self, resource: Resource, query: AggregateQuery) -> bool:
        return query.resource_ids is None or resource.id in query.resource_ids

    def _owns(self, phase: Phase, query: AggregateQuery) -> bool:
        return query.any_scope or phase.attributes[query.scope_key] in query.scopes

    def _found(self, resource: Resource, query: AggregateQuery) -> list[Any]:
        return [
            phase
            for phase in resource.phases
            if phase.start < query.stop
            and (phase.end is None or phase.end >= query.start)
            and self._owns(phase, query)
            and self._is_asked(resource, query)
        ]

    def _rows(self, resource: Resource, query: AggregateQuery) -> Iterator[Any]:
        found = self._found(resource, query)
        granularity = datetime.timedelta(seconds=query.granularity)
        for index, phase in enumerate(found):
            begin = query.start if index == 0 else max(phase.start, query.start)
            end = query.stop if phase.end is None else min(phase.end, query.stop)
            aggregated = [
                (at, query.granularity, value * _cover(at, granularity, begin, end))
                for at, value in sorted(resource.buckets.items())
                if at + granularity > begin and at < end
            ]
            yield {
                "group": self._group(resource, phase, query),
                "measures": {"measures": {"aggregated": aggregated}},
            }

    def _group(self, resource: Resource, phase: Phase, query: AggregateQuery) -> dict[str, Any]:
        attributes = {
            **phase.attributes, "id": resource.id,
            "revision_start": phase.start, "revision_end": phase.end,
            "started_at": resource.started_at or resource.phases[0].start,
            "ended_at": phase.ended_at,
        }  # fmt: skip
        return {
            name: value.isoformat() if isinstance(value, datetime.datetime) else value
            for name in query.groupby
            for value in [attributes[name]]
        }


def _cover(at: Instant, granularity: datetime.timedelta, begin: Instant, end: Instant) -> float:
    return (min(end, at + granularity) - max(begin, at)) / granularity


# The interfaces ---------------------------------------------------------------------------


class FakeFetcher(Fetcher):
    """Lists ``listed_scopes``, or raises ``error``."""

    def __init__(self, *ids: str) -> None:
        self.listed_scopes = [Scope(one) for one in ids]
        self.error: Exception | None = None

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        return cls()

    def scopes(self) -> Collection[Scope]:
        if self.error is not None:
            raise self.error
        return list(self.listed_scopes)


@dataclasses.dataclass(frozen=True, slots=True)
class CollectCall:
    """One call of a collector."""

    metric: str
    window: Window
    scopes: tuple[str, ...]


class FakeCollector(Collector):
    """Every scope uses one of every metric in every period.

    :ivar calls: all calls, in order
    :ivar failures: tried in order on each call; one that returns an error fails the call
    :ivar silent_metrics: names of metrics without usage
    """

    extra_args = type(None)

    def __init__(self) -> None:
        self.calls: list[CollectCall] = []
        self.failures: list[Callable[[CollectCall], Exception | None]] = []
        self.silent_metrics: set[str] = set()

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        return cls()

    def validate(self, metric: Metric) -> Mapping[str, str]:
        return {}

    def collect(
        self,
        metric: Metric,
        window: Window,
        scopes: Collection[str],
        records_until: datetime.datetime | None = None,
    ) -> Iterator[Series]:
        call = CollectCall(metric.public_name, window, tuple(scopes))
        self.calls.append(call)
        for failure in self.failures:
            error = failure(call)
            if error is not None:
                raise error
        for scope in () if metric.public_name in self.silent_metrics else scopes:
            points = [(begin, Decimal(1)) for begin in window.begins()]
            yield Series(scope, metric.public_name, metric.unit, {"project_id": scope}, {}, points)


class FakeRules(RuleStore):
    """Keeps price rules in memory; tests may replace ``book``. It keeps no records of changes.

    The contract tests run over it.

    :ivar last_end: end of the last period that was rated; :class:`FakeLedger` sets it
    """

    def __init__(self, version: int = 1) -> None:
        self.book = RuleBook(version, ())
        self.last_end: Instant | None = None
        self._last_id = 0

    def read(self, last_book: RuleBook | None = None) -> RuleBook:
        if last_book is not None and last_book.version == self.book.version:
            return last_book
        return self.book

    def change(
        self,
        version: int,
        close: Collection[tuple[Rule, Instant]],
        add: Collection[Rule],
        note: ChangeNote,
        unrated_since: Instant | None = None,
        names: NameChange = NO_NAMES,
    ) -> int:
        ends = {rule.id: end for rule, end in close}
        if version != self.book.version:
            raise errors.OutdatedRules(f"the rules were changed since version {version}")
        if not ends.keys() <= {rule.id for rule in self.book.rules}:
            raise ValueError("a rule to close is not in the store")
        if unrated_since is not None and (self.last_end or unrated_since) > unrated_since:
            raise errors.OutdatedRules("a period has been rated")
        rules = [
            dataclasses.replace(rule, terms=dataclasses.replace(rule.terms, end=ends[rule.id]))
            if rule.id in ends
            else rule
            for rule in self.book.rules
        ]
        for rule in add:
            self._last_id += 1
            rules.append(dataclasses.replace(rule, id=self._last_id))
        self.book = RuleBook(version + 1, tuple(rules))
        return self.book.version

    def catalog(self, last_catalog: Catalog | None = None) -> Catalog:
        raise NotImplementedError

    def records(self, limit: int | None = None) -> Sequence[ChangeRecord]:
        raise NotImplementedError

    def last_rated_end(self) -> Instant | None:
        return self.last_end


@dataclasses.dataclass(slots=True)
class FakeGap:
    """Time in which a scope is not rated; ``resume`` None: it is still missing.

    :ivar last_instant: the last instant before it
    """

    last_instant: Instant
    resume: Instant | None = None


class FakeLedger(Ledger):
    """Keeps scopes and frames in memory, for one thread and one series a scope and metric.

    The contract tests run over it. What it does not promise: limits of ids, texts and numbers,
    search for stopped usage, and nothing written by a commit that fails.

    :ivar states: by scope's id
    :ivar active: ids of active scopes
    :ivar frames: (scope, metric, begin) -> (quantity, price)
    :ivar shared: (scope, metric, begin) -> what the quantity is a share of
    :ivar commits: all batches, in order
    :ivar errors: scope's id -> why it was postponed last, since its last success
    """

    def __init__(self, rules: FakeRules) -> None:
        self._rules = rules
        self._gaps: dict[str, list[FakeGap]] = {}
        self.states: dict[str, State] = {}
        self.active: set[str] = set()
        self.frames: dict[tuple[str, str, Instant], tuple[Decimal, Decimal]] = {}
        self.shared: dict[tuple[str, str, Instant], Shared] = {}
        self.commits: list[RatedBatch] = []
        self.errors: dict[str, str] = {}

    def observe(
        self, scopes: Collection[Scope], now: Instant, start: Instant, resume: Instant
    ) -> Observation:
        scopes_by_id = {scope.id: scope for scope in scopes}
        new, returned = [], []
        retired = self._retire_missing(scopes_by_id.keys(), now)
        for scope in scopes_by_id.values():
            state = self.states.get(scope.id)
            if state is None:
                new.append(scope)
                state = State(len(self.states) + 1, scope, start, now)
            elif self._close_gap(state, resume):
                returned.append(scope)
            last_seen = max(state.last_seen, now)
            self.states[scope.id] = dataclasses.replace(state, scope=scope, last_seen=last_seen)
        self.active |= scopes_by_id.keys()
        for id_, state in self.states.items():
            for gap in self._gaps.get(id_, ()):
                if gap.resume is not None and gap.last_instant < state.rated_until < gap.resume:
                    state = dataclasses.replace(state, rated_until=gap.resume)
            self.states[id_] = state
        states = [self._observed(state) for id_, state in self.states.items() if id_ in self.active]
        return Observation(tuple(states), tuple(new), tuple(returned), tuple(retired))

    def _retire_missing(self, current_ids: Collection[str], now: Instant) -> list[Scope]:
        retired = []
        for id_, state in self.states.items():
            if id_ in current_ids or state.last_seen >= now:
                continue
            gaps = self._gaps.setdefault(id_, [])
            if not any(gap.resume is None for gap in gaps):
                gaps.append(FakeGap(state.last_seen))
            if id_ in self.active and state.rated_until > state.last_seen:
                self.active.discard(id_)
                retired.append(state.scope)
        return retired

    def _close_gap(self, state: State, resume: Instant) -> bool:
        """Return whether a listed scope was missing, or inactive, before."""
        gaps = self._gaps.setdefault(state.scope.id, [])
        gap = next((gap for gap in gaps if gap.resume is None), None)
        active = state.scope.id in self.active
        if gap is None:
            return not active
        if resume <= gap.last_instant:
            gaps.remove(gap)
            return not active
        gap.resume = resume
        return True

    def metrics_with_usage(self) -> Collection[str]:
        return {metric for _, metric, _ in self.frames}

    def _observed(self, state: State) -> State:
        ends = [
            gap.last_instant
            for gap in self._gaps.get(state.scope.id, ())
            if gap.resume is not None and gap.last_instant >= state.rated_until
        ]
        return dataclasses.replace(state, last_seen=min([state.last_seen, *ends]))

    def commit(self, batch: RatedBatch) -> CommitResult:
        if batch.rules_version != self._rules.book.version:
            raise errors.RulesChanged("the rules are newer")
        self.commits.append(batch)
        advanced = {
            state.scope.id
            for state in batch.states
            if state.scope.id in self.active
            and self.states[state.scope.id].rated_until == batch.window.begin
        }
        frame_count = 0
        for rated in batch.series:
            if rated.series.scope not in advanced:
                continue
            for (begin, quantity), price in zip(rated.series.points, rated.prices, strict=True):
                key = (rated.series.scope, rated.series.metric, begin)
                assert key not in self.frames, f"{key} is charged twice"
                self.frames[key] = (quantity, price)
                if begin in rated.series.shared:
                    self.shared[key] = rated.series.shared[begin]
                frame_count += 1
        for id_ in advanced:
            self.errors.pop(id_, None)
            self.states[id_] = dataclasses.replace(
                self.states[id_], rated_until=batch.window.end, failures=0, retry_at=None
            )
        if advanced:
            self._rules.last_end = max(batch.window.end, self._rules.last_end or batch.window.end)
        lost = tuple(state.scope for state in batch.states if state.scope.id not in advanced)
        return CommitResult(frame_count, lost)

    def refresh(self, states: Sequence[State]) -> Sequence[State]:
        return [
            dataclasses.replace(
                state,
                rated_until=current.rated_until,
                failures=current.failures,
                retry_at=current.retry_at,
                resets=current.resets,
            )
            for state in states
            if state.scope.id in self.active and (current := self.states[state.scope.id])
        ]

    def postpone(self, states: Collection[State], error: str, retry_at: Instant) -> None:
        for state in states:
            current = self.states[state.scope.id]
            if current.rated_until == state.rated_until:
                self.errors[state.scope.id] = error
                self.states[state.scope.id] = dataclasses.replace(
                    current, failures=state.failures + 1, retry_at=retry_at
                )


class FakeModule(RatingModule):
    """Adds to the price before, then multiplies.

    :ivar compiled: versions of the books it was given
    """

    def __init__(self, add: int, times: int = 1) -> None:
        self._add = add
        self._times = times
        self.compiled: list[int] = []

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        return cls(0)

    def compile(self, book: RuleBook) -> Pricer:
        self.compiled.append(book.version)

        def price(series: Series, prices: Sequence[Decimal]) -> Sequence[Decimal]:
            return [(one + self._add) * self._times for one in prices]

        return price

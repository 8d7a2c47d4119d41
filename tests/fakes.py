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
from ratekit.domain.period import Window
from ratekit.domain.rules.history import ChangeNote, ChangeRecord
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import Series
from ratekit.domain.usage.lifetime import End
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

    def attributes(self, resource_type: str) -> frozenset[str] | None:
        return self.names

    def archive_policies(self) -> list[Any]:
        return []

    def aggregates(self, query: AggregateQuery) -> list[Any]:
        self.queries.append(query)
        rows = [
            row
            for resource in self.resources
            for row in self._rows(resource, query)
            if row["measures"]["measures"]["aggregated"]
        ]
        text = json.dumps(rows, default=lambda instant: instant.isoformat())
        answer: list[Any] = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        return answer

    def older_revisions(
        self, query: AggregateQuery, starts: Mapping[str, Instant]
    ) -> dict[str, bool]:
        older = {}
        for resource in self.resources:
            before = [
                phase
                for phase in resource.phases
                if resource.id in starts and phase.start < starts[resource.id]
            ]
            if before:
                older[resource.id] = any(
                    phase in self._found(resource, query) for phase in before
                )
        return older

    def ends(self, query: AggregateQuery) -> dict[tuple[str, str], list[End]]:
        ends: dict[tuple[str, str], list[End]] = {}
        for resource in self.resources:
            for phase in resource.phases:
                scope = phase.attributes[query.scope_key]
                if (
                    scope is not None
                    and scope in query.scopes
                    and phase.ended_at is not None
                    and phase.ended_at >= query.start
                    and phase.start < query.stop
                ):
                    known = ends.setdefault((resource.id, scope), [])
                    known.append(End(phase.start, phase.ended_at))
        return ends

    def _found(self, resource: Resource, query: AggregateQuery) -> list[Any]:
        return [
            phase
            for phase in resource.phases
            if phase.start < query.stop
            and (phase.end is None or phase.end >= query.start)
            and phase.attributes[query.scope_key] in query.scopes
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
            known = {
                **phase.attributes, "id": resource.id,
                "revision_start": phase.start, "revision_end": phase.end,
                "started_at": resource.started_at or resource.phases[0].start,
                "ended_at": phase.ended_at,
            }  # fmt: skip
            yield {
                "group": {name: known[name] for name in query.groupby},
                "measures": {"measures": {"aggregated": aggregated}},
            }


def _cover(at: Instant, granularity: datetime.timedelta, begin: Instant, end: Instant) -> float:
    return (min(end, at + granularity) - max(begin, at)) / granularity


# The interfaces ---------------------------------------------------------------------------


class FakeFetcher(Fetcher):
    """Lists ``listed``, or raises ``error``."""

    def __init__(self, *ids: str) -> None:
        self.listed = [Scope(one) for one in ids]
        self.error: Exception | None = None

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        return cls()

    def scopes(self) -> Collection[Scope]:
        if self.error is not None:
            raise self.error
        return list(self.listed)


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One call of a collector."""

    metric: str
    window: Window
    scopes: tuple[str, ...]


class FakeCollector(Collector):
    """Every scope uses one of every metric in every period.

    :ivar asked: all calls, in order
    :ivar failures: tried in order on each call; one that returns an error fails the call
    """

    extra_args = type(None)

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.failures: list[Callable[[Asked], Exception | None]] = []

    @classmethod
    def from_conf(cls, conf: Any) -> Self:
        return cls()

    def validate(self, metric: Metric) -> Mapping[str, str]:
        return {}

    def collect(self, metric: Metric, window: Window, scopes: Collection[str]) -> Iterator[Series]:
        asked = Asked(metric.public_name, window, tuple(scopes))
        self.asked.append(asked)
        for failure in self.failures:
            error = failure(asked)
            if error is not None:
                raise error
        for scope in scopes:
            points = [(begin, Decimal(1)) for begin in window.begins()]
            yield Series(scope, metric.public_name, metric.unit, {"project_id": scope}, {}, points)


class FakeRules(RuleStore):
    """A rule book that tests replace."""

    def __init__(self) -> None:
        self.book = RuleBook(1, ())

    def read(self, last_book: RuleBook | None = None) -> RuleBook:
        return known if known is not None and known.version == self.book.version else self.book

    def change(
        self,
        version: int,
        close: Collection[tuple[Rule, Instant]],
        add: Collection[Rule],
        note: ChangeNote,
        require_unrated: bool = False,
    ) -> int:
        if version != self.book.version:
            raise errors.OperatorError("the rules have changed meanwhile")
        self.book = RuleBook(version + 1, (*self.book.rules, *add))
        return self.book.version

    def records(self, limit: int | None = None) -> Sequence[ChangeRecord]:
        return ()

    def last_rated_end(self) -> Instant | None:
        return None


class FakeLedger(Ledger):
    """Keeps everything in memory.

    :ivar states: by scope's id
    :ivar active: ids of active scopes
    :ivar frames: (scope, metric, begin) -> (quantity, price)
    :ivar errors: scope's id -> why it was postponed last
    """

    def __init__(self, rules: FakeRules) -> None:
        self._rules = rules
        self.states: dict[str, State] = {}
        self.active: set[str] = set()
        self.frames: dict[tuple[str, str, Instant], tuple[Decimal, Decimal]] = {}
        self.commits: list[RatedBatch] = []
        self.errors: dict[str, str] = {}

    def observe(
        self, scopes: Collection[Scope], now: Instant, start: Instant, resume: Instant
    ) -> Observation:
        added, returned, retired = [], [], []
        for scope in scopes:
            known = self.states.get(scope.id)
            if known is None:
                added.append(scope)
                known = State(len(self.states) + 1, scope, start, now)
            elif scope.id not in self.active:
                returned.append(scope)
                known = dataclasses.replace(known, rated_until=max(known.rated_until, resume))
            self.active.add(scope.id)
            self.states[scope.id] = dataclasses.replace(known, last_seen=now)
        listed = {scope.id for scope in scopes}
        for id_ in sorted(self.active - listed):
            if self.states[id_].rated_until > self.states[id_].last_seen:
                self.active.discard(id_)
                retired.append(self.states[id_].scope)
        states = [state for id_, state in self.states.items() if id_ in self.active]
        return Observation(states, added, returned, retired)

    def commit(self, batch: RatedBatch) -> CommitResult:
        if batch.rules_version != self._rules.book.version:
            raise errors.RulesChanged("the rules are newer")
        self.commits.append(batch)
        seen = {state.scope.id: state for state in batch.states}
        lost = {
            id_ for id_, state in seen.items()
            if self.states[id_].rated_until != state.rated_until
        }  # fmt: skip
        frames = 0
        for rated in batch.series:
            if rated.series.scope in lost:
                continue
            for (begin, quantity), price in zip(rated.series.points, rated.prices, strict=True):
                key = (rated.series.scope, rated.series.metric, begin)
                assert key not in self.frames, f"{key} is charged twice"
                self.frames[key] = (quantity, price)
                frames += 1
        for id_ in seen.keys() - lost:
            self.states[id_] = dataclasses.replace(
                self.states[id_], rated_until=batch.window.end, failures=0, retry_at=None
            )
        return CommitResult(frames, [state.scope for id_, state in seen.items() if id_ in lost])

    def postpone(self, states: Collection[State], error: str, retry_at: Instant) -> None:
        for state in states:
            known = self.states[state.scope.id]
            self.errors[state.scope.id] = error
            self.states[state.scope.id] = dataclasses.replace(
                known, failures=state.failures + 1, retry_at=retry_at
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

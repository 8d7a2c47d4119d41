"""Frames, totals and states in SQL: each period is charged exactly once."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from ratekit.domain.schedule.clocks import ClockReading
from ratekit.domain.scope import Scope, State
from ratekit.interfaces import CommitResult, Ledger, Observation, RatedBatch
from ratekit.storage.db import commit
from ratekit.storage.db.engine import Database
from ratekit.storage.db.types import WORD, fits_word
from ratekit.storage.ledger import (
    daily_totals,
    exclusions,
    frames,
    metric_sets,
    observing,
    stopped_usage,
    sums,
)
from ratekit.storage.ledger import scopes as scope_states
from ratekit.storage.ledger.descriptors import Descriptors, Resolver
from ratekit.storage.rules import version
from ratekit.storage.schema import DESCRIPTORS

LOG = logging.getLogger(__name__)


class _BatchSums(NamedTuple):
    """What a batch adds up to, by period and by day."""

    totals: Sequence[sums.Total]
    days: Sequence[sums.Total]

    def of_scopes(self, scope_pks: Collection[int]) -> _BatchSums:
        """Return the sums of some of the scopes."""
        return _BatchSums(
            [total for total in self.totals if total.scope_pk in scope_pks],
            [day for day in self.days if day.scope_pk in scope_pks],
        )


class _Write(NamedTuple):
    """What the transaction of one batch did.

    :ivar advanced_pks: row ids of the scopes that it advanced
    """

    advanced_pks: frozenset[int]
    result: CommitResult


class SqlLedger(Ledger):
    """Stores the orchestrator's work; safe beside any number of other processors.

    Each method may be called again with the same arguments, whatever the outcome of the last
    call was.

    :param database: at the newest revision
    :param origin: what is stored with each scope
    """

    def __init__(self, database: Database, origin: scope_states.ScopeOrigin) -> None:
        self._database = database
        self._origin = origin
        self._descriptors = Descriptors()
        self._unstorable_ids: frozenset[str] = frozenset()

    def observe(
        self,
        scopes: Collection[Scope],
        now: datetime.datetime,
        start: datetime.datetime,
        resume: datetime.datetime,
    ) -> Observation:
        """Record which scopes the fetcher lists at ``now``, by a constant number of statements.

        A scope whose id no database can store is not rated; one WARNING reports it for as long
        as it is listed.
        """
        storable_scopes = [scope for scope in scopes if fits_word(scope.id)]
        self._warn_of_unstorable(
            {scope.id for scope in scopes} - {scope.id for scope in storable_scopes}
        )
        with self._database.writing() as connection:
            return observing.observe(connection, self._origin, storable_scopes, now, start, resume)

    def read_clock(self) -> ClockReading | None:
        """Return the reading of the database server's clock; None: the database has no server.

        :raises ratekit.errors.TryLater: the database did not answer
        """
        return self._database.read_clock()

    def commit(self, batch: RatedBatch) -> CommitResult:
        """Write frames, totals, daily totals and new states in one transaction.

        It takes at most 13 statements, whatever the size of the batch is; four more for each slice
        of its series after the first one, one more for each part of its daily totals after the
        first one, up to six more where usage stops or resources are excluded, and two more on a
        Galera cluster.

        The batch's series are read twice: to check them and add them up, and to write them.
        Everything that can be computed or refused in advance is: the transaction locks rows.
        If the reply to COMMIT does not tell the outcome, the states show it. Scopes that another
        processor advanced are lost, whatever it wrote.
        """
        scope_pks = {state.scope.id: state.scope_pk for state in batch.states}
        totals = sums.sum_up(batch.series, scope_pks)
        batch_sums = _BatchSums(totals, sums.sum_days(totals))
        metrics = metric_sets.MetricSet.of(batch.metrics)
        texts = frames.begin_texts(batch.window.begins())
        frames.require_begins(totals, texts)

        writer = commit.new_writer()
        resolver = self._descriptors.resolver()

        def change(connection: sa.Connection) -> _Write:
            return _write(connection, batch, batch_sums, metrics, texts, writer, resolver)

        def read_outcome(connection: sa.Connection, write: _Write) -> commit.Outcome:
            return scope_states.read_outcome(
                connection, write.advanced_pks, batch.window.begin, writer
            )

        write = commit.write(self._database, change, read_outcome)
        if write is None:
            lost = tuple(state.scope for state in batch.states)
            return CommitResult(frames=0, lost_scopes=lost)
        resolver.remember()
        return write.result

    def refresh(self, states: Sequence[State]) -> Sequence[State]:
        """Return the current states of scopes, by one statement."""
        with self._database.reading() as connection:
            return scope_states.refresh(connection, states)

    def postpone(self, states: Collection[State], error: str, retry_at: datetime.datetime) -> None:
        """Record a failure of scopes that no other processor has rated meanwhile."""
        with self._database.writing() as connection:
            scope_states.postpone(connection, states, error, retry_at)

    def metrics_with_usage(self) -> Collection[str]:
        """Return the public names of all metrics that ever had frames; reads all descriptors."""
        with self._database.reading() as connection:
            return frozenset(connection.scalars(sa.select(DESCRIPTORS.c.metric).distinct()))

    def _warn_of_unstorable(self, ids: set[str]) -> None:
        """Warn once of each id, until it is no longer listed."""
        for scope_id in sorted(ids - self._unstorable_ids):
            LOG.warning(
                "scope %.40r... is not rated: databases cannot store its id, which is longer "
                "than %d characters or contains a NUL or an unpaired surrogate",
                scope_id,
                WORD,
            )
        self._unstorable_ids = frozenset(ids)


def _write(
    connection: sa.Connection,
    batch: RatedBatch,
    batch_sums: _BatchSums,
    metrics: metric_sets.MetricSet,
    texts: frames.BeginTexts,
    writer: int,
    resolver: Resolver,
) -> _Write:
    version.require(connection, batch.rules_version)
    pks = scope_states.swap(connection, batch.states, batch.window, metrics, writer)
    advanced = [state for state in batch.states if state.scope_pk in pks]
    scope_pks = {state.scope.id: state.scope_pk for state in advanced}
    totals, days = batch_sums.of_scopes(pks)
    frame_count = frames.write_frames(connection, batch.series, scope_pks, resolver, texts)
    # Before the totals are written: it reads those of earlier batches.
    changes = stopped_usage.record(connection, pks, batch.window, batch.metrics, totals)
    frames.write_totals(connection, totals, texts)
    daily_totals.add(connection, days)
    exclusions.record(connection, scope_pks, batch.window, batch.exclusions)
    result = CommitResult(
        frames=frame_count,
        lost_scopes=tuple(state.scope for state in batch.states if state.scope_pk not in pks),
        stopped_usage=_with_scopes(batch.states, changes.stopped),
        resumed_usage=_with_scopes(batch.states, changes.resumed),
    )
    return _Write(pks, result)


def _with_scopes(
    states: Sequence[State], pairs: Iterable[stopped_usage.Pair]
) -> tuple[tuple[Scope, str], ...]:
    scopes = {state.scope_pk: state.scope for state in states}
    return tuple((scopes[scope_pk], metric) for scope_pk, metric in pairs)

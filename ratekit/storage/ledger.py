"""Frames, totals and states in SQL: each period is charged exactly once."""

from __future__ import annotations

import datetime
from collections.abc import Collection

from ratekit.domain.scope import Scope, State
from ratekit.interfaces import Committed, Ledger, Observation, RatedBatch
from ratekit.storage import frames, versions
from ratekit.storage import states as scope_states
from ratekit.storage.descriptors import Descriptors
from ratekit.storage.engine import Database


class SqlLedger(Ledger):
    """Keeps the orchestrator's work; safe beside any number of other processors.

    :param database: at the newest revision
    :param origin: what is kept with each scope
    """

    def __init__(self, database: Database, origin: scope_states.Origin) -> None:
        self._database = database
        self._origin = origin
        self._descriptors = Descriptors()

    def observe(
        self,
        scopes: Collection[Scope],
        now: datetime.datetime,
        start: datetime.datetime,
        resume: datetime.datetime,
    ) -> Observation:
        """Note which scopes the fetcher lists at ``now``; at most seven statements."""
        with self._database.writing() as connection:
            return scope_states.observe(connection, self._origin, scopes, now, start, resume)

    def commit(self, batch: RatedBatch) -> Committed:
        """Write frames, totals and new states in one transaction.

        What can be computed or refused before the transaction is: while it lasts, rows are
        locked. If its outcome remains unknown, trying again is safe: the states tell.
        """
        begins = frames.begin_texts(batch.window)
        entries = frames.prepare(
            batch.series, {state.scope.id: state.key for state in batch.states}
        )
        totals = frames.sum_up(entries, begins)
        with self._database.writing() as connection:
            versions.require(connection, batch.rules_version)
            won = scope_states.swap(connection, batch.states, batch.window.begin, batch.window.end)
            mine = [entry for entry in entries if entry.key in won]
            ids = self._descriptors.resolve(connection, [one.descriptor for one in mine])
            written = frames.write_frames(connection, mine, ids, begins)
            frames.write_totals(connection, [one for one in totals if one.scope_id in won])
        self._descriptors.remember(ids)
        lost = tuple(state.scope for state in batch.states if state.key not in won)
        return Committed(frames=written, lost=lost)

    def postpone(self, states: Collection[State], error: str, retry_at: datetime.datetime) -> None:
        """Note a failure of scopes that nobody else has rated meanwhile."""
        with self._database.writing() as connection:
            scope_states.postpone(connection, states, error, retry_at)

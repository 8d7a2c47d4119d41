"""Frames, totals and states in SQL: each period is charged exactly once."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Collection, Iterable, Sequence

from ratekit import errors
from ratekit.domain.scope import Scope, State
from ratekit.interfaces import CommitResult, Ledger, Observation, RatedBatch
from ratekit.storage.db.engine import Database
from ratekit.storage.db.errors import CommitUnconfirmed
from ratekit.storage.db.types import fits_word
from ratekit.storage.ledger import exclusions, frames, metric_sets, silence
from ratekit.storage.ledger import scopes as scope_states
from ratekit.storage.ledger.descriptors import Descriptors
from ratekit.storage.rules import version

LOG = logging.getLogger(__name__)


class SqlLedger(Ledger):
    """Keeps the orchestrator's work; safe beside any number of other processors.

    Each method may be called again with the same arguments, whatever became of the last call.

    :param database: at the newest revision
    :param origin: what is kept with each scope
    """

    def __init__(self, database: Database, origin: scope_states.ScopeSource) -> None:
        self._database = database
        self._origin = origin
        self._descriptors = Descriptors()
        self._left_out: frozenset[str] = frozenset()

    def observe(
        self,
        scopes: Collection[Scope],
        now: datetime.datetime,
        start: datetime.datetime,
        resume: datetime.datetime,
    ) -> Observation:
        """Note which scopes the fetcher lists at ``now``; as many statements for any number.

        A scope whose id no database can hold is left out, with one WARNING as long as it is
        listed.
        """
        kept = [scope for scope in scopes if fits_word(scope.id)]
        self._tell_left_out({scope.id for scope in scopes} - {scope.id for scope in kept})
        with self._database.writing() as connection:
            return scope_states.observe(connection, self._origin, kept, now, start, resume)

    def commit(self, batch: RatedBatch) -> CommitResult:
        """Write frames, totals and new states in one transaction.

        What can be computed or refused before the transaction is: while it lasts, rows are
        locked. Where the database did not answer to COMMIT, the states tell what became of
        it; if they cannot be read either, trying again is safe, since they will tell then.
        """
        begins = frames.begin_texts(batch.window)
        keys = {state.scope.id: state.scope_pk for state in batch.states}
        entries = frames.prepare(batch.series, keys)
        totals = frames.sum_up(entries, begins)
        metrics = metric_sets.MetricSet.of(batch.metrics)
        done, won = CommitResult(frames=0), frozenset[int]()
        lost_answer: CommitUnconfirmed | None = None
        try:
            with self._database.writing() as connection:
                version.require(connection, batch.rules_version)
                won = scope_states.swap(connection, batch.states, batch.window, metrics)
                mine = [entry for entry in entries if entry.key in won]
                ids = self._descriptors.resolve(connection, [one.descriptor for one in mine])
                written = frames.write_frames(connection, mine, ids, begins)
                my_totals = [one for one in totals if one.scope_id in won]
                silent = silence.fallen(connection, won, batch.window, batch.metrics, my_totals)
                frames.write_totals(connection, my_totals)
                won_keys = {id_: key for id_, key in keys.items() if key in won}
                exclusions.note(connection, won_keys, batch.window, batch.excluded)
                done = CommitResult(
                    frames=written,
                    lost=_lost(batch.states, won),
                    fallen_silent=_named(batch.states, silent),
                )
        except CommitUnconfirmed as unknown:
            lost_answer = unknown
        if lost_answer is None:
            # Only then: if somebody else has written the batch, the ids are not ours.
            self._descriptors.remember(ids)
        else:
            self._require_written(batch, won, lost_answer)
        return done

    def postpone(self, states: Collection[State], error: str, retry_at: datetime.datetime) -> None:
        """Note a failure of scopes that nobody else has rated meanwhile."""
        with self._database.writing() as connection:
            scope_states.postpone(connection, states, error, retry_at)

    def _require_written(
        self, batch: RatedBatch, won: frozenset[int], unknown: CommitUnconfirmed
    ) -> None:
        """Find out what became of a transaction that got no answer to COMMIT.

        It had locked the rows of ``won``, so whoever locks them now comes after its end, and
        it moved either all of them or none. One that was moved by somebody else was charged
        by somebody else, all the same.

        :raises ratekit.errors.TryLater: nothing was written, or that cannot be found out
        """
        try:
            with self._database.writing() as connection:
                waiting = scope_states.unmoved(connection, won, batch.window.begin)
        except errors.RatekitError as error:
            raise errors.TryLater(f"{unknown}; nor can it be found out: {error}") from error
        if waiting:
            raise errors.TryLater(f"{unknown}: nothing was written") from unknown
        LOG.warning("%s: they were", unknown)

    def _tell_left_out(self, ids: set[str]) -> None:
        """Warn of each id once; of one that went and came back, again."""
        for one in sorted(ids - self._left_out):
            LOG.warning(
                "scope %.40r… is not rated: its id is longer than 255 letters, or holds a NUL "
                "character or half a letter, which databases cannot keep",
                one,
            )
        self._left_out = frozenset(ids)


def _lost(states: Sequence[State], won: frozenset[int]) -> tuple[Scope, ...]:
    return tuple(state.scope for state in states if state.scope_pk not in won)


def _named(
    states: Sequence[State], silent: Iterable[tuple[int, str]]
) -> tuple[tuple[Scope, str], ...]:
    scopes = {state.scope_pk: state.scope for state in states}
    return tuple((scopes[key], metric) for key, metric in silent)

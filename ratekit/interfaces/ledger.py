"""The orchestrator's view of the storage: frames, totals and states."""

from __future__ import annotations

import abc
import dataclasses
import datetime
from collections.abc import Collection, Iterable, Sequence

from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """What the ledger recorded about the scopes that the fetcher listed.

    :ivar states: state of each active scope, listed now or not, that no operator has deactivated
    :ivar new_scopes: scopes that were never listed before
    :ivar returned_scopes: scopes that were missing from an earlier list and are listed again
    :ivar retired_scopes: scopes that are no longer listed, are rated to their end, and have
        become inactive
    """

    states: Sequence[State]
    new_scopes: Sequence[Scope] = ()
    returned_scopes: Sequence[Scope] = ()
    retired_scopes: Sequence[Scope] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class RatedBatch:
    """The rated periods that one transaction writes.

    :ivar window: the periods; every state has ``rated_until == window.begin``
    :ivar states: the scopes that were rated, with or without usage
    :ivar series: their usage and prices, which may be read more than once; all scopes are scopes
        of ``states``
    :ivar rules_version: version of the rule book that the prices come from
    :ivar metrics: public names of all metrics that were collected, with or without usage; unique
    :ivar exclusions: resources of these scopes that the collector excluded
    """

    window: Window
    states: Sequence[State]
    series: Iterable[RatedSeries]
    rules_version: int
    metrics: tuple[str, ...]
    exclusions: Sequence[Exclusion] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CommitResult:
    """What a commit did.

    :ivar frames: number of frames written
    :ivar lost_scopes: scopes that another processor had already rated, or that an operator had
        deactivated or reset; nothing was written for them
    :ivar stopped_usage: scope and public name of each metric that had frames in every earlier
        period that the ledger checks, and has none in the last period or periods of this batch;
        each is reported once
    :ivar resumed_usage: scope and public name of each metric whose usage was reported as stopped
        and has come back
    """

    frames: int
    lost_scopes: Sequence[Scope] = ()
    stopped_usage: Sequence[tuple[Scope, str]] = ()
    resumed_usage: Sequence[tuple[Scope, str]] = ()


class Ledger(abc.ABC):
    """Stores frames, totals and states; the orchestrator's view of the storage."""

    @abc.abstractmethod
    def observe(
        self,
        scopes: Collection[Scope],
        now: datetime.datetime,
        start: datetime.datetime,
        resume: datetime.datetime,
    ) -> Observation:
        """Record which scopes the fetcher lists at ``now``.

        A new scope starts at ``start``. A scope that is not listed is rated up to and including
        the period in which it was last listed, and then becomes inactive. A scope that was
        missing and is listed again is also rated up to there, and then from ``resume`` on.
        A list older than the newest one does not make a scope missing.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def commit(self, batch: RatedBatch) -> CommitResult:
        """Write frames, totals and new states in one transaction, by compare-and-swap.

        A repeated call with the same batch writes nothing.

        :raises ratekit.errors.RulesChanged: the rules are no longer at ``rules_version``;
            nothing was written
        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.OperatorError: the database cannot store these values
        """

    @abc.abstractmethod
    def refresh(self, states: Sequence[State]) -> Sequence[State]:
        """Return the current states of scopes, without those that are no longer rated.

        Until when a scope is rated, its failures and its resets are current; the rest is as in
        ``states``. For a decision that saves time only: the next instant they may be others.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def postpone(self, states: Collection[State], error: str, retry_at: datetime.datetime) -> None:
        """Record that these scopes failed with ``error`` and must not be tried before ``retry_at``.

        A scope that another processor has rated since is not changed.
        """

    @abc.abstractmethod
    def metrics_with_usage(self) -> Collection[str]:
        """Return the public names of all metrics that any scope ever had frames of.

        :raises ratekit.errors.TryLater: the database did not answer
        """

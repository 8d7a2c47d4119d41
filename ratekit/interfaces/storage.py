"""What a storage does, part by part: one for each kind of user.

A storage driver is found by its name in the stevedore namespace ``ratekit.storage``; its
``from_conf`` returns a :class:`Storage`. ``drivers.py`` has the other plug-in points.
"""

from __future__ import annotations

import abc
import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence

from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import CoverageFacts
from ratekit.domain.reporting.excluded import Exclusion
from ratekit.domain.reporting.reports import FrameRow, ResetPlan, Selection, StateRow, SummaryRow
from ratekit.domain.reprocessing.task import (
    Account,
    Order,
    PeriodRecord,
    RatedRange,
    RepricedWindow,
    Swap,
    Task,
    TaskNote,
)
from ratekit.domain.rules.history import ChangeNote, ChangeRecord
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """What the ledger knows after the fetcher spoke.

    :ivar states: of every active scope, listed now or not, that nobody has deactivated
    :ivar added: scopes seen for the first time
    :ivar returned: scopes that were missing from a list before and are listed again
    :ivar retired: scopes that are no longer listed, rated to their end, now inactive
    """

    states: Sequence[State]
    added: Sequence[Scope] = ()
    returned: Sequence[Scope] = ()
    retired: Sequence[Scope] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class RatedBatch:
    """One transaction's worth of work.

    :ivar window: the periods that were rated; every state has ``rated_until == window.begin``
    :ivar states: the scopes that were rated, used or silent
    :ivar series: what they used; scopes in it are scopes of ``states``
    :ivar rules_version: version of the rule book that priced them
    :ivar metrics: public names of all that was asked for, used or silent, each once
    :ivar excluded: what the collector left out of it, of scopes of ``states``
    """

    window: Window
    states: Sequence[State]
    series: Sequence[RatedSeries]
    rules_version: int
    metrics: tuple[str, ...]
    excluded: Sequence[Exclusion] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class CommitResult:
    """What a commit did.

    :ivar frames: number of frames written
    :ivar lost: scopes that another processor had rated already, or that an operator had
        deactivated or reset; nothing of theirs was written
    :ivar fallen_silent: scopes and public names of metrics that had frames in each period,
        for as far back as the ledger looks, until the last of this batch or some at its end
        had none; each is told once
    """

    frames: int
    lost: Sequence[Scope] = ()
    fallen_silent: Sequence[tuple[Scope, str]] = ()


class Ledger(abc.ABC):
    """Keeps frames, totals and states; the orchestrator's view of a storage."""

    @abc.abstractmethod
    def observe(
        self,
        scopes: Collection[Scope],
        now: datetime.datetime,
        start: datetime.datetime,
        resume: datetime.datetime,
    ) -> Observation:
        """Note which scopes the fetcher lists at ``now``.

        A new scope starts at ``start``. One that is not listed and has been rated up to the
        period in which it was last seen becomes inactive. One that was missing from a list
        and comes back is rated up to there as well, if it has not been, and then from
        ``resume`` on; a list that was made before the newest one says nothing about who is
        missing.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def commit(self, batch: RatedBatch) -> CommitResult:
        """Write frames, totals and new states in one transaction, by compare-and-swap.

        :raises ratekit.errors.RulesChanged: the rules are no longer at ``rules_version``;
            nothing was written
        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.OperatorError: it cannot hold these values
        """

    @abc.abstractmethod
    def postpone(self, states: Collection[State], error: str, retry_at: datetime.datetime) -> None:
        """Note that these scopes failed with ``error`` and are not to be tried before."""


class RuleStore(abc.ABC):
    """Keeps price rules and their history."""

    @abc.abstractmethod
    def read(self, known: RuleBook | None = None) -> RuleBook:
        """Return all rules; ``known`` itself when nothing has changed since.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def change(
        self,
        version: int,
        close: Collection[tuple[Rule, datetime.datetime]],
        add: Collection[Rule],
        note: ChangeNote,
        unrated: bool = False,
    ) -> int:
        """End the rules of ``close`` at the given times and add new ones, in one transaction.

        That it was done is recorded in the same transaction.

        :param version: the book's version that the change was made for
        :param note: who makes it and when
        :param unrated: the change holds for a ledger in which nothing has been rated yet
        :returns: the book's new version
        :raises ratekit.errors.OperatorError: the book has changed since ``version``, or
            something has been rated against ``unrated``; nothing was written
        """

    @abc.abstractmethod
    def records(self, limit: int | None = None) -> Sequence[ChangeRecord]:
        """Return the changes that were made, newest first; the oldest may not be known.

        :param limit: not more than so many
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def rated_until(self) -> datetime.datetime | None:
        """Return the end of the last period that was rated for any scope; None: none was."""


class Reports(abc.ABC):
    """Answers operators' questions; reads only."""

    @abc.abstractmethod
    def scopes(self) -> Sequence[StateRow]:
        """Return all scopes, by name and id."""

    @abc.abstractmethod
    def summary(
        self, selection: Selection, groupby: Sequence[str], zone: datetime.tzinfo
    ) -> Sequence[SummaryRow]:
        """Return exact sums, one row a group, in the order of the groups.

        :param groupby: of ``scope``, ``metric``, ``hour``, ``day``, ``month``, and any label
        :param zone: where hours, days and months begin
        """

    @abc.abstractmethod
    def labels(self) -> Mapping[str, Collection[str]]:
        """Return the metrics that were ever rated, by public name, and the labels they had."""

    @abc.abstractmethod
    def frames(self, selection: Selection, limit: int | None = None) -> Iterator[FrameRow]:
        """Yield frames by begin, scope, metric and labels."""

    @abc.abstractmethod
    def coverage(
        self, scope_id: str, begin: datetime.datetime, end: datetime.datetime
    ) -> CoverageFacts:
        """Return what :func:`ratekit.domain.reporting.coverage.cells` makes cells of.

        For periods that begin in ``[begin, end)``.

        :raises ratekit.errors.OperatorError: there is no such scope
        :raises ratekit.errors.TryLater: the storage did not answer
        """


class ScopeAdmin(abc.ABC):
    """Changes the state of one scope, given by its id, on an operator's word.

    Each change is one transaction. A processor that is committing a batch of that scope is
    waited for; one that has collected a batch and commits later loses the scope.
    """

    @abc.abstractmethod
    def deactivate(self, scope_id: str, now: datetime.datetime) -> bool:
        """Have a scope not rated from ``now`` on; False: it already is not.

        :raises ratekit.errors.OperatorError: there is no such scope
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def activate(self, scope_id: str, start: datetime.datetime | None = None) -> bool:
        """Have a deactivated scope rated again from where it stopped; False: it already is.

        Its failures are forgotten.

        :param start: resume here instead, on the grid of periods; what lies between is
            never rated
        :raises ratekit.errors.OperatorError: there is no such scope, it is not deactivated
            although there is a ``start``, or that is before where it stopped
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def rewind(self, scope_id: str, since: datetime.datetime) -> ResetPlan:
        """Tell what :meth:`reset` would remove; changes nothing.

        :raises ratekit.errors.OperatorError: there is no such scope
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def reset(self, rewind: ResetPlan, gaps: bool = False) -> None:
        """Remove a scope's frames and totals since an instant, to be rated again from there.

        What was never rated, since the scope was not listed or was activated from later on,
        stays so, and price rules stay those that were in force.

        :param gaps: rate that as well
        :raises ratekit.errors.OperatorError: there is no such scope
        :raises ratekit.errors.Conflict: it was rated or reset since ``rewind`` was made;
            nothing was changed
        :raises ratekit.errors.TryLater: the database did not answer
        """


class Tasks(abc.ABC):
    """Keeps what is to be priced anew, on an operator's word."""

    @abc.abstractmethod
    def rated(self) -> Mapping[str, RatedRange]:
        """Return how far each scope has been rated, by id; those that never were are absent.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def add(self, orders: Sequence[Order], note: TaskNote) -> Sequence[int]:
        """Queue one task an order, all or none; return their ids in the same order.

        :param orders: of different scopes
        :raises ratekit.errors.OperatorError: there is no such scope, it is not rated so far,
            or an open task of it overlaps; nothing was written
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def tasks(self, ended: bool = False) -> Sequence[tuple[Task, Account]]:
        """Return open tasks and what they have done, by id.

        :param ended: those that are done or cancelled as well
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def task(self, task_id: int) -> tuple[Task, Account]:
        """Return a task and what it has done.

        :raises ratekit.errors.OperatorError: there is no such task
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def periods(self, task_id: int) -> Sequence[PeriodRecord]:
        """Return what a task has done to each period so far, in order.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def swapped(self, scope_id: str, instant: datetime.datetime) -> Swap | None:
        """Return what last gave the period that ``instant`` is in other totals; None: no task.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def cancel(self, task_id: int, now: datetime.datetime) -> bool:
        """End an open task where it is; False: it has ended already.

        What it has swapped stays so. A processor that is at a batch of it does not write it.

        :raises ratekit.errors.OperatorError: there is no such task
        :raises ratekit.errors.TryLater: the database did not answer
        """


class TaskLedger(abc.ABC):
    """Carries tasks out: what processors see of them.

    Any number of processors may try the same task: the database decides, batch by batch.
    """

    @abc.abstractmethod
    def waiting(self, now: datetime.datetime | None) -> Sequence[Task]:
        """Return open tasks by id, of scopes of any processor.

        :param now: without those that rest at this time; None: all
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def read(self, task_id: int) -> Task | None:
        """Return a task as it stands now; None: it has ended.

        What is collected after it was read may be swapped in.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def swap(self, task: Task, repriced: RepricedWindow, now: datetime.datetime) -> Account | None:
        """Put new frames and totals in place of the old ones, in one transaction.

        Who reads sees all of the old or all of the new. The task moves on to the end of
        the window, with a record for each period; failures are forgotten.

        :param task: as it was read before usage was; it stands at the window's begin
        :returns: what the whole task did, if this was its end
        :raises ratekit.errors.Conflict: the task was taken further by another processor, or
            cancelled, or its scope was reset, or the rules have changed; nothing was written
        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.OperatorError: it cannot hold these values
        """

    @abc.abstractmethod
    def postpone(self, task: Task, error: str, retry_at: datetime.datetime) -> None:
        """Note that a task failed with ``error`` and is not to be tried before."""


@dataclasses.dataclass(frozen=True, slots=True)
class Storage:
    """What a storage driver offers, one part for each kind of user.

    :ivar processes: how many processes may rate with it at once; None: any number
    """

    ledger: Ledger
    rules: RuleStore
    reports: Reports
    scopes: ScopeAdmin
    tasks: Tasks
    task_ledger: TaskLedger
    processes: int | None = None

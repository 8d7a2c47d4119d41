"""What the storage offers: one interface for each kind of user.

:mod:`ratekit.storage` implements them in SQL. The engine and the commands depend on these
interfaces only. ``drivers.py`` has the plug-in points.
"""

from __future__ import annotations

import abc
import dataclasses
import datetime
from collections.abc import Collection, Mapping, Sequence

from ratekit.domain.reporting.reports import (
    AllScopes,
    Page,
    ResetPlan,
)
from ratekit.domain.reprocessing.task import (
    Account,
    Order,
    PeriodRecord,
    RatedRange,
    RepricedWindow,
    Swap,
    Task,
    TaskNote,
    TaskPage,
    TaskSelection,
)
from ratekit.domain.rules.catalog import NO_NAMES, Catalog, NameChange
from ratekit.domain.rules.history import ChangeNote, ChangeRecord
from ratekit.domain.rules.rule import Rule, RuleBook
from ratekit.interfaces.ledger import Ledger
from ratekit.interfaces.monitoring import Monitoring
from ratekit.interfaces.purge import Purge
from ratekit.interfaces.reports import Reports


class RuleStore(abc.ABC):
    """Stores price rules and their history."""

    @abc.abstractmethod
    def read(self, last_book: RuleBook | None = None) -> RuleBook:
        """Return all rules; ``last_book`` itself if nothing has changed since it was read.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def change(
        self,
        version: int,
        close: Collection[tuple[Rule, datetime.datetime]],
        add: Collection[Rule],
        note: ChangeNote,
        unrated_since: datetime.datetime | None = None,
        names: NameChange = NO_NAMES,
    ) -> int:
        """End the rules of ``close`` at the given times and add new ones, in one transaction.

        The same transaction records the change. Metrics, labels and groups of new rules are
        created, and are no longer hidden.

        :param version: the book's version that the change was made for
        :param add: a rule with a line continues that line
        :param note: who makes the change, and when
        :param unrated_since: the change is valid only while no period that ends later has been
            rated; None: always
        :param names: services, fields and groups to create or to hide, with or without rules
        :returns: the book's new version
        :raises ratekit.errors.OutdatedRules: the book has changed since ``version``, or
            a period after ``unrated_since`` has been rated; nothing was written
        :raises ratekit.errors.OperatorError: the database refuses a value; nothing was written
        """

    @abc.abstractmethod
    def catalog(self, last_catalog: Catalog | None = None) -> Catalog:
        """Return all rules with their makers, and all services, fields and groups.

        :returns: ``last_catalog`` itself if nothing has changed since it was read
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def records(self, limit: int | None = None) -> Sequence[ChangeRecord]:
        """Return the recorded changes, newest first; the oldest changes may have no record.

        :param limit: maximum number of changes
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def last_rated_end(self) -> datetime.datetime | None:
        """Return the end of the last period that was rated for any scope; None: no period was."""


class ScopeAdmin(abc.ABC):
    """Changes the state of one scope, named by its id, for an operator.

    Each change is one transaction. It waits for a processor that is committing a batch of the
    scope; a processor that commits an older batch later loses the scope.
    """

    @abc.abstractmethod
    def deactivate(self, scope_id: str, now: datetime.datetime) -> bool:
        """Stop rating a scope from ``now`` on; return False if it was already deactivated.

        :raises ratekit.errors.OperatorError: there is no such scope
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def activate(self, scope_id: str, start: datetime.datetime | None = None) -> bool:
        """Resume rating a scope where it stopped; return False if it was not deactivated.

        This clears its failures.

        :param start: start of a period to resume at instead; the time in between is never rated
        :raises ratekit.errors.OperatorError: there is no such scope, it is not deactivated
            although ``start`` is given, or ``start`` is before the time at which it stopped
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def plan_reset(self, scope_id: str, since: datetime.datetime) -> ResetPlan:
        """Return what :meth:`reset` would remove; change nothing.

        :raises ratekit.errors.OperatorError: there is no such scope, or frames since then were
            purged
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def reset(self, plan: ResetPlan, gaps: bool = False) -> None:
        """Remove a scope's frames and totals since an instant; it is rated again from there.

        Gaps, in which the scope was not listed or not active, are still not rated. Prices come
        from the rules that were in force at the time.

        :param gaps: rate the gaps too
        :raises ratekit.errors.OperatorError: there is no such scope, or frames since then were
            purged; nothing was changed
        :raises ratekit.errors.Conflict: it was rated or reset since ``plan`` was made;
            nothing was changed
        :raises ratekit.errors.TryLater: the database did not answer
        """


class Tasks(abc.ABC):
    """Stores reprocessing tasks for operators."""

    @abc.abstractmethod
    def rated_ranges(self) -> Mapping[str, RatedRange]:
        """Return the range that each scope is rated over, by id; without scopes never rated.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def add(self, orders: Sequence[Order], note: TaskNote) -> Sequence[int]:
        """Queue one task for each order, all or none; return the task ids in the same order.

        :param orders: each of another scope
        :raises ratekit.errors.TaskOverlap: an open task of a scope overlaps; nothing was written
        :raises ratekit.errors.OperatorError: there is no such scope, it is not rated to the
            order's end, or frames were purged; nothing was written
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def tasks(self, ended: bool = False) -> Sequence[tuple[Task, Account]]:
        """Return open tasks and what each has done, ordered by id.

        :param ended: return done and cancelled tasks too
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def task_page(
        self,
        page: Page,
        selection: TaskSelection,
        scopes: AllScopes | frozenset[str],
        newest_first: bool = True,
    ) -> TaskPage:
        """Return some tasks and what each has done, by id; and their number.

        :param scopes: only of these
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
        """Return what a task has done to each period so far, ordered by begin.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def swaps(self, scope_id: str, instant: datetime.datetime) -> Sequence[Swap]:
        """Return how tasks replaced the frames of the period at ``instant``, oldest first.

        The new frames may cost the same as the old ones.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def cancel(self, task_id: int, now: datetime.datetime) -> bool:
        """End an open task where it stands; return False if it has already ended.

        Periods that it has swapped stay swapped. A processor that is working on a batch of it
        does not write that batch.

        :raises ratekit.errors.OperatorError: there is no such task
        :raises ratekit.errors.TryLater: the database did not answer
        """


class TaskLedger(abc.ABC):
    """Executes tasks: the processors' view of them.

    Any number of processors may try the same task: the database decides, batch by batch.
    """

    @abc.abstractmethod
    def open_tasks(self, now: datetime.datetime | None) -> Sequence[Task]:
        """Return open tasks of the scopes of all processors, ordered by id.

        :param now: without tasks that must not be tried yet at this time; None: all
        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def read(self, task_id: int) -> Task | None:
        """Return a task's current state; None: it has ended.

        Only usage that was collected after this call may be swapped in.

        :raises ratekit.errors.TryLater: the database did not answer
        """

    @abc.abstractmethod
    def swap(self, task: Task, repriced: RepricedWindow, now: datetime.datetime) -> Account | None:
        """Replace old frames and totals by new ones, in one transaction.

        Readers see all old or all new values. The task advances to the end of the window, with
        a record for each period; its failures are cleared.

        :param task: as read before its usage was collected; it stands at the window's begin
        :returns: what the whole task did, if this was its last window
        :raises ratekit.errors.Conflict: another processor advanced the task, or it was
            cancelled, or its scope was reset, or the rules have changed; nothing was written
        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.OperatorError: the database cannot store these values
        """

    @abc.abstractmethod
    def postpone(self, task: Task, error: str, retry_at: datetime.datetime) -> None:
        """Record that a task failed with ``error`` and must not be tried before ``retry_at``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Storage:
    """The parts of the storage, one for each kind of user.

    :ivar processes: how many processes may rate at once; None: any number
    """

    ledger: Ledger
    rules: RuleStore
    reports: Reports
    scopes: ScopeAdmin
    tasks: Tasks
    task_ledger: TaskLedger
    monitoring: Monitoring
    purge: Purge
    processes: int | None = None

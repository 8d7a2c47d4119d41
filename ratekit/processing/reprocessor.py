"""Tasks on their way: one batch after the other, each swapped in one transaction."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import logging
from collections.abc import Sequence

from ratekit import errors
from ratekit.domain.reprocessing.task import Account, PeriodOutcome, RepricedWindow, Task, TaskKind
from ratekit.domain.schedule.share import Partition
from ratekit.interfaces import TaskLedger
from ratekit.processing.cycle import RunContext
from ratekit.processing.failures import attempt
from ratekit.processing.rater import Rater
from ratekit.processing.repricer import Repricer

LOG = logging.getLogger(__name__)

#: Tasks that a back end did not answer to, one after the other, that show that it is down.
_DOWN = 3
#: Failures of one task, one after the other, after which it rests at the latest.
_MOST = 3


class _Next(enum.Enum):
    """What comes after an attempt at a task."""

    GOES_ON = enum.auto()  #: it waits for its next turn, or is done
    AGAIN = enum.auto()  #: it is tried again, with less, before others have their turn
    RESTS = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class TaskSummary:
    """What became of all tasks that were open.

    :ivar done: how many came to their end
    :ivar failed: how many could not be brought there
    :ivar kept: how many periods those that came to their end left as they were
    """

    done: int = 0
    failed: int = 0
    kept: int = 0


class Reprocessor:
    """Carries out tasks between two cycles of rating.

    Tasks take turns, so that a long one holds up no other.

    :param step: length of a period
    :param share: tasks of which scopes are carried out here
    :param collects: take on tasks that collect; otherwise only those that need no back end
    """

    def __init__(
        self,
        ledger: TaskLedger,
        rater: Rater,
        repricer: Repricer,
        step: datetime.timedelta,
        share: Partition,
        context: RunContext,
        collects: bool = True,
    ) -> None:
        self._ledger = ledger
        self._rater = rater
        self._repricer = repricer
        self._step = step
        self._share = share
        self._context = context
        self._collects = collects
        self._turns: collections.deque[Task] = collections.deque()
        #: Failures in a row of each task that was begun, by its id.
        self._failures: dict[int, int] = {}
        self._in_vain = 0
        self._kept = 0

    def advance(self) -> bool:
        """Take the next task one batch further; False: there is nothing to do for now.

        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.Outdated: it was migrated
        """
        if self._in_vain >= _DOWN:
            self._turns.clear()
            self._in_vain = 0
            return False
        if not self._turns:
            self._forget_ended()
            self._turns.extend(self._in_turn(self._open(self._context.clock())))
        if not self._turns:
            return False
        task = self._ledger.read(self._turns.popleft().id)
        if task is not None and self._deal_with(task) is _Next.AGAIN:
            self._turns.appendleft(task)
        return True

    def finish(self) -> TaskSummary:
        """Carry out all that is open, resting or not; what had to rest is left.

        While the back end is down, only what needs none is carried out.

        :raises: as :meth:`advance`
        """
        self._in_vain = 0
        self._kept = 0
        every = self._open(None)
        turns = collections.deque(self._in_turn(every))
        failed = len(every) - len(turns)
        while turns:
            task = self._ledger.read(turns[0].id)
            then = None if task is None else self._deal_with(task)
            if then is _Next.GOES_ON:
                turns.rotate(-1)
            elif then is not _Next.AGAIN:
                failed += then is _Next.RESTS
                turns.popleft()
            if self._in_vain >= _DOWN:
                left = [one for one in turns if one.order.kind is not TaskKind.COLLECT]
                failed += len(turns) - len(left)
                turns = collections.deque(left)
        return TaskSummary(len(every) - failed, failed, self._kept)

    def _open(self, now: datetime.datetime | None) -> list[Task]:
        """Return the open tasks of our share."""
        return [one for one in self._ledger.waiting(now) if self._share.holds(one.order.scope.id)]

    def _forget_ended(self) -> None:
        """Keep nothing of tasks that others ended, such as were cancelled."""
        if self._failures:
            left = {one.id: one.order for one in self._ledger.waiting(None)}
            self._failures = {id_: count for id_, count in self._failures.items() if id_ in left}
            self._repricer.remember(set(left.values()))

    def _in_turn(self, tasks: Sequence[Task]) -> list[Task]:
        """Return those that can go on, first those that need no back end.

        Other processors begin with another one.
        """
        if not self._collects:
            tasks = [one for one in tasks if one.order.kind is not TaskKind.COLLECT]
        if any(one.order.kind is TaskKind.COLLECT for one in tasks):
            waits = attempt(self._rater.require_data)
            if isinstance(waits, Exception):
                LOG.info("tasks that collect wait: %s", waits)
                tasks = [one for one in tasks if one.order.kind is not TaskKind.COLLECT]
        first = int(self._context.chance() * len(tasks))
        turns = (*tasks[first:], *tasks[:first])
        return sorted(turns, key=lambda one: one.order.kind != TaskKind.RATES)

    def _deal_with(self, task: Task) -> _Next:
        """Take a task one batch further."""
        repriced = attempt(lambda: self._priced(task))
        if isinstance(repriced, Exception):
            return self._not_priced(task, repriced)
        if task.order.kind is TaskKind.COLLECT:
            self._in_vain = 0
        account = attempt(lambda: self._ledger.swap(task, repriced, self._context.clock()))
        if isinstance(account, Exception):
            return self._not_stored(task, account)
        self._failures[task.id] = 0
        if account is not None:
            self._tell(task, account)
        return _Next.GOES_ON

    def _not_priced(self, task: Task, failure: Exception) -> _Next:
        """Ask for less, or let the task rest."""
        often = self._often(task)
        if isinstance(failure, errors.TryLater):
            less = failure.after is None and self._repricer.ask_less(task.order, task.next_begin)
            if less and not often:
                LOG.warning("task %d will be tried again with less: %s", task.id, failure)
                return _Next.AGAIN
            self._in_vain += task.order.kind is TaskKind.COLLECT
        return self._put_off(task, failure)

    def _not_stored(self, task: Task, failure: Exception) -> _Next:
        """Let the task rest, unless somebody else was in the way: it is no back end's fault."""
        often = self._often(task)
        if isinstance(failure, errors.Conflict) and not often:
            # Next time it is read anew.
            LOG.info("task %d is looked at again: %s", task.id, failure)
            return _Next.GOES_ON
        return self._put_off(task, failure)

    def _often(self, task: Task) -> bool:
        """Count a failure; tell whether there were too many in a row to try again at once."""
        self._failures[task.id] += 1
        return self._failures[task.id] >= _MOST

    def _tell(self, task: Task, account: Account) -> None:
        if account.kept:
            self._kept += account.kept
            LOG.warning(
                "task %d is done, but left %d of its periods as they were; the first: %s; %s",
                task.id,
                account.kept,
                account.first_kept,
                _summary(account),
            )
        else:
            LOG.info("task %d is done, %s", task.id, _summary(account))

    def _priced(self, task: Task) -> RepricedWindow:
        order = task.order
        if task.id not in self._failures:
            self._failures[task.id] = 0
            begin = f"{task.next_begin:%Y-%m-%dT%H:%MZ}"
            LOG.info("task %d, %s, begins at %s", task.id, order, begin)
        if order.kind is TaskKind.COLLECT and order.step != self._step:
            raise errors.OperatorError(
                f"it was queued for periods of {order.step}, and [collect] period is {self._step} "
                f"now: set it back, or see ratekit reprocess cancel {task.id}"
            )
        return self._repricer.price(order, task.next_begin)

    def _put_off(self, task: Task, failure: Exception) -> _Next:
        """:raises ratekit.errors.Outdated: this is the failure"""
        if isinstance(failure, errors.SchemaChanged):
            raise failure
        after = failure.after if isinstance(failure, errors.TryLater) else None
        rest = self._rater.backoff.rest(task.failures, self._context.chance(), after)
        self._ledger.postpone(task, str(failure), self._context.clock() + rest)
        place = task.id, task.order, rest.total_seconds()
        match failure:
            case errors.TryLater():
                LOG.warning("task %d, %s, rests for %.0f s: %s", *place, failure)
            case errors.OperatorError():
                LOG.error("task %d, %s, rests for %.0f s: %s", *place, failure)
            case _:
                LOG.error(
                    "task %d, %s, rests for %.0f s: it failed in a way nobody planned for",
                    *place,
                    exc_info=failure,
                )
        return _Next.RESTS


def _summary(account: Account) -> str:
    periods = ", ".join(f"{account.periods.get(one, 0)} {one}" for one in PeriodOutcome)
    return (
        f"periods: {periods}; frames: {account.old.points} before, {account.new.points} now; "
        f"price: {account.old.price:f} before, {account.new.price:f} now"
    )

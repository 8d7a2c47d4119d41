"""Tasks on their way: one batch after the other, each swapped in one transaction."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import logging
from collections.abc import Sequence

from ratekit import errors
from ratekit.anew import Anew
from ratekit.cycle import Surroundings
from ratekit.domain.share import Share
from ratekit.domain.task import Account, Outcome, Task, TaskKind
from ratekit.rater import Rater
from ratekit.storage_interface import TaskLedger
from ratekit.trying import tried

LOG = logging.getLogger(__name__)

#: Tasks that a back end did not answer to, one after the other, that show that it is down.
_DOWN = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """What became of all tasks that were open.

    :ivar done: how many came to their end
    :ivar failed: how many could not be brought there
    """

    done: int = 0
    failed: int = 0


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
        anew: Anew,
        step: datetime.timedelta,
        share: Share,
        around: Surroundings,
        collects: bool = True,
    ) -> None:
        self._ledger = ledger
        self._rater = rater
        self._anew = anew
        self._step = step
        self._share = share
        self._around = around
        self._collects = collects
        self._turns: collections.deque[int] = collections.deque()
        self._begun: set[int] = set()
        self._in_vain = 0

    def advance(self) -> bool:
        """Take the next task one batch further; False: there is nothing to do for now.

        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.Outdated: it was migrated
        """
        if not self._turns:
            self._turns.extend(self._in_turn(self._open(self._around.clock())))
        if not self._turns or self._in_vain >= _DOWN:
            self._turns.clear()
            self._in_vain = 0
            return False
        task = self._ledger.read(self._turns.popleft())
        if task is not None:
            self._deal_with(task)
        return True

    def finish(self) -> Finished:
        """Carry out all that is open, resting or not; what fails is left after one failure.

        :raises: as :meth:`advance`
        """
        self._in_vain = 0
        every = self._open(None)
        turns = collections.deque(self._in_turn(every))
        failed = len(every) - len(turns)
        while turns and self._in_vain < _DOWN and self._around.going_on():
            task = self._ledger.read(turns[0])
            if task is not None and self._deal_with(task):
                turns.rotate(-1)
                continue
            failed += task is not None
            turns.popleft()
        failed += len(turns)
        return Finished(len(every) - failed, failed)

    def _open(self, now: datetime.datetime | None) -> list[Task]:
        """Return the tasks that are ours to carry out."""
        return [
            one
            for one in self._ledger.waiting(now)
            if self._share.holds(one.order.scope.id)
            and (self._collects or one.order.kind is not TaskKind.COLLECT)
        ]

    def _in_turn(self, tasks: Sequence[Task]) -> list[int]:
        """Return the ids of those that can go on, first those that need no back end.

        Other processors begin with another one.
        """
        if any(one.order.kind is TaskKind.COLLECT for one in tasks):
            waits = tried(self._rater.require_data)
            if isinstance(waits, Exception):
                LOG.info("tasks that collect wait: %s", waits)
                tasks = [one for one in tasks if one.order.kind is not TaskKind.COLLECT]
        first = int(self._around.chance() * len(tasks))
        turns = (*tasks[first:], *tasks[:first])
        return [one.id for one in sorted(turns, key=lambda one: one.order.kind != TaskKind.RATES)]

    def _deal_with(self, task: Task) -> bool:
        """Take a task one batch further; False: it failed, and rests."""
        account = tried(lambda: self._swap(task))
        match account:
            case errors.Outdated():
                raise account
            case errors.Conflict():
                # Next time it is read anew.
                LOG.info("task %d is looked at again: %s", task.id, account)
            case errors.TryLater(after=None) if self._anew.ask_less(task.order.kind):
                LOG.warning("task %d will be tried again with less: %s", task.id, account)
            case Exception():
                self._put_off(task, account)
                self._in_vain += isinstance(account, errors.TryLater)
                return False
            case Account():
                self._begun.discard(task.id)
                LOG.info("task %d is done, %s", task.id, _summary(account))
        self._in_vain = 0
        return True

    def _swap(self, task: Task) -> Account | None:
        order = task.order
        if task.id not in self._begun:
            self._begun.add(task.id)
            begin = f"{task.next_begin:%Y-%m-%dT%H:%MZ}"
            LOG.info("task %d, %s, begins at %s", task.id, order, begin)
        if order.kind is TaskKind.COLLECT and order.step != self._step:
            raise errors.OperatorError(
                f"it was queued for periods of {order.step}, and [collect] period is {self._step} "
                f"now: set it back, or see ratekit reprocess cancel {task.id}"
            )
        repriced = self._anew.price(order, task.next_begin)
        return self._ledger.swap(task, repriced, self._around.clock())

    def _put_off(self, task: Task, failure: Exception) -> None:
        after = failure.after if isinstance(failure, errors.TryLater) else None
        rest = self._rater.backoff.rest(task.failures, self._around.chance(), after)
        self._ledger.postpone(task, str(failure), self._around.clock() + rest)
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


def _summary(account: Account) -> str:
    periods = ", ".join(f"{account.periods.get(one, 0)} {one}" for one in Outcome)
    return (
        f"periods: {periods}; frames: {account.old.points} before, {account.new.points} now; "
        f"price: {account.old.price:f} before, {account.new.price:f} now"
    )

"""Carries out reprocessing tasks, batch by batch, each batch swapped in one transaction."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import logging
from collections.abc import Sequence

from ratekit import errors
from ratekit.domain.reprocessing.task import Account, PeriodOutcome, RepricedWindow, Task, TaskKind
from ratekit.domain.schedule.division import Division, Sharing, StallWatch, Turn
from ratekit.interfaces import TaskLedger
from ratekit.processing.clock_check import ClockCheck
from ratekit.processing.failures import attempt
from ratekit.processing.rater import Rater
from ratekit.processing.repricer import Repricer
from ratekit.processing.run_context import RunContext
from ratekit.text import count_text, duration_text, minute_text

LOG = logging.getLogger(__name__)

#: Consecutive failures of a task after which it is put off, not tried again at once.
_MAX_ATTEMPTS = 3
#: Time without progress after which a task of another process is taken.
_PATIENCE = datetime.timedelta(minutes=15)


class _Next(enum.Enum):
    """What comes after an attempt at a task."""

    NEXT_TURN = enum.auto()  #: it waits for its next turn, or is done
    RETRY = enum.auto()  #: it is tried again, with fewer periods, before other tasks
    PUT_OFF = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class TaskSummary:
    """What happened to all tasks that were open.

    :ivar finished_tasks: number of tasks that are done
    :ivar failed_tasks: number of tasks that could not be finished
    :ivar kept_periods: number of periods that the finished tasks left unchanged
    """

    finished_tasks: int = 0
    failed_tasks: int = 0
    kept_periods: int = 0


class Reprocessor:
    """Carries out tasks between two cycles of rating.

    Tasks take turns, so that a long task does not delay the others.

    :param step: length of a period
    :param sharing: tasks of scopes that are this process's own are carried out, and those that
        make no progress elsewhere
    :param collects: carry out tasks that collect, too; otherwise only those that need no back
        end
    """

    def __init__(
        self,
        ledger: TaskLedger,
        rater: Rater,
        repricer: Repricer,
        step: datetime.timedelta,
        sharing: Sharing,
        context: RunContext,
        clocks: ClockCheck,
        collects: bool = True,
    ) -> None:
        self._ledger = ledger
        self._rater = rater
        self._repricer = repricer
        self._step = step
        self._sharing = sharing
        self._stalls = StallWatch()
        self._division: Division | None = None
        self._context = context
        self._clocks = clocks
        self._collects = collects
        self._queue: collections.deque[Task] = collections.deque()
        #: Consecutive failures of each task that was started, by its id.
        self._failures: dict[int, int] = {}
        #: Consecutive tasks to which the back end did not respond.
        self._unanswered = 0
        self._kept_periods = 0

    def advance(self) -> bool:
        """Carry out the next batch of the next task; False: there is nothing to do for now.

        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.SchemaChanged: the database was migrated
        """
        if self._is_back_end_down():
            self._rater.forget_divisions()
            self._queue.clear()
            self._unanswered = 0
            return False
        if self._division is not self._sharing.current():
            # Some tasks may have moved to other processes.
            self._queue.clear()
        if not self._queue:
            self._forget_ended_tasks()
            self._queue.extend(self._order_runnable(self._read_tasks(self._context.clock())))
        if not self._queue:
            return False
        task = self._ledger.read(self._queue.popleft().id)
        if task is not None and self._run_batch(task) is _Next.RETRY:
            self._queue.appendleft(task)
        return True

    def finish(self) -> TaskSummary:
        """Carry out all open tasks once, also those that wait after a failure.

        Tasks that fail stay open. While the back end is down, only tasks that do not need it
        are carried out.

        :raises: as :meth:`advance`
        """
        self._unanswered = 0
        self._kept_periods = 0
        tasks = self._read_tasks(None)
        queue = collections.deque(self._order_runnable(tasks))
        failed = len(tasks) - len(queue)
        while queue:
            task = self._ledger.read(queue[0].id)
            following = None if task is None else self._run_batch(task)
            if following is _Next.NEXT_TURN:
                queue.rotate(-1)
            elif following is not _Next.RETRY:
                failed += following is _Next.PUT_OFF
                queue.popleft()
            if self._is_back_end_down():
                independent = _without_collecting(queue)
                failed += len(queue) - len(independent)
                queue = collections.deque(independent)
        return TaskSummary(len(tasks) - failed, failed, self._kept_periods)

    def _is_back_end_down(self) -> bool:
        return self._rater.retry_policy.is_down(self._unanswered)

    def _read_tasks(self, now: datetime.datetime | None) -> list[Task]:
        """Return the open tasks that this process carries out.

        :param now: without tasks that must not be tried yet at this time; None: all
        """
        self._division = division = self._sharing.current()
        tasks = self._ledger.open_tasks(now)
        positions = {
            task.id: (task.next_begin, task.failures)
            for task in tasks
            if division.turn(task.order.scope.id) is not Turn.OWN
        }
        stalled, _ = self._stalls.find(positions, _PATIENCE, self._context.clock())
        tasks = [task for task in tasks if task.id not in positions or task.id in stalled]
        if tasks:
            # What is collected again follows the records that there are by now.
            self._clocks.compare(self._context.clock())
        return tasks

    def _forget_ended_tasks(self) -> None:
        """Drop what is remembered of tasks that another process ended, such as cancelled ones."""
        if self._failures:
            orders = {task.id: task.order for task in self._ledger.open_tasks(None)}
            self._failures = {id_: count for id_, count in self._failures.items() if id_ in orders}
            self._repricer.forget_except(set(orders.values()))

    def _order_runnable(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks that can run now, first those that need no back end.

        The order is rotated at random, so that several processors start with different tasks.
        """
        if not self._collects:
            tasks = _without_collecting(tasks)
        if any(task.order.kind is TaskKind.COLLECT for task in tasks):
            not_ready = attempt(self._rater.require_data)
            if isinstance(not_ready, Exception):
                LOG.info("tasks that collect are waiting: %s", not_ready)
                tasks = _without_collecting(tasks)
        first = int(self._context.chance() * len(tasks))
        rotated = (*tasks[first:], *tasks[:first])
        return sorted(rotated, key=lambda task: task.order.kind != TaskKind.RATES)

    def _run_batch(self, task: Task) -> _Next:
        """Carry out one batch of a task."""
        repriced = attempt(lambda: self._price(task))
        if isinstance(repriced, errors.Interrupted):
            return _Next.NEXT_TURN
        if isinstance(repriced, Exception):
            return self._handle_pricing_failure(task, repriced)
        if task.order.kind is TaskKind.COLLECT:
            self._unanswered = 0
        account = attempt(lambda: self._ledger.swap(task, repriced, self._context.clock()))
        if isinstance(account, Exception):
            return self._handle_swap_failure(task, account)
        self._failures[task.id] = 0
        if account is not None:
            self._report_end(task, account)
        return _Next.NEXT_TURN

    def _handle_pricing_failure(self, task: Task, failure: Exception) -> _Next:
        """Try fewer periods at once, or put the task off."""
        attempts_left = self._count_failure(task)
        if isinstance(failure, errors.TryLater):
            can_shrink = failure.after is None and self._repricer.ask_less(task.order, failure)
            if can_shrink and attempts_left:
                LOG.warning("task %d will be tried again with less at once: %s", task.id, failure)
                return _Next.RETRY
            self._unanswered += task.order.kind is TaskKind.COLLECT
        return self._put_off(task, failure)

    def _handle_swap_failure(self, task: Task, failure: Exception) -> _Next:
        """Put the task off; after a conflict, try it again in its next turn."""
        attempts_left = self._count_failure(task)
        if isinstance(failure, errors.Conflict) and attempts_left:
            # The task is read again then.
            LOG.info("task %d will be tried again in its next turn: %s", task.id, failure)
            return _Next.NEXT_TURN
        return self._put_off(task, failure)

    def _count_failure(self, task: Task) -> bool:
        """Count a failure; tell whether the task may be tried again at once."""
        self._failures[task.id] += 1
        return self._failures[task.id] < _MAX_ATTEMPTS

    def _report_end(self, task: Task, account: Account) -> None:
        if account.kept_periods:
            self._kept_periods += account.kept_periods
            LOG.warning(
                "task %d is done, but %s left unchanged; the first: %s; %s",
                task.id,
                count_text(account.kept_periods, "period was", "periods were"),
                account.first_kept_reason,
                _summarize(account),
            )
        else:
            LOG.info("task %d is done, %s", task.id, _summarize(account))

    def _price(self, task: Task) -> RepricedWindow:
        order = task.order
        if task.id not in self._failures:
            self._failures[task.id] = 0
            LOG.info("task %d, %s, starts at %s", task.id, order, minute_text(task.next_begin))
        if order.kind is TaskKind.COLLECT and order.step != self._step:
            raise errors.OperatorError(
                f"the task was queued for periods of {duration_text(order.step)}, but [collect] "
                f"period is now {duration_text(self._step)}: set it back, or see ratekit reprocess "
                f"cancel {task.id}"
            )
        return self._repricer.price(order, task.next_begin)

    def _put_off(self, task: Task, failure: Exception) -> _Next:
        retry = self._rater.retry_policy.retry(
            failure, task.failures, self._context.chance(), self._context.clock()
        )
        self._ledger.postpone(task, str(failure), retry.retry_at)
        retry.log(
            LOG,
            "task %d, %s, will be tried again in %.0f s: %s",
            "unexpected error in task %d, %s, which will be tried again in %.0f s",
            task.id,
            task.order,
            retry.delay.total_seconds(),
        )
        return _Next.PUT_OFF


def _without_collecting(tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if task.order.kind is not TaskKind.COLLECT]


def _summarize(account: Account) -> str:
    periods = ", ".join(f"{account.periods.get(outcome, 0)} {outcome}" for outcome in PeriodOutcome)
    return (
        f"periods: {periods}; frames: {account.old.points} before, {account.new.points} now; "
        f"price: {account.old.price:f} before, {account.new.price:f} now"
    )

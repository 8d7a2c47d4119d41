"""Reprocessing tasks: orders, their progress, and what they changed."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ratekit.domain import period
from ratekit.domain.exact import ZERO
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries
from ratekit.text import duration_text


class TaskKind(enum.StrEnum):
    """What a task does to each period."""

    COLLECT = "collect"  #: collect usage again and price it
    RATES = "rates"  #: price stored usage again, without a metering back end


class TaskState(enum.StrEnum):
    """Status of a task."""

    QUEUED = "queued"  #: waiting or running
    DONE = "done"
    CANCELLED = "cancelled"


class PeriodOutcome(enum.StrEnum):
    """Result of one period of a task."""

    SWAPPED = "swapped"  #: replaced; the totals changed
    SAME = "same"  #: replaced; the totals are the same
    KEPT = "kept"  #: left unchanged; a note says why


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """A request to price one scope again for ``begin <= t < end``.

    :ivar begin: start of its first period, UTC
    :ivar end: end of its last period, UTC
    :ivar step: length of a period; ``begin`` and ``end`` are multiples of it since the epoch
    :ivar accept_silence: replace periods even if charged usage, or labels that its price
        depends on, are missing now
    """

    scope: Scope
    begin: datetime.datetime
    end: datetime.datetime
    step: datetime.timedelta
    kind: TaskKind
    accept_silence: bool = False

    def __post_init__(self) -> None:
        for instant in (self.begin, self.end):
            if period.floor(instant, self.step) != instant:
                raise ValueError(f"no period of {duration_text(self.step)} starts at {instant}")
        if self.begin >= self.end:
            raise ValueError(f"a task must end after it starts: {self.begin} to {self.end}")

    def window(self, begin: datetime.datetime, limit: int) -> Window:
        """Return at most ``limit`` periods from ``begin``, which must be before the end."""
        return Window(begin, self.step, min(limit, (self.end - begin) // self.step))

    def __str__(self) -> str:
        name = f" ({self.scope.name})" if self.scope.name else ""
        window = self.window(self.begin, (self.end - self.begin) // self.step)
        return f"scope {self.scope.id}{name} over {window}"


@dataclasses.dataclass(frozen=True, slots=True)
class TaskNote:
    """Who requested tasks, and why.

    :ivar reason: reason that the operator gave, one line
    :ivar made_by: user and host
    :ivar made_at: UTC
    """

    reason: str
    made_by: str
    made_at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """A queued order, as read from the database; instants are UTC.

    :ivar scope_pk: id of the scope's row in the database
    :ivar next_begin: start of its first unprocessed period
    :ivar failures: failed attempts since the last success
    :ivar retry_at: earliest time of the next attempt; None: any time
    :ivar ended_at: when it was done or cancelled, or None
    :ivar resets: how often an operator had reset the scope; a reset invalidates usage collected
        before
    """

    id: int
    order: Order
    note: TaskNote
    scope_pk: int
    next_begin: datetime.datetime
    state: TaskState = TaskState.QUEUED
    failures: int = 0
    last_error: str | None = None
    retry_at: datetime.datetime | None = None
    ended_at: datetime.datetime | None = None
    resets: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Charge:
    """Number of frames, and their exact price."""

    points: int = 0
    price: Decimal = ZERO


@dataclasses.dataclass(frozen=True, slots=True)
class PeriodRecord:
    """What a task did to one period; never deleted.

    :ivar begin: start of the period, UTC
    :ivar note: why the period was kept, or None
    :ivar old: charge before
    :ivar new: charge since
    :ivar at: when the task processed the period, UTC
    """

    begin: datetime.datetime
    outcome: PeriodOutcome
    note: str | None
    old: Charge
    new: Charge
    at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Swap:
    """A period whose frames a task replaced."""

    task: Task
    record: PeriodRecord


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """What a task has done so far, in total.

    :ivar periods: number of periods with each outcome
    :ivar old: charge for them before
    :ivar new: charge for them since
    :ivar first_kept_reason: why the first kept period was kept, or None
    """

    periods: Mapping[PeriodOutcome, int]
    old: Charge = Charge()
    new: Charge = Charge()
    first_kept_reason: str | None = None

    @property
    def kept_periods(self) -> int:
        """Number of periods that were left unchanged."""
        return self.periods.get(PeriodOutcome.KEPT, 0)


class TaskSelection(enum.StrEnum):
    """Which tasks a page lists."""

    ALL = "all"
    OPEN = "open"  #: queued or running, failing ones too
    FAILING = "failing"  #: open, and the last attempt failed
    DONE = "done"
    CANCELLED = "cancelled"


@dataclasses.dataclass(frozen=True, slots=True)
class TaskPage:
    """Some tasks with what each has done.

    :ivar total: number of tasks without a page
    """

    entries: Sequence[tuple[Task, Account]]
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class RatedRange:
    """The time over which a scope has been rated.

    :ivar since: start of its first period, UTC
    :ivar until: end of its last period, UTC; equal to ``since`` if nothing was rated
    :ivar step: length of the periods rated last; None: nothing was rated, or not recorded
    """

    since: datetime.datetime
    until: datetime.datetime
    step: datetime.timedelta | None


@dataclasses.dataclass(frozen=True, slots=True)
class RepricedWindow:
    """Periods of a task that one transaction replaces or keeps.

    :ivar window: all periods of the transaction
    :ivar kept_reasons: start of each period that is left unchanged -> why
    :ivar series: everything charged for the other periods from now on
    :ivar rules_version: version of the rule book that priced them; None: all periods are kept
    :ivar metrics: public names of all collected metrics, with usage or without, each once;
        None: nothing was collected, stored usage was priced
    :ivar exclusions: what the collector left out
    """

    window: Window
    kept_reasons: Mapping[datetime.datetime, str]
    series: Iterable[RatedSeries] = ()
    rules_version: int | None = None
    metrics: tuple[str, ...] | None = None
    exclusions: Sequence[Exclusion] = ()

    def replacement_windows(self) -> Sequence[Window]:
        """Return the consecutive periods that are replaced, in order."""
        step = self.window.step
        windows: list[Window] = []
        for begin in self.window.begins():
            if begin in self.kept_reasons:
                continue
            if windows and windows[-1].end == begin:
                windows[-1] = dataclasses.replace(windows[-1], count=windows[-1].count + 1)
            else:
                windows.append(Window(begin, step, 1))
        return windows

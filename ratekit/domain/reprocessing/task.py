"""Reprocessing: what is to be priced anew, how far that has come, and what it changed."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.domain import period
from ratekit.domain.exact import ZERO
from ratekit.domain.period import Window
from ratekit.domain.reporting.excluded import Exclusion
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries


class TaskKind(enum.StrEnum):
    """What is done to each period."""

    COLLECT = "collect"  #: usage is collected and priced anew
    RATES = "rates"  #: stored usage is priced anew; no metering back end is asked


class TaskState(enum.StrEnum):
    """How a task stands."""

    QUEUED = "queued"  #: waiting, or at work
    DONE = "done"
    CANCELLED = "cancelled"


class PeriodOutcome(enum.StrEnum):
    """What became of one period of a task."""

    SWAPPED = "swapped"  #: it has other totals now
    SAME = "same"  #: it was swapped, for the totals that it had
    KEPT = "kept"  #: it was left as it was; a note says why


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """One scope's stretch of time that is to be priced anew: ``begin <= t < end``.

    :ivar begin: begin of its first period, UTC
    :ivar end: end of its last, UTC
    :ivar step: length of a period; both are on its grid
    :ivar accept_silence: usage that was charged for and is gone now is believed to be gone, and
        so are labels that its price hung on
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
                raise ValueError(f"no period of {self.step} begins at {instant}")
        if self.begin >= self.end:
            raise ValueError(f"a task must end after it begins: {self.begin} to {self.end}")

    def window(self, begin: datetime.datetime, most: int) -> Window:
        """Return at most so many periods from ``begin`` on, which is before the end."""
        return Window(begin, self.step, min(most, (self.end - begin) // self.step))

    def __str__(self) -> str:
        name = f" ({self.scope.name})" if self.scope.name else ""
        stretch = self.window(self.begin, (self.end - self.begin) // self.step)
        return f"scope {self.scope.id}{name} over {stretch}"


@dataclasses.dataclass(frozen=True, slots=True)
class TaskNote:
    """Who asked for tasks, and why.

    :ivar reason: what the operator said, one line
    :ivar made_by: user and host
    :ivar made_at: UTC
    """

    reason: str
    made_by: str
    made_at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """An order that was queued, as it stood when it was read; instants are UTC.

    :ivar scope_pk: id of the scope's row in the database
    :ivar next_begin: begin of the first period that has not been dealt with
    :ivar failures: attempts that failed since the last success
    :ivar retry_at: not to be tried before, or None
    :ivar ended_at: when it was done or cancelled, or None
    :ivar resets: how often an operator had reset the scope; what was collected before is void
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
    """What a task did to one period; kept for good.

    :ivar begin: of the period, UTC
    :ivar note: why it was kept, or None
    :ivar old: what was charged before
    :ivar new: what is charged since
    :ivar at: when, UTC
    """

    begin: datetime.datetime
    outcome: PeriodOutcome
    note: str | None
    old: Charge
    new: Charge
    at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Swap:
    """A period that a task swapped."""

    task: Task
    record: PeriodRecord


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """What a task has done so far.

    :ivar periods: how many came to each outcome
    :ivar old: what was charged for them before
    :ivar new: what is charged since
    :ivar first_kept: why the first of those that were kept was, or None
    """

    periods: Mapping[PeriodOutcome, int]
    old: Charge = Charge()
    new: Charge = Charge()
    first_kept: str | None = None

    @property
    def kept(self) -> int:
        """How many periods were left as they were."""
        return self.periods.get(PeriodOutcome.KEPT, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class RatedRange:
    """How far a scope has been rated, and from where on.

    :ivar since: begin of its first period, UTC
    :ivar until: end of its last, UTC; ``since`` where nothing was rated
    :ivar step: length of the periods that were rated last; None: none was, or long ago
    """

    since: datetime.datetime
    until: datetime.datetime
    step: datetime.timedelta | None


@dataclasses.dataclass(frozen=True, slots=True)
class RepricedWindow:
    """One transaction's worth of a task: periods that are swapped, and such as are kept.

    :ivar window: the periods that were dealt with
    :ivar kept: why those are left as they are that are, by begin
    :ivar series: all that is charged for the others from now on
    :ivar rules_version: version of the rule book that priced them; None: all are kept
    :ivar metrics: public names of all that was asked for, used or silent, each once; None:
        nothing was, stored usage was priced anew
    :ivar excluded: what the collector left out
    """

    window: Window
    kept: Mapping[datetime.datetime, str]
    series: Sequence[RatedSeries] = ()
    rules_version: int | None = None
    metrics: tuple[str, ...] | None = None
    excluded: Sequence[Exclusion] = ()

    def swapped(self) -> Sequence[Window]:
        """Return the stretches of periods that are not kept, in order."""
        step = self.window.step
        found: list[Window] = []
        for begin in self.window.begins():
            if begin in self.kept:
                continue
            if found and found[-1].end == begin:
                found[-1] = dataclasses.replace(found[-1], count=found[-1].count + 1)
            else:
                found.append(Window(begin, step, 1))
        return found

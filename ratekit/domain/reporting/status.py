"""The answer to: is everything rated, and if not, why?"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping, Sequence

from ratekit.domain.reporting.monitoring import ProcessorRecord


class Verdict(enum.IntEnum):
    """The state of rating as a whole; also an exit code."""

    WELL = 0
    FAILING = 1
    UNKNOWN = 2


class IssueKind(enum.StrEnum):
    """What is wrong, or worth to know."""

    FAILING = "failing"  #: scopes whose last attempt failed
    LATE = "late"  #: scopes that were not tried, or not yet
    EXCLUDED = "excluded"  #: resources that are not charged so that others are
    TASK = "task"  #: reprocessing tasks whose last attempt failed
    PROCESSOR = "processor"  #: processes that fail as a whole, or are gone
    UNPRICED = "unpriced"  #: usage that is stored at price 0 because no rule matches
    SILENT = "silent"  #: metrics whose usage has stopped in all scopes


@dataclasses.dataclass(frozen=True, slots=True)
class Issue:
    """Something that is wrong, or worth to know.

    :ivar count: number of scopes, resources, tasks, processors or usages
    :ivar subject: what is counted, in words
    :ivar reason: one clause
    :ivar since: when it began, UTC; None: not known
    :ivar remedy: what an operator can do, one clause; empty: the reason says it
    """

    kind: IssueKind
    count: int
    subject: str
    reason: str
    since: datetime.datetime | None = None
    remedy: str = ""


class ProcessorState(enum.StrEnum):
    """The state of a daemon's process."""

    RATING = "rating"  #: a cycle runs
    WAITING = "waiting"  #: for the next period
    FAILING = "failing"  #: its last cycle failed as a whole
    MISSING = "missing"  #: it has not started a cycle that it had announced

    @property
    def is_up(self) -> bool:
        """Whether the process works."""
        return self in (ProcessorState.RATING, ProcessorState.WAITING)


@dataclasses.dataclass(frozen=True, slots=True)
class ProcessorStatus:
    """A daemon's process and its state."""

    record: ProcessorRecord
    state: ProcessorState


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """The state of rating.

    :ivar verdict: WELL if there are no problems
    :ivar rated_until: until when all scopes are rated, UTC; None: there are none
    :ivar due_until: end of the newest period that is due, UTC
    :ivar lag: how far the slowest scope is behind what is due
    :ivar scopes: number of scopes in each state: active (those in the next two states too),
        late, failing, inactive, deactivated
    :ivar problems: what keeps usage from being charged
    :ivar notes: what may be intended
    :ivar tasks: number of open reprocessing tasks
    """

    verdict: Verdict
    rated_until: datetime.datetime | None
    due_until: datetime.datetime
    lag: datetime.timedelta
    scopes: Mapping[str, int]
    problems: Sequence[Issue]
    notes: Sequence[Issue]
    tasks: int
    processors: Sequence[ProcessorStatus]

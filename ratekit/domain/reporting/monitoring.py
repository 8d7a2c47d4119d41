"""Records by which operators see whether all is rated."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class ProcessorRecord:
    """The last report of a daemon's process; instants are UTC.

    :ivar name: host and number of the process, at most 255 characters
    :ivar started_at: when the process started
    :ivar seen_at: when it reported this
    :ivar next_cycle: when its next cycle starts; None: it is in a cycle
    :ivar error: why its last cycle ended before it had tried all that was due, or None
    :ivar error_since: when the first of the consecutive cycles that ended so began, or None
    """

    name: str
    started_at: datetime.datetime
    seen_at: datetime.datetime
    next_cycle: datetime.datetime | None = None
    error: str | None = None
    error_since: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ExclusionGroup:
    """Resources that are excluded from a metric for one reason.

    :ivar metric: public name
    :ivar reason: one clause
    :ivar remedy: one clause
    :ivar resources: number of resources, at least 1
    :ivar scopes: number of scopes that have them
    :ivar since: start of the first period that lacks one, UTC
    """

    metric: str
    reason: str
    remedy: str
    resources: int
    scopes: int
    since: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class SilentMetric:
    """A metric whose usage has stopped in all scopes.

    :ivar metric: public name
    :ivar scopes: number of scopes in which it stopped
    :ivar since: start of the first period in which no scope had usage, UTC
    """

    metric: str
    scopes: int
    since: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class MonitoringFacts:
    """What the storage knows about the state of rating, besides scopes and tasks.

    :ivar processors: ordered by name
    :ivar exclusions: of the resources that are excluded now, ordered by metric and reason
    :ivar silent_metrics: ordered by name
    :ivar free_usage: number of frames with a quantity other than 0 and a price of 0 in the
        period, by public name of the metric
    """

    processors: Sequence[ProcessorRecord]
    exclusions: Sequence[ExclusionGroup] = ()
    silent_metrics: Sequence[SilentMetric] = ()
    free_usage: Mapping[str, int] = dataclasses.field(default_factory=dict)

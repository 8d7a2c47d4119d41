"""What became of each period in each metric: used, silent, or not asked for, and why."""

from __future__ import annotations

import bisect
import dataclasses
import datetime
import enum
from collections.abc import Mapping, Sequence

from ratekit.domain import period
from ratekit.domain.period import Window


class Kind(enum.StrEnum):
    """What became of one period of a scope in one metric."""

    POINTS = "points"  #: rated, and used
    SILENT = "silent"  #: rated, and not used
    NOT_RATED = "not rated yet"
    GAP = "gap"  #: not listed, or activated from later on: never to be rated
    NOT_CONFIGURED = "not configured"  #: rated, but not in this metric
    BEFORE = "before"  #: before the scope's first period
    UNKNOWN = "unknown"  #: before it was noted by which metrics is rated


@dataclasses.dataclass(frozen=True, slots=True)
class MetricsFrom:
    """By what a scope is rated from an instant on.

    :ivar begin: of a period, UTC
    :ivar metrics: public names
    """

    begin: datetime.datetime
    metrics: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """Where a scope is not rated.

    :ivar last_instant: the period that it falls in is still rated; UTC
    :ivar resume: begin of the first period that is rated again, UTC; None: not known yet
    """

    last_instant: datetime.datetime
    resume: datetime.datetime | None

    def holds(self, begin: datetime.datetime) -> bool:
        """Tell whether the period that begins at ``begin`` is left out."""
        return self.last_instant < begin and (self.resume is None or begin < self.resume)


@dataclasses.dataclass(frozen=True, slots=True)
class ExclusionSpan:
    """Periods in which a resource was left out of a metric so that the rest could be rated.

    :ivar metric: public name
    :ivar resource: its id in the metering back end
    :ivar begin: of the first of these periods, UTC
    :ivar end: of the last, UTC
    :ivar reason: what was wrong with it, one clause
    :ivar remedy: what puts it right, one clause
    """

    metric: str
    resource: str
    begin: datetime.datetime
    end: datetime.datetime
    reason: str
    remedy: str


@dataclasses.dataclass(frozen=True, slots=True)
class CoverageFacts:
    """What a storage knows of a scope over a stretch of time.

    :ivar rated_since: begin of the scope's first period, UTC; None: not known
    :ivar rated_until: end of the last period that was rated, UTC
    :ivar changes: the set in force at the begin of the stretch, if it is known, and those
        that follow, by begin
    :ivar points: number of frames by begin of the period and public name, none of them 0
    :ivar gaps: those that touch the stretch
    :ivar exclusions: those that touch it
    """

    rated_since: datetime.datetime | None
    rated_until: datetime.datetime
    changes: Sequence[MetricsFrom]
    points: Mapping[tuple[datetime.datetime, str], int]
    gaps: Sequence[Stretch]
    exclusions: Sequence[ExclusionSpan] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class PeriodCoverage:
    """One period in one metric.

    :ivar begin: of the period, UTC
    :ivar points: number of frames; 0 unless ``kind`` is POINTS
    """

    begin: datetime.datetime
    kind: Kind
    points: int = 0


def cells(facts: CoverageFacts, window: Window) -> dict[str, list[PeriodCoverage]]:
    """Return one cell a period, by public name, sorted.

    For each metric that was configured or used at some time of the window. Frames of periods
    of another length count for the period of ``window`` in which theirs began.

    :param facts: of a stretch that holds the window
    """
    points: dict[tuple[datetime.datetime, str], int] = {}
    for (begin, metric), count in facts.points.items():
        if window.begin <= begin < window.end:
            key = period.floor(begin, window.step), metric
            points[key] = points.get(key, 0) + count
    begins = window.begins()
    sets = [_in_force(facts, begin) for begin in begins]
    metrics = {metric for _, metric in points}.union(*(known for known in sets if known))
    return {
        metric: [
            PeriodCoverage(begin, Kind.POINTS, points[begin, metric])
            if (begin, metric) in points
            else PeriodCoverage(begin, _without_points(facts, begin, metric, known))
            for begin, known in zip(begins, sets, strict=True)
        ]
        for metric in sorted(metrics)
    }


def _in_force(facts: CoverageFacts, begin: datetime.datetime) -> frozenset[str] | None:
    """Return by which metrics is rated at an instant; None: not known."""
    after = bisect.bisect_right(facts.changes, begin, key=lambda one: one.begin)
    return facts.changes[after - 1].metrics if after else None


def _without_points(
    facts: CoverageFacts, begin: datetime.datetime, metric: str, known: frozenset[str] | None
) -> Kind:
    if any(gap.holds(begin) for gap in facts.gaps):
        return Kind.GAP
    if facts.rated_since is not None and begin < facts.rated_since:
        return Kind.BEFORE
    if begin >= facts.rated_until:
        return Kind.NOT_RATED
    if known is None:
        return Kind.UNKNOWN
    return Kind.SILENT if metric in known else Kind.NOT_CONFIGURED

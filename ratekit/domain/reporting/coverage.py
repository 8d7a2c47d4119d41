"""The state of each period in each metric: with usage, silent, purged, or not rated, and why."""

from __future__ import annotations

import bisect
import dataclasses
import datetime
import enum
import itertools
from collections.abc import Mapping, Sequence

from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import ExclusionSpan


class Kind(enum.StrEnum):
    """The state of one period of a scope in one metric."""

    POINTS = "points"  #: rated, with usage
    SILENT = "silent"  #: rated, without usage
    PURGED = "purged"  #: rated, with or without usage: what was there may have been removed
    NOT_RATED = "not rated yet"
    GAP = "gap"  #: not listed, or activated later: never rated
    NOT_CONFIGURED = "not configured"  #: rated, but without this metric
    BEFORE = "before"  #: before the scope's first period
    UNKNOWN = "unknown"  #: before the metrics in use were recorded


@dataclasses.dataclass(frozen=True, slots=True)
class MetricsFrom:
    """The metrics that a scope is rated by from an instant on.

    :ivar begin: of a period, UTC
    :ivar metrics: public names
    """

    begin: datetime.datetime
    metrics: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class GapSpan:
    """A time range in which a scope is not rated: a gap.

    :ivar last_instant: the period that contains it is still rated; UTC
    :ivar resume: start of the first period that is rated again, UTC; None: not known yet
    """

    last_instant: datetime.datetime
    resume: datetime.datetime | None

    def contains(self, begin: datetime.datetime) -> bool:
        """Return whether the period that begins at ``begin`` is in the gap."""
        return self.last_instant < begin and (self.resume is None or begin < self.resume)


@dataclasses.dataclass(frozen=True, slots=True)
class RatedSpan:
    """From when to when a scope is rated.

    :ivar rated_since: start of the scope's first period, UTC; None: not known
    :ivar rated_until: end of the last rated period, UTC
    :ivar gaps: in a range that was asked for, oldest first
    """

    rated_since: datetime.datetime | None
    rated_until: datetime.datetime
    gaps: Sequence[GapSpan]


@dataclasses.dataclass(frozen=True, slots=True)
class CoverageFacts:
    """The storage's records of a scope over a time range.

    :ivar rated_since: start of the scope's first period, UTC; None: not known
    :ivar rated_until: end of the last rated period, UTC
    :ivar changes: the metrics at the start of the range, if they are known, and each later
        change, by begin
    :ivar points: number of frames by the period's begin and public name, each above 0
    :ivar gaps: those that overlap the range
    :ivar exclusions: those that overlap it
    :ivar purged_until: UTC; what began earlier may be missing from ``points``; None: nothing is
    """

    rated_since: datetime.datetime | None
    rated_until: datetime.datetime
    changes: Sequence[MetricsFrom]
    points: Mapping[tuple[datetime.datetime, str], int]
    gaps: Sequence[GapSpan]
    exclusions: Sequence[ExclusionSpan] = ()
    purged_until: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class PeriodCoverage:
    """One period in one metric.

    :ivar begin: of the period, UTC
    :ivar points: number of frames; 0 unless ``kind`` is POINTS
    """

    begin: datetime.datetime
    kind: Kind
    points: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class CoverageSpan:
    """Consecutive periods of one metric in the same state.

    :ivar begin: of the first period, UTC
    :ivar end: of the last, UTC
    :ivar points: number of frames
    """

    kind: Kind
    begin: datetime.datetime
    end: datetime.datetime
    points: int = 0


def merge(periods: Sequence[PeriodCoverage], step: datetime.timedelta) -> Sequence[CoverageSpan]:
    """Return the spans of consecutive periods of one metric, in order.

    :param step: length of each period
    """
    return [
        CoverageSpan(
            kind,
            members[0].begin,
            members[-1].begin + step,
            sum(member.points for member in members),
        )
        for kind, members in (
            (kind, list(group))
            for kind, group in itertools.groupby(periods, key=lambda entry: entry.kind)
        )
    ]


def cells(facts: CoverageFacts, window: Window) -> dict[str, list[PeriodCoverage]]:
    """Return one cell for each period, by public name, sorted.

    There is an entry for each metric that was configured or used at any time of the window.
    A frame of a period of another length counts for the period of ``window`` in which its own
    began.

    :param facts: of a time range that contains the window
    """
    points: dict[tuple[datetime.datetime, str], int] = {}
    for (begin, metric), count in facts.points.items():
        if window.begin <= begin < window.end:
            key = period.floor(begin, window.step), metric
            points[key] = points.get(key, 0) + count
    begins = window.begins()
    sets = [_metrics_at(facts, begin) for begin in begins]
    metrics = {metric for _, metric in points}.union(*(names for names in sets if names))
    return {
        metric: [
            PeriodCoverage(begin, Kind.POINTS, points[begin, metric])
            if (begin, metric) in points
            else PeriodCoverage(begin, _explain_silence(facts, begin, metric, names))
            for begin, names in zip(begins, sets, strict=True)
        ]
        for metric in sorted(metrics)
    }


def _metrics_at(facts: CoverageFacts, begin: datetime.datetime) -> frozenset[str] | None:
    """Return the metrics in use at an instant; None: not known."""
    count = bisect.bisect_right(facts.changes, begin, key=lambda change: change.begin)
    return facts.changes[count - 1].metrics if count else None


def _explain_silence(
    facts: CoverageFacts, begin: datetime.datetime, metric: str, names: frozenset[str] | None
) -> Kind:
    if any(gap.contains(begin) for gap in facts.gaps):
        return Kind.GAP
    if facts.rated_since is not None and begin < facts.rated_since:
        return Kind.BEFORE
    if begin >= facts.rated_until:
        return Kind.NOT_RATED
    if names is not None and metric not in names:
        return Kind.NOT_CONFIGURED
    if facts.purged_until is not None and begin < facts.purged_until:
        return Kind.PURGED
    return Kind.UNKNOWN if names is None else Kind.SILENT

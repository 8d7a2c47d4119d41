"""How much of a time range is rated for a project, and why the rest is not."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ratekit.admin.scope_filter import is_rated
from ratekit.domain.period import BEGINNING
from ratekit.domain.reporting.coverage import GapSpan
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Reports


class Progress(enum.StrEnum):
    """How much of a time range is rated."""

    UNKNOWN_SCOPE = "never rated"  #: the project has never been listed for rating
    BEFORE = "before the first period"  #: rating started later
    FUTURE = "not yet"  #: nothing of it is rated yet
    PARTLY = "partly"  #: not until the end
    END = "from its first period on"  #: until the end, but rating started after the start
    WHOLLY = "wholly"


@dataclasses.dataclass(frozen=True, slots=True)
class Gap:
    """A part of a time range that is never rated.

    :ivar begin: UTC
    :ivar end: UTC; None: it has not ended
    """

    begin: datetime.datetime
    end: datetime.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class RatingState:
    """How much of a time range is rated.

    :ivar rated_since: start of the first period, UTC; None: not known, or never
    :ivar rated_until: end of the last period, UTC; None: never rated
    :ivar is_over: the project is no longer rated, or not at present: later usage is not charged
    :ivar gaps: in the range, oldest first
    :ivar purged_until: what was rated before may be missing, UTC; None: nothing is
    """

    progress: Progress
    rated_since: datetime.datetime | None = None
    rated_until: datetime.datetime | None = None
    is_over: bool = False
    gaps: Sequence[Gap] = ()
    purged_until: datetime.datetime | None = None


def read(
    reports: Reports,
    calendar: Calendar,
    scopes: frozenset[str],
    begin: datetime.datetime,
    end: datetime.datetime,
    purged_until: datetime.datetime | None = None,
) -> Mapping[str, RatingState]:
    """Return how much of ``[begin, end)`` is rated for projects, by the id of each.

    :param reports: asked twice; a snapshot, so that nothing is rated in between
    :param calendar: the grid of periods
    :param purged_until: what was rated before may be missing
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    rows = {row.id: row for row in reports.scopes(scopes)}
    spans = reports.rated_spans(scopes, begin, end)
    states = {
        scope: RatingState(
            _progress(span.rated_since or BEGINNING, span.rated_until, begin, end),
            span.rated_since,
            span.rated_until,
            not is_rated(rows[scope]),
            list(_cut(span.gaps, calendar, begin, end)),
            purged_until,
        )
        for scope, span in spans.items()
        if scope in rows
    }
    unknown = RatingState(Progress.UNKNOWN_SCOPE, purged_until=purged_until)
    return {scope: states.get(scope, unknown) for scope in scopes}


def _progress(
    since: datetime.datetime,
    until: datetime.datetime,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> Progress:
    if end <= since:
        return Progress.BEFORE
    if until <= begin:
        return Progress.FUTURE
    if until < end:
        return Progress.PARTLY
    return Progress.WHOLLY if since <= begin else Progress.END


def _cut(
    spans: Iterable[GapSpan],
    calendar: Calendar,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> Iterator[Gap]:
    """Yield the part of each gap from ``begin`` on that has a period."""
    for span in spans:
        # The period that contains the last instant is rated.
        first = max(calendar.floor(span.last_instant) + calendar.step, begin)
        if first < end and (span.resume is None or first < span.resume):
            yield Gap(first, span.resume)

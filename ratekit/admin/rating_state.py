"""How much of a time range is rated for a project, and why the rest is not."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Iterable, Iterator, Sequence

from ratekit.admin.scope_filter import is_rated
from ratekit.domain.period import BEGINNING
from ratekit.domain.reporting.coverage import GapSpan
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage


class Progress(enum.StrEnum):
    """How much of a time range is rated."""

    UNKNOWN_SCOPE = "never rated"  #: the project has never been listed for rating
    BEFORE = "before the first period"  #: rating started later
    FUTURE = "not yet"  #: nothing of it is rated yet
    PARTLY = "partly"
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
    storage: Storage,
    calendar: Calendar,
    scope: str,
    begin: datetime.datetime,
    end: datetime.datetime,
    from_totals: bool = True,
) -> RatingState:
    """Return how much of ``[begin, end)`` is rated for a project.

    :param calendar: the grid of periods
    :param from_totals: the report has no labels, so purged frames do not matter
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    purged_until = storage.purge.mark().missing_until(begin, from_totals)
    rows = storage.reports.scopes(frozenset({scope}))
    if not rows:
        return RatingState(Progress.UNKNOWN_SCOPE, purged_until=purged_until)
    facts = storage.reports.coverage(scope, begin, end)
    since = facts.rated_since
    return RatingState(
        _progress(since or BEGINNING, facts.rated_until, begin, end),
        since,
        facts.rated_until,
        not is_rated(rows[0]),
        list(_cut(facts.gaps, calendar, begin, end)),
        purged_until,
    )


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
    return Progress.WHOLLY if since <= begin and end <= until else Progress.PARTLY


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

"""Which scopes are late, which fail, and which are no longer rated: status and lists agree."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping, Sequence

from ratekit.admin.lag import active_scopes, due_ends
from ratekit.admin.scope_filter import is_rated
from ratekit.domain.reporting.reports import StateRow
from ratekit.domain.schedule.calendar import Calendar

#: What a cycle may take: a scope is late, and a processor missing, only after this time.
GRACE = datetime.timedelta(minutes=15)


class Condition(enum.StrEnum):
    """The state of rating a scope."""

    RATED = "rated"  #: all that is due, or it is being rated
    LATE = "late"  #: it was not tried, or not yet
    FAILING = "failing"  #: the last attempt failed
    INACTIVE = "inactive"  #: the fetcher no longer lists it
    DEACTIVATED = "deactivated"  #: by an operator


def judge(
    rows: Sequence[StateRow], calendar: Calendar, now: datetime.datetime
) -> Mapping[str, Condition]:
    """Return the condition of each scope, by its id.

    :param rows: all scopes
    """
    overdue = due_ends(active_scopes(rows), calendar, now - GRACE)
    return {row.id: _judge(row, overdue.get(row.id)) for row in rows}


def _judge(row: StateRow, overdue: datetime.datetime | None) -> Condition:
    if not is_rated(row):
        return Condition.INACTIVE if row.deactivated_at is None else Condition.DEACTIVATED
    if row.failures:
        return Condition.FAILING
    is_late = overdue is not None and row.rated_until < overdue
    return Condition.LATE if is_late else Condition.RATED

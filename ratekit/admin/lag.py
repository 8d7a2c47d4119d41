"""How far scopes are behind what is due: ``scope list``, ``scope show`` and ``status`` agree."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

from ratekit.admin.scope_filter import is_rated
from ratekit.domain.reporting.reports import StateRow
from ratekit.domain.schedule.calendar import Calendar


def active_scopes(rows: Iterable[StateRow]) -> list[StateRow]:
    """Return the scopes that are rated."""
    return [row for row in rows if is_rated(row)]


def due_ends(
    rows: Sequence[StateRow], calendar: Calendar, now: datetime.datetime
) -> Mapping[str, datetime.datetime]:
    """Return the end of the due periods of each scope, by its id; at least where it stands.

    A scope that the newest list of the fetcher lacks is due up to when it was last listed.

    :param rows: all scopes that are rated
    """
    newest_list = max((row.last_seen for row in rows), default=now)
    until = calendar.due_until(now)
    ends = {}
    for row in rows:
        end = until
        if row.last_seen < newest_list:
            end = min(end, calendar.floor(row.last_seen) + calendar.step)
        ends[row.id] = max(end, row.rated_until)
    return ends


def read_lags(
    rows: Iterable[StateRow], calendar: Calendar, now: datetime.datetime
) -> Mapping[str, datetime.timedelta]:
    """Return how far each scope that is rated is behind what is due, by its id.

    :param rows: all scopes
    """
    active = active_scopes(rows)
    ends = due_ends(active, calendar, now)
    return {row.id: ends[row.id] - row.rated_until for row in active}

"""When a period is due, and where a new scope starts."""

from __future__ import annotations

import dataclasses
import datetime

from ratekit.domain import period
from ratekit.domain.schedule.batch import DueScope
from ratekit.domain.scope import State


@dataclasses.dataclass(frozen=True, slots=True)
class Calendar:
    """The grid of periods and the patience with late measures.

    :ivar step: length of a period
    :ivar wait_periods: a period is due when more than this many periods have gone by since
        its begin, and it has ended
    """

    step: datetime.timedelta
    wait_periods: int

    def due_until(self, now: datetime.datetime) -> datetime.datetime:
        """Return the end of the last period that is due at ``now``.

        CloudKitty's rule: ``begin + wait_periods * step < now`` and ``end <= now``.
        """
        ended = self.floor(now)
        # The last begin strictly before now - wait, as a period's end.
        waited = period.ceiling(now - self.wait_periods * self.step, self.step)
        return min(ended, waited)

    def next_due(self, now: datetime.datetime) -> datetime.datetime:
        """Return when :meth:`due_until` next changes: a period is due just after it."""
        return self.floor(now) + self.step

    def work(self, state: State, now: datetime.datetime) -> DueScope:
        """Return what is due of a scope.

        One that the fetcher no longer lists is due up to the period in which it was last
        seen, no further.
        """
        until = self.due_until(now)
        if state.last_seen < now:
            until = min(until, self.floor(state.last_seen) + self.step)
        return DueScope(state, until)

    def floor(self, instant: datetime.datetime) -> datetime.datetime:
        """Return the begin of the period that ``instant`` is in."""
        return period.floor(instant, self.step)

    def on_grid(self, instant: datetime.datetime) -> bool:
        """Tell whether a period may begin at ``instant``."""
        return self.floor(instant) == instant

    def start(self, where: str, now: datetime.datetime) -> datetime.datetime:
        """Return where a new scope starts.

        :param where: ``month``, ``now`` or an ISO 8601 date or time; naive means UTC
        :raises ValueError: it is neither
        """
        if where == "now":
            begin = now
        elif where == "month":
            begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        else:
            begin = parse_instant(where)
        return self.floor(begin)


def parse_instant(text: str) -> datetime.datetime:
    """Read an ISO 8601 date or time; naive means UTC.

    :raises ValueError: it is not one
    """
    instant = datetime.datetime.fromisoformat(text)
    if instant.utcoffset() is None:
        return instant.replace(tzinfo=datetime.UTC)
    return instant.astimezone(datetime.UTC)

"""When a period is due, and where the rating of a new scope starts."""

from __future__ import annotations

import dataclasses
import datetime

from ratekit.domain import period
from ratekit.domain.schedule.batch import DueScope
from ratekit.domain.scope import State


@dataclasses.dataclass(frozen=True, slots=True)
class Calendar:
    """The grid of periods, and how long to wait for late measures.

    :ivar step: length of a period
    :ivar wait_periods: a period is due when it has ended and more than this many periods have
        passed since its start
    """

    step: datetime.timedelta
    wait_periods: int

    def due_until(self, now: datetime.datetime) -> datetime.datetime:
        """Return the end of the last period that is due at ``now``.

        CloudKitty's rule: ``begin + wait_periods * step < now`` and ``end <= now``.
        """
        last_end = self.floor(now)
        # The end of the period that is the last to start strictly before now - wait.
        last_end_after_wait = period.ceiling(now - self.wait_periods * self.step, self.step)
        return min(last_end, last_end_after_wait)

    def next_due(self, now: datetime.datetime) -> datetime.datetime:
        """Return when :meth:`due_until` changes next: a period is due just after this instant."""
        return self.floor(now) + self.step

    def due_scope(self, state: State, now: datetime.datetime) -> DueScope:
        """Return a scope with the end of its due periods.

        A scope that the fetcher no longer lists is due up to and including the period in
        which it was last listed.
        """
        until = self.due_until(now)
        if state.last_seen < now:
            until = min(until, self.floor(state.last_seen) + self.step)
        return DueScope(state, until)

    def latest_state(
        self, where: str, now: datetime.datetime, tolerance: datetime.timedelta
    ) -> datetime.datetime:
        """Return the latest instant until which a scope can have been rated.

        :param where: where new scopes start, as for :meth:`start`
        :param tolerance: maximum difference of the clocks of processors
        """
        # An operator may have activated a scope from the next period on.
        return max(self.next_due(now + tolerance), self.start(where, now))

    def floor(self, instant: datetime.datetime) -> datetime.datetime:
        """Return the start of the period that contains ``instant``."""
        return period.floor(instant, self.step)

    def on_grid(self, instant: datetime.datetime) -> bool:
        """Tell whether a period starts at ``instant``."""
        return self.floor(instant) == instant

    def start(self, where: str, now: datetime.datetime) -> datetime.datetime:
        """Return the start of a new scope's first period.

        :param where: ``month``, ``now`` or an ISO 8601 date or time; naive means UTC
        :raises ValueError: ``where`` is none of these
        """
        if where == "now":
            begin = now
        elif where == "month":
            begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        else:
            begin = parse_instant(where)
        return self.floor(begin)


def parse_instant(text: str) -> datetime.datetime:
    """Parse an ISO 8601 date or time; naive means UTC.

    :raises ValueError: the text is neither
    """
    instant = datetime.datetime.fromisoformat(text)
    if instant.utcoffset() is None:
        return instant.replace(tzinfo=datetime.UTC)
    return instant.astimezone(datetime.UTC)

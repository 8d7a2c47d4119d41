"""What a daemon's process reports of itself for ``ratekit status``."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable

from ratekit import errors
from ratekit.domain.reporting.monitoring import ProcessorRecord
from ratekit.interfaces import Monitoring
from ratekit.processing.cycle import Clock
from ratekit.processing.failures import attempt

LOG = logging.getLogger(__name__)


class Presence:
    """Records when cycles start and end, and why they failed.

    Rating continues if nothing can be recorded.

    :param name: of the process, different from all others that use the database
    """

    def __init__(self, monitoring: Monitoring, name: str, clock: Clock) -> None:
        self._monitoring = monitoring
        self._clock = clock
        now = clock()
        self._record = ProcessorRecord(name, started_at=now, seen_at=now)

    def start_cycle(self) -> None:
        """Record that a cycle starts."""
        self._update(seen_at=self._clock(), next_cycle=None)

    def end_cycle(self, pause: float, failure: Exception | None) -> None:
        """Record that a cycle has ended.

        :param pause: seconds until the next
        :param failure: why it ended before it had tried all that was due
        """
        now = self._clock()
        since = None
        if failure is not None:
            since = self._record.error_since or self._record.seen_at
        self._update(
            seen_at=now,
            next_cycle=now + datetime.timedelta(seconds=pause),
            error=None if failure is None else _describe(failure),
            error_since=since,
        )

    def leave(self) -> None:
        """Remove the record, because the process ends."""
        self._try(lambda: self._monitoring.remove(self._record.name))

    def _update(self, **changes: datetime.datetime | str | None) -> None:
        self._record = dataclasses.replace(self._record, **changes)  # type: ignore[arg-type]
        self._try(lambda: self._monitoring.record(self._record))

    def _try(self, write: Callable[[], None]) -> None:
        failure = attempt(write)
        if failure is not None:
            # The cycle itself reports a database that fails.
            LOG.debug("this process is not recorded: %s", failure)


def _describe(failure: Exception) -> str:
    if isinstance(failure, errors.RatekitError):
        return str(failure)
    return f"unexpected error ({type(failure).__name__}), see the log"

"""What a daemon's process reports of itself, for ``ratekit status`` and for other daemons."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import logging
import re
import socket
from collections.abc import Callable

from ratekit import errors
from ratekit.domain.reporting.monitoring import ProcessorRecord
from ratekit.interfaces import Monitoring
from ratekit.processing.failures import attempt
from ratekit.processing.run_context import Clock

LOG = logging.getLogger(__name__)

#: Time between two reports of a process that has nothing else to report.
_INTERVAL = datetime.timedelta(seconds=30)
#: Linux's limit.
_HOST_LENGTH = 64
#: Daemons on one host that get a name each.
_MAX_DAEMONS = 100
_NAME = re.compile(r"(?P<daemon>.+), worker [0-9]+ of (?P<workers>[0-9]+)")


class DaemonName:
    """A name for a daemon that no other running daemon on this host has.

    It is the host's name, and a number if others run here. The kernel keeps the name until all
    processes of the daemon have ended.

    :param database: daemons of other databases do not count
    """

    def __init__(self, database: str) -> None:
        host = socket.gethostname()[:_HOST_LENGTH]
        digest = hashlib.sha256(database.encode()).hexdigest()[:16]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.text = host
        for number in range(1, _MAX_DAEMONS):
            self.text = host if number == 1 else f"{host} #{number}"
            try:
                self._socket.bind(f"\0ratekit-processor-{digest}-{number}")
            except OSError:
                continue
            return

    def close(self) -> None:
        """Give the name back."""
        self._socket.close()


def parse_worker(name: str) -> tuple[str, int] | None:
    """Return the daemon's name and its number of workers; None: it is not a worker's name."""
    match = _NAME.fullmatch(name)
    return match and (match["daemon"], int(match["workers"]))


class Presence:
    """Records when cycles start and end, and why they failed.

    Rating continues if nothing can be recorded.

    :param name: of the process, different from all others that use the database
    """

    def __init__(self, monitoring: Monitoring, name: str, clock: Clock) -> None:
        self._monitoring = monitoring
        self._clock = clock
        now = clock()
        self._cycle_start = now
        self._record = ProcessorRecord(name, started_at=now, seen_at=now)

    def start_cycle(self) -> None:
        """Record that a cycle starts."""
        self._cycle_start = self._clock()
        self._update(seen_at=self._cycle_start, next_cycle=None)

    def end_cycle(self, pause: float, failure: Exception | None) -> None:
        """Record that a cycle has ended.

        :param pause: seconds until the next
        :param failure: why it ended before it had tried all that was due
        """
        now = self._clock()
        since = None
        if failure is not None:
            since = self._record.error_since or self._cycle_start
        self._update(
            seen_at=now,
            next_cycle=now + datetime.timedelta(seconds=pause),
            error=None if failure is None else _describe(failure),
            error_since=since,
        )

    def keep_alive(self) -> None:
        """Record that the process still works, unless it has just reported something."""
        now = self._clock()
        if abs(now - self._record.seen_at) >= _INTERVAL:
            self._update(seen_at=now)

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

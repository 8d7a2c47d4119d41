"""Removes frames and totals that are older than [storage] retention, a few at a time."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterator

from ratekit import errors
from ratekit.domain.purge import PurgeCount, retention_limit
from ratekit.interfaces import Storage
from ratekit.processing.run_context import Clock
from ratekit.text import utc_text

LOG = logging.getLogger(__name__)

#: Rows of one transaction; 10,000 took a third of a second on a busy PostgreSQL.
BATCH = 5_000
#: From the start of one purge, or a failure, until the next.
_PAUSE = datetime.timedelta(hours=1)


class FrameRetention:
    """What one worker does between two cycles when there is no task.

    :param retention: how long frames are kept; None: forever
    :param totals: totals are removed, too
    """

    def __init__(
        self,
        storage: Storage,
        retention: datetime.timedelta | None,
        totals: bool,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._retention = retention
        self._totals = totals
        self._clock = clock
        self._next = datetime.datetime.min.replace(tzinfo=datetime.UTC)
        self._steps: Iterator[PurgeCount] = iter(())

    def advance(self) -> bool:
        """Start a purge, or remove at most :data:`BATCH` rows, in one transaction.

        :returns: False: there is nothing to do for some time
        :raises ratekit.errors.TryLater: the storage did not answer
        """
        if self._retention is None:
            return False
        if next(self._steps, None) is not None:
            return True
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + _PAUSE
        newest = self._storage.rules.last_rated_end()
        if newest is None:
            return False
        # The clock may be ahead, and a period may end in the future.
        before = retention_limit(min(newest, now), self._retention)
        try:
            self._storage.purge.start(before, self._totals)
        except errors.OperatorError as error:
            LOG.warning("retention waits: %s", error)
            return False
        LOG.debug("removing what was rated before %s", utc_text(before))
        self._steps = self._storage.purge.remove(BATCH)
        return True

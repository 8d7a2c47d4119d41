"""Measures that Gnocchi has taken and not yet made into aggregates."""

from __future__ import annotations

import datetime
import logging

from ratekit.collectors.gnocchi import ttl_cache
from ratekit.collectors.gnocchi.api.index import Index

LOG = logging.getLogger(__name__)


class Backlog:
    """Waits for metricd, but not for ever.

    :param most: measures that may wait to be processed while scopes are rated; None: any number
    :param wait: how long to hold in a row
    """

    def __init__(
        self, index: Index, most: int | None, wait: datetime.timedelta, clock: ttl_cache.Clock
    ) -> None:
        self._index = index
        self._most = most
        self._wait = wait
        self._clock = clock
        self._since: datetime.datetime | None = None
        self._gone_on = False

    def not_ready(self) -> str | None:
        """Return why to wait, or None; see :meth:`ratekit.interfaces.Collector.not_ready`.

        :raises ratekit.errors.TryLater: Gnocchi did not answer
        :raises ratekit.errors.OperatorError: it does not tell ratekit
        """
        if self._most is None:
            return None
        waiting = self._index.backlog()
        if waiting <= self._most:
            self._since, self._gone_on = None, False
            return None
        now = self._clock()
        if self._since is None:
            self._since = now
        told = f"{waiting:,} measures wait for Gnocchi's metricd, more than {self._most:,}"
        left = self._since + self._wait - now
        if left > datetime.timedelta(0):
            return f"{told}: rating goes on when there are fewer, in {_minutes(left)} at the latest"
        if not self._gone_on:
            self._gone_on = True
            LOG.warning(
                "%s, since %s: rating goes on, and what is processed later is not charged; see "
                "[collector_gnocchi] max_backlog_wait",
                told, f"{self._since:%Y-%m-%dT%H:%M:%SZ}",
            )  # fmt: skip
        return None


def _minutes(left: datetime.timedelta) -> str:
    return f"{max(1, round(left / datetime.timedelta(minutes=1)))} min"

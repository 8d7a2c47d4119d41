"""Measures that Gnocchi has received and not yet aggregated."""

from __future__ import annotations

import datetime
import logging

from ratekit.collectors.gnocchi import ttl_cache
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.text import count_text, utc_text

LOG = logging.getLogger(__name__)


class Backlog:
    """Waits for metricd, for a limited time.

    :param max_backlog: measures that may be unprocessed while scopes are rated; None: any number
    :param max_wait: how long to wait in a row
    """

    def __init__(
        self,
        client: Client,
        max_backlog: int | None,
        max_wait: datetime.timedelta,
        clock: ttl_cache.Clock,
    ) -> None:
        self._client = client
        self._max_backlog = max_backlog
        self._max_wait = max_wait
        self._clock = clock
        self._since: datetime.datetime | None = None
        self._has_warned = False

    def not_ready(self) -> str | None:
        """Return why to wait, or None; see :class:`ratekit.interfaces.Readiness`.

        :raises ratekit.errors.TryLater: Gnocchi did not respond
        :raises ratekit.errors.OperatorError: Gnocchi does not let ratekit read the number
        """
        if self._max_backlog is None:
            return None
        backlog = self._client.backlog()
        if backlog <= self._max_backlog:
            self._since, self._has_warned = None, False
            return None
        now = self._clock()
        if self._since is None:
            self._since = now
        state = (
            f"Gnocchi's metricd has {count_text(backlog, 'measure')} to process, more than "
            f"{self._max_backlog:,}"
        )
        remaining = self._since + self._max_wait - now
        if remaining > datetime.timedelta(0):
            return (
                f"{state}; rating continues when there are fewer, in {_minutes(remaining)} at "
                "the latest"
            )
        if not self._has_warned:
            self._has_warned = True
            LOG.warning(
                "%s, since %s; rating continues, and measures that are processed later are not "
                "charged; see [collector_gnocchi] max_backlog_wait",
                state, utc_text(self._since),
            )  # fmt: skip
        return None


def _minutes(duration: datetime.timedelta) -> str:
    return f"{max(1, round(duration / datetime.timedelta(minutes=1)))} min"

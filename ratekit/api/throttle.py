"""How many requests a project may send."""

from __future__ import annotations

import math
import time

import limits
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from oslo_context.context import RequestContext

from ratekit.api.faults import Fault


class Throttle:
    """Counts the requests of each project, in this process.

    :param per_minute: most requests of a project in a minute; 0: any number
    """

    def __init__(self, per_minute: int) -> None:
        self._limit = limits.RateLimitItemPerMinute(per_minute) if per_minute else None
        self._counts = FixedWindowRateLimiter(MemoryStorage())

    def count(self, caller: RequestContext) -> None:
        """Count a request.

        :raises ratekit.api.faults.Fault: the caller's project has sent too many
        """
        if self._limit is None:
            return
        # Who has a token without a project counts as himself.
        key = caller.project_id or f"user {caller.user_id}"
        if self._counts.hit(self._limit, key):
            return
        reset = self._counts.get_window_stats(self._limit, key).reset_time
        wait = max(1, math.ceil(reset - time.time()))
        text = f"a project may send {self._limit.amount} requests a minute; try again in {wait} s"
        raise Fault(429, text, Retry_After=str(wait))

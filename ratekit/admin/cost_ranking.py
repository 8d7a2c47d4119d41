"""What all scopes, or their usage of a metric, cost in a range: remembered to sort by.

To add up a month of 10,000 scopes takes a database some seconds; whoever turns a page within some
minutes must not wait again. Amounts that are shown are read anew.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable

import cachetools

from ratekit.admin.project import Costs
from ratekit.domain.period import Period
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.interfaces import Reports

#: How old an order may be.
MAX_AGE = datetime.timedelta(minutes=10)
#: Ranges and metrics; each takes 2 MB for 10,000 scopes.
_RANGES = 8


class CostRanking:
    """Costs of all scopes by range and metric.

    :param timer: returns seconds
    """

    def __init__(self, reports: Reports, timer: Callable[[], float] = time.monotonic) -> None:
        self._reports = reports
        self._costs: cachetools.TTLCache[tuple[Period, str | None], Costs, float]
        self._costs = cachetools.TTLCache(_RANGES, MAX_AGE.total_seconds(), timer)
        self._lock = threading.Lock()

    def read(self, range_: Period, metric: str | None = None) -> Costs:
        """Return what each scope with charges was charged, at most ten minutes ago.

        :param metric: for usage of this one; None: for all usage

        :raises ratekit.errors.TryLater: the storage did not answer
        """
        with self._lock:
            costs = self._costs.get((range_, metric))
        if costs is None:
            costs = self._reports.prices(range_.begin, range_.end, ALL_SCOPES, metric)
            with self._lock:
                self._costs[range_, metric] = costs
        return costs

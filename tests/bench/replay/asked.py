"""What the replay was asked for more than once."""

from __future__ import annotations

import collections
import datetime
from typing import Any

from tests.bench.replay.answers import Query, scopes_of

_HOUR = datetime.timedelta(hours=1)


class AskedHours:
    """Counts the hours of each metric and scope that were asked for.

    A request also reads an hour on each side of the periods that it is for, at most: those do
    not count.
    """

    def __init__(self) -> None:
        self._counts: collections.Counter[tuple[str, str, datetime.datetime]] = (
            collections.Counter()
        )

    def add(self, query: Query, body: Any) -> None:
        """Count a request for aggregates."""
        operations = body["operations"]
        if operations[0] != "aggregate" or "use_history" not in query:
            return
        _, metric, method = operations[2]
        start, stop = (
            datetime.datetime.fromisoformat(query[name][0]) for name in ("start", "stop")
        )
        # What counters are compared with.
        first = start + _HOUR if method == "last" else start
        hours = [first + index * _HOUR for index in range((stop - first) // _HOUR - 1)]
        for scope in scopes_of(body["search"].get("and", [body["search"]])):
            self._counts.update((metric, scope, hour) for hour in hours)

    def counts(self) -> dict[str, float]:
        """Return how many different hours were asked for, and how many more than once."""
        again = sum(count - 1 for count in self._counts.values())
        return {"hours": len(self._counts), "hours again": again}

    def clear(self) -> None:
        """Forget everything."""
        self._counts.clear()

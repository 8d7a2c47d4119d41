"""A group of daemons, and how it divides the scopes."""

from __future__ import annotations

import dataclasses
import datetime
import functools

from tooz import hashring

from ratekit.domain.schedule.division import Division, Seat, worker_of

#: Points of the ring for each worker: with 128, shares differ by about a tenth. It must be the
#: same in all daemons.
_POINTS = 128


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """The daemons that share the scopes.

    :ivar name: of this daemon
    :ivar members: number of workers of each daemon, by name, this one included; sorted
    """

    name: str
    members: tuple[tuple[str, int], ...]

    def divide(self, worker: int, patience: datetime.timedelta) -> Division:
        """Return the division of the scopes, as one worker of this daemon sees it."""
        workers = dict(self.members)
        ring = hashring.HashRing([], partitions=_POINTS)
        for weight in sorted(set(workers.values())):
            # Members of one weight together, because each call sorts the ring.
            names = sorted(name for name, count in workers.items() if count == weight)
            ring.add_nodes(names, weight)

        @functools.cache
        def seat_of(scope_id: str) -> Seat:
            (member,) = ring.get_nodes(scope_id.encode("utf-8", "replace"))
            return Seat(member, worker_of(scope_id, workers[member]))

        return Division(Seat(self.name, worker), seat_of, patience)

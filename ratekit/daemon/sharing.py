"""How a worker learns which daemons share the scopes."""

from __future__ import annotations

import datetime
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from ratekit.coordination.board import GroupBoard
from ratekit.coordination.claims import Claims
from ratekit.coordination.group import Group
from ratekit.daemon.presence import parse_worker
from ratekit.domain.reporting.monitoring import ProcessorRecord
from ratekit.domain.schedule.division import Division, Sharing
from ratekit.interfaces import Monitoring
from ratekit.processing.failures import attempt
from ratekit.processing.run_context import Clock

#: Time without progress after which a scope of another daemon is taken. With a coordination
#: service the division follows the members, so this only helps if one hangs, or the service is
#: away.
COORDINATED_PATIENCE = datetime.timedelta(minutes=15)
#: The same without a coordination service: longer than a batch takes.
UNCOORDINATED_PATIENCE = datetime.timedelta(minutes=1)
#: Times after which a process that has not reported counts as dead: while it waits, and during a
#: cycle, in which it reports after each batch.
_WAITING_LIMIT = datetime.timedelta(minutes=2)
_RATING_LIMIT = datetime.timedelta(minutes=10)

#: Seconds after a worker has reported its start until it rates. All others look for reports, or get
#: news of the group, at least every 2 s, so by then they leave its scopes to it.
_SETTLING_SECONDS = 3.0


class GroupSource(Protocol):
    """Tells the members of the group."""

    def is_ready(self) -> bool:
        """Tell whether the members are known, or nobody can tell them."""

    def members(self, max_age: float) -> Mapping[str, int]:
        """Return the number of workers of each daemon, by name; with or without this one.

        :param max_age: how old the answer may be, in seconds
        """


class CoordinatedGroup(GroupSource):
    """The group as the coordinating process last knew it."""

    def __init__(self, board: GroupBoard) -> None:
        self._board = board

    def is_ready(self) -> bool:
        """Tell whether the service has answered, or does not."""
        members, error = self._board.read()
        return bool(members or error)

    def members(self, max_age: float) -> Mapping[str, int]:
        """Return the members."""
        return dict(self._board.read()[0])


class SeenProcessors(GroupSource):
    """The daemons that have reported to the database lately.

    Their clocks and reports are not exact, and one that died is seen for some time. It is enough
    for an order in which daemons do not rate the same scopes.
    """

    def __init__(self, monitoring: Monitoring, clock: Clock) -> None:
        self._monitoring = monitoring
        self._clock = clock
        self._members: Mapping[str, int] = {}
        self._read_at: float | None = None

    def is_ready(self) -> bool:
        """Return True: the database can be read at any time."""
        return True

    def members(self, max_age: float) -> Mapping[str, int]:
        """Return the members; those last seen if the database does not answer."""
        now = time.monotonic()
        if self._read_at is None or now - self._read_at >= max_age:
            self._read_at = now
            records = attempt(self._monitoring.processors)
            if not isinstance(records, Exception):
                self._members = find_daemons(records, self._clock())
        return self._members


def find_daemons(records: Sequence[ProcessorRecord], now: datetime.datetime) -> Mapping[str, int]:
    """Return the number of workers of each daemon that works, by name."""
    daemons: dict[str, int] = {}
    for record in records:
        limit = _RATING_LIMIT if record.next_cycle is None else _WAITING_LIMIT
        worker = parse_worker(record.name)
        if worker is not None and now - record.seen_at < limit:
            daemon, workers = worker
            daemons[daemon] = max(workers, daemons.get(daemon, 0))
    return daemons


class WorkerSharing(Sharing):
    """A worker's view of the group.

    :param source: tells the members of the group
    :param name: of this daemon in the group
    :param worker: number of this process among the daemon's workers, from 0
    :param workers: number of the daemon's workers
    :param settling: seconds that others are given to see this process
    """

    def __init__(
        self,
        source: GroupSource,
        name: str,
        worker: int,
        workers: int,
        claims: Claims,
        patience: datetime.timedelta,
        settling: float = _SETTLING_SECONDS,
    ) -> None:
        self._source = source
        self._name = name
        self._worker = worker
        self._workers = workers
        self._claims = claims
        self._patience = patience
        self._settling = settling
        self._known_since: float | None = None
        self._group: Group | None = None
        self._division: Division | None = None

    def is_ready(self) -> bool:
        """Tell whether the group is known, or nobody can tell it, and others know this process."""
        if not self._source.is_ready():
            return False
        now = time.monotonic()
        if self._known_since is None:
            self._known_since = now
        return now - self._known_since >= self._settling

    def current(self, max_age: float = 2.0) -> Division:
        """Return the division; a new one if the group has changed."""
        members = {**self._source.members(max_age), self._name: self._workers}
        group = Group(self._name, tuple(sorted(members.items())))
        if self._division is None or group != self._group:
            self._group = group
            self._division = group.divide(self._worker, self._patience)
        return self._division

    def claim(self, scope_pks: Sequence[int]) -> Collection[int]:
        """Claim scopes; return those that no other worker of this daemon has."""
        return self._claims.claim(self._worker, scope_pks)

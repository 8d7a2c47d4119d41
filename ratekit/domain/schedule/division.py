"""How several processes divide the scopes among themselves."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import hashlib
import zlib
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import NamedTuple, Protocol

_NO_TIME = datetime.timedelta(0)


class Turn(enum.IntEnum):
    """When a process rates a scope, compared with other scopes."""

    OWN = 0  #: before all others
    HELP = 1  #: when nothing else is due: it is due in another worker of the same daemon
    RESCUE = 2  #: last, and only if the daemon whose turn it is does not rate it


class Seat(NamedTuple):
    """A process that rates.

    :ivar member: name of its daemon
    :ivar worker: number of the process among the daemon's workers, from 0
    """

    member: str
    worker: int


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Division:
    """Which process rates which scope first.

    It only saves time. If two processes rate the same scope, the ledger decides which one
    writes. Divisions are compared by identity: each change makes a new one.

    :ivar seat: this process
    :ivar seat_of: returns whose turn it is to rate a scope, by its id
    :ivar patience: after this time without progress other daemons take a scope
    """

    seat: Seat
    seat_of: Callable[[str], Seat]
    patience: datetime.timedelta = _NO_TIME

    def turn(self, scope_id: str) -> Turn:
        """Return when this process rates a scope."""
        seat = self.seat_of(scope_id)
        if seat == self.seat:
            return Turn.OWN
        return Turn.HELP if seat.member == self.seat.member else Turn.RESCUE

    def place(self, scope_id: str) -> int:
        """Return a scope's place in this process's order of scopes that are equally far behind.

        Each process has an order of its own. One that helps another one starts from the end of
        that one's order, so that they meet only once.
        """
        seat = self.seat_of(scope_id)
        text = f"{seat.member}/{seat.worker}/{scope_id}".encode("utf-8", "replace")
        place = int.from_bytes(hashlib.blake2b(text, digest_size=7).digest())
        return place if seat == self.seat else -place


def worker_of(scope_id: str, workers: int) -> int:
    """Return which of a daemon's workers rates a scope first; the same on every host."""
    return zlib.crc32(scope_id.encode("utf-8", "replace")) % workers


class Sharing(Protocol):
    """A process's view of all processes that rate."""

    def is_ready(self) -> bool:
        """Tell whether it is known who rates, or that nobody can tell."""

    def current(self, max_age: float = 2.0) -> Division:
        """Return the division; the same object as before unless it has changed.

        :param max_age: how old it may be, in seconds, if reading it costs something
        """

    def claim(self, scope_pks: Sequence[int]) -> Collection[int]:
        """Claim scopes in place of those claimed before; return those that no other worker has.

        Only workers of the same daemon see each other's claims.
        """


class Alone(Sharing):
    """The sharing of a process that knows of no other one: all scopes are its own.

    :param name: decides the order of scopes
    """

    def __init__(self, name: str = "") -> None:
        seat = Seat(name, 0)
        self._division = Division(seat, lambda _: seat)

    def is_ready(self) -> bool:
        """Return True."""
        return True

    def current(self, max_age: float = 2.0) -> Division:
        """Return the division."""
        return self._division

    def claim(self, scope_pks: Sequence[int]) -> Collection[int]:
        """Return all scopes."""
        return scope_pks


class StallWatch:
    """Finds work of other processes that makes no progress."""

    def __init__(self) -> None:
        self._sightings: dict[int, tuple[Hashable, datetime.datetime]] = {}

    def find(
        self,
        positions: Mapping[int, Hashable],
        patience: datetime.timedelta,
        now: datetime.datetime,
    ) -> tuple[set[int], datetime.datetime | None]:
        """Return the items that have stood at their positions for ``patience``.

        Also return when the next one will have, unless it moves.

        :param positions: where each item that is due stands now, by its id
        """
        sightings = {}
        for item, position in positions.items():
            last_position, since = self._sightings.get(item, (position, now))
            # A time in the future comes from a clock that was wrong.
            is_same = last_position == position and since <= now
            sightings[item] = position, since if is_same else now
        self._sightings = sightings
        ends = {item: since + patience for item, (_, since) in sightings.items()}
        stalled = {item for item, end in ends.items() if end <= now}
        return stalled, min((end for end in ends.values() if end > now), default=None)

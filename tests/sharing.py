"""A group of processes that tests control."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence

from ratekit.domain.schedule.division import Alone, Division, Seat, Sharing, worker_of
from tests.builders import MINUTE

PATIENCE = 15 * MINUTE


class _InOrder(Division):
    """A division in which scopes that are equally far behind are rated in the order of ids."""

    def place(self, scope_id: str) -> int:
        return 0


class AloneInOrder(Alone):
    """Knows of no other process, and rates scopes in the order of their ids."""

    def __init__(self) -> None:
        seat = Seat("", 0)
        self._division = _InOrder(seat, lambda _: seat)


class FakeSharing(Sharing):
    """One process's view of daemons with the same number of workers each.

    :param daemon: number of this process's daemon, from 0
    :param worker: number of this process in its daemon, from 0
    :ivar rival_pks: what other workers of the daemon have claimed
    :ivar claims: all claims, in order
    """

    def __init__(
        self,
        daemon: int = 0,
        daemons: int = 1,
        worker: int = 0,
        workers: int = 1,
        patience: datetime.timedelta = PATIENCE,
    ) -> None:
        self._seat = Seat(str(daemon), worker)
        self._workers = workers
        self._patience = patience
        self.rival_pks: set[int] = set()
        self.claims: list[Sequence[int]] = []
        self.resize(daemons)

    def resize(self, daemons: int) -> None:
        """Change the number of daemons."""

        def seat_of(scope_id: str) -> Seat:
            process = worker_of(scope_id, daemons * self._workers)
            return Seat(str(process // self._workers), process % self._workers)

        self._division = Division(self._seat, seat_of, self._patience)

    def is_ready(self) -> bool:
        """Return True."""
        return True

    def current(self, max_age: float = 2.0) -> Division:
        """Return the division."""
        return self._division

    def claim(self, scope_pks: Sequence[int]) -> Collection[int]:
        """Return what the other workers have not claimed."""
        self.claims.append(scope_pks)
        return [scope_pk for scope_pk in scope_pks if scope_pk not in self.rival_pks]

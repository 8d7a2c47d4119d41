"""A database that does not reply to COMMIT."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from ratekit import errors
from ratekit.storage.db.engine import Database
from ratekit.storage.db.errors import CommitUnconfirmed


class DatabaseWithoutReply(Database):
    """Gets no reply to COMMIT of the first transaction after :meth:`arm`.

    :ivar is_committed: whether that transaction is committed all the same
    :ivar is_reachable: whether later transactions can be opened
    :ivar meanwhile: does what another process does before the outcome is verified
    """

    def __init__(self, url: str, *, needs: str | None = None) -> None:
        super().__init__(url, needs=needs)
        self.is_committed = True
        self.is_reachable = True
        self.meanwhile: Callable[[], object] = lambda: None
        self._is_armed = False
        self._is_lost = False

    def arm(self) -> None:
        """Lose the next reply."""
        self._is_armed = True

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        if self._is_lost and not self.is_reachable:
            raise errors.TryLater("connection refused")
        loses_reply, self._is_armed = self._is_armed, False
        with contextlib.suppress(InterruptedError), super().writing() as connection:
            yield connection
            if loses_reply and not self.is_committed:
                raise InterruptedError
        if loses_reply:
            self._is_lost = True
            self.meanwhile()
            raise CommitUnconfirmed(self.place)

"""Answers that are believed for a while."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Clock = Callable[[], datetime.datetime]
T = TypeVar("T")

#: Operators change archive policies and what they are used for rarely.
FOR_A_WHILE = datetime.timedelta(minutes=5)


def now() -> datetime.datetime:
    """Return the time, aware, UTC."""
    return datetime.datetime.now(datetime.UTC)


class TtlCache(Generic[T]):
    """Something that is asked for again only after a while.

    :param ask: asks for it; metrics that are collected side by side ask once
    """

    def __init__(self, ask: Callable[[], T], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[datetime.datetime, T] | None = None

    def get(self, fresh: bool = False) -> T:
        """Return it.

        :param fresh: ask again in any case
        """
        with self._lock:
            known = self._known
            if known is None or fresh or self._clock() >= known[0]:
                known = self._known = (self._clock() + FOR_A_WHILE, self._ask())
            return known[1]

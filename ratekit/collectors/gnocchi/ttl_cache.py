"""Values that are read again only after a while."""

from __future__ import annotations

import collections
import datetime
import math
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import cachetools

Clock = Callable[[], datetime.datetime]
Key = TypeVar("Key")
Value = TypeVar("Value")

#: Operators rarely change archive policies, resource types and what metrics use.
TTL = datetime.timedelta(minutes=5)


def now() -> datetime.datetime:
    """Return the time, aware, UTC."""
    return datetime.datetime.now(datetime.UTC)


class TtlCache(Generic[Key, Value]):
    """Reads the value of a key and returns it for :data:`TTL`.

    Neither None nor an error is kept. Callers of one key that come together read it once.

    :param read: key -> value
    """

    def __init__(self, read: Callable[[Key], Value], clock: Clock) -> None:
        self._read = read
        self._values: cachetools.TTLCache[Key, Value, datetime.datetime]
        self._values = cachetools.TTLCache(math.inf, TTL, clock)
        self._locks: collections.defaultdict[Key, threading.Lock]
        self._locks = collections.defaultdict(threading.Lock)

    def get(self, key: Key, refresh: bool = False) -> Value:
        """Return the value of ``key``.

        :param refresh: read it in any case
        """
        with self._locks[key]:
            value = None if refresh else self._values.get(key)
            if value is None:
                value = self._read(key)
                if value is not None:
                    self._values[key] = value
            return value

"""What a client of a database is about to do, read off the wire: commits and bulk writes.

Enough of PostgreSQL's protocol 3 and of MySQL's to cut a stream into messages and know these
two kinds; TLS is not understood, so none may be used.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Protocol

_COPY = re.compile(rb'COPY\s+"?frames"?\b', re.IGNORECASE)
_INSERT = re.compile(rb"INSERT\s+INTO\s+[`\"]?frames[`\"]?\b", re.IGNORECASE)
_COMMIT = re.compile(rb"COMMIT\b", re.IGNORECASE)


class Doing(enum.Enum):
    """What a message does.

    COMMIT ends a transaction that has written frames; BULK carries the first frames of one.
    """

    OTHER = "other"
    BULK = "bulk"
    COMMIT = "commit"


class Stream(Protocol):
    """What one client sends."""

    def messages(self, data: bytes) -> Iterator[tuple[Doing, bytes]]:
        """Yield whole messages as they become complete."""


class PostgresqlStream:
    """PostgreSQL: a type's letter, a length, a body."""

    _TO_BE_CONTINUED = (80877103, 80877104)  # requests for TLS and GSSAPI

    def __init__(self) -> None:
        self._data = b""
        self._started = False
        self._copying = False
        self._wrote = False

    def messages(self, data: bytes) -> Iterator[tuple[Doing, bytes]]:
        """See :class:`Stream`."""
        self._data += data
        while True:
            head = 1 if self._started else 0
            if len(self._data) < head + 4:
                return
            size = head + int.from_bytes(self._data[head : head + 4])
            if len(self._data) < size:
                return
            message, self._data = self._data[:size], self._data[size:]
            yield self._doing(message), message

    def _doing(self, message: bytes) -> Doing:
        if not self._started:
            self._started = int.from_bytes(message[4:8]) not in self._TO_BE_CONTINUED
            return Doing.OTHER
        kind, body = message[:1], message[5:]
        if kind in b"QP":
            # A parse message names its statement first.
            text = body if kind == b"Q" else body.partition(b"\x00")[2]
            self._copying = _COPY.match(text) is not None
            if _COMMIT.match(text) and self._wrote:
                self._wrote = False
                return Doing.COMMIT
        elif kind == b"d" and self._copying:
            # One bulk write has many of these.
            self._copying = False
            self._wrote = True
            return Doing.BULK
        return Doing.OTHER


class MysqlStream:
    """MySQL and MariaDB: a length of three bytes, a number, a body."""

    _QUERY = b"\x03"

    def __init__(self) -> None:
        self._data = b""
        self._wrote = False

    def messages(self, data: bytes) -> Iterator[tuple[Doing, bytes]]:
        """See :class:`Stream`."""
        self._data += data
        while len(self._data) >= 4:
            size = 4 + int.from_bytes(self._data[:3], "little")
            if len(self._data) < size:
                return
            message, self._data = self._data[:size], self._data[size:]
            yield self._doing(message), message

    def _doing(self, message: bytes) -> Doing:
        # Only a command begins at number 0; its first byte says which.
        if message[3] != 0 or message[4:5] != self._QUERY:
            return Doing.OTHER
        text = message[5:]
        if _INSERT.match(text):
            self._wrote = True
            return Doing.BULK
        if _COMMIT.match(text) and self._wrote:
            self._wrote = False
            return Doing.COMMIT
        return Doing.OTHER

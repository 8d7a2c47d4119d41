"""Finds commits and bulk writes in what a database's client sends.

Implements the parts of PostgreSQL's protocol 3 and of MySQL's that split a stream into messages
and identify these two kinds. TLS is not supported.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Protocol

_COPY = re.compile(rb'COPY\s+"?frames"?\b', re.IGNORECASE)
_INSERT = re.compile(rb"INSERT\s+INTO\s+[`\"]?frames[`\"]?\b", re.IGNORECASE)
_COMMIT = re.compile(rb"COMMIT\b", re.IGNORECASE)


class MessageKind(enum.Enum):
    """The kind of a message.

    COMMIT ends a transaction that has written frames; BULK carries the first frames of one.
    """

    OTHER = "other"
    BULK = "bulk"
    COMMIT = "commit"


class Stream(Protocol):
    """The messages of one client."""

    def messages(self, data: bytes) -> Iterator[tuple[MessageKind, bytes]]:
        """Yield messages when they are complete."""


class PostgresqlStream:
    """PostgreSQL: a letter for the type, a length, a body."""

    _TO_BE_CONTINUED = (80877103, 80877104)  # requests for TLS and GSSAPI

    def __init__(self) -> None:
        self._data = b""
        self._started = False
        self._copying = False
        self._wrote = False

    def messages(self, data: bytes) -> Iterator[tuple[MessageKind, bytes]]:
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
            yield self._kind(message), message

    def _kind(self, message: bytes) -> MessageKind:
        if not self._started:
            self._started = int.from_bytes(message[4:8]) not in self._TO_BE_CONTINUED
            return MessageKind.OTHER
        kind, body = message[:1], message[5:]
        if kind in b"QP":
            # A parse message names its statement first.
            text = body if kind == b"Q" else body.partition(b"\x00")[2]
            self._copying = _COPY.match(text) is not None
            if _COMMIT.match(text) and self._wrote:
                self._wrote = False
                return MessageKind.COMMIT
        elif kind == b"d" and self._copying:
            # One bulk write has many of these.
            self._copying = False
            self._wrote = True
            return MessageKind.BULK
        return MessageKind.OTHER


class MysqlStream:
    """MySQL and MariaDB: a length of three bytes, a number, a body."""

    _QUERY = b"\x03"

    def __init__(self) -> None:
        self._data = b""
        self._wrote = False

    def messages(self, data: bytes) -> Iterator[tuple[MessageKind, bytes]]:
        """See :class:`Stream`."""
        self._data += data
        while len(self._data) >= 4:
            size = 4 + int.from_bytes(self._data[:3], "little")
            if len(self._data) < size:
                return
            message, self._data = self._data[:size], self._data[size:]
            yield self._kind(message), message

    def _kind(self, message: bytes) -> MessageKind:
        # Only a command has number 0; its first byte is its type.
        if message[3] != 0 or message[4:5] != self._QUERY:
            return MessageKind.OTHER
        text = message[5:]
        if _INSERT.match(text):
            self._wrote = True
            return MessageKind.BULK
        if _COMMIT.match(text) and self._wrote:
            self._wrote = False
            return MessageKind.COMMIT
        return MessageKind.OTHER

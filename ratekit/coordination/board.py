"""What the coordinating process tells the daemon's other processes, in shared memory."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

#: Bytes for the members: enough for some thousand daemons. Memory that is not used costs nothing.
_SIZE = 1 << 20


class _Header(ctypes.Structure):
    """Aligned words of 8 bytes, each read and written as a whole.

    :ivar version: changes after each change of the content
    :ivar started: when the writer started, seconds of the monotonic clock; 0: not yet
    :ivar answered: when the service last answered, likewise; 0: never
    :ivar length: of the content, in bytes
    :ivar checksum: of the content
    """

    _fields_: ClassVar[Any] = (
        ("version", ctypes.c_int64),
        ("started", ctypes.c_double),
        ("answered", ctypes.c_double),
        ("length", ctypes.c_int64),
        ("checksum", ctypes.c_int64),
    )

    version: int
    started: float
    answered: float
    length: int
    checksum: int


class GroupBoard:
    """Memory that one process writes and others read.

    A process that is killed while it writes leaves content that readers ignore.

    :param file: descriptor of a memory file, which the board uses but never closes
    """

    def __init__(self, file: int) -> None:
        self.file = file
        self._memory = mmap.mmap(file, _SIZE)
        self._header = _Header.from_buffer(self._memory)
        self._read_version = 0
        self._members: tuple[tuple[str, int], ...] = ()
        self._error = ""

    @classmethod
    def create(cls) -> Self:
        """Return an empty board; processes that are forked later share it."""
        file = os.memfd_create("ratekit-group", os.MFD_CLOEXEC)
        os.ftruncate(file, _SIZE)
        return cls(file)

    @property
    def started(self) -> float:
        """When the writer started, seconds of the monotonic clock; 0: not yet."""
        return self._header.started

    @started.setter
    def started(self, instant: float) -> None:
        self._header.started = instant

    @property
    def answered(self) -> float:
        """When the service last answered, seconds of the monotonic clock; 0: never."""
        return self._header.answered

    @answered.setter
    def answered(self, instant: float) -> None:
        self._header.answered = instant

    def publish(self, members: Mapping[str, int], error: str = "") -> None:
        """Replace the content, if it has changed.

        :param members: number of workers of each daemon, by name
        :param error: why the service does not answer; empty: it does
        """
        content = tuple(sorted(members.items())), error
        if content == self.read():
            return
        text = json.dumps(content).encode()
        start = ctypes.sizeof(_Header)
        if len(text) > _SIZE - start:
            raise ValueError(f"{len(members)} members are too many")
        self._memory[start : start + len(text)] = text
        self._header.length = len(text)
        self._header.checksum = zlib.crc32(text)
        self._header.version += 1

    def read(self) -> tuple[Sequence[tuple[str, int]], str]:
        """Return the members, sorted, and the error; if it is just written, the content before."""
        version = self._header.version
        if version != self._read_version:
            start = ctypes.sizeof(_Header)
            text = self._memory[start : start + self._header.length]
            if zlib.crc32(text) == self._header.checksum:
                members, self._error = json.loads(text)
                self._members = tuple((name, workers) for name, workers in members)
                self._read_version = version
        return self._members, self._error

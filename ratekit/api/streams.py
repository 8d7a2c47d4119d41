"""Answers that are written while they are read from the database."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Generator, Iterable, Iterator

from oslo_context.context import RequestContext

from ratekit.api.faults import Fault

#: Bytes that are sent at once.
_CHUNK = 64 * 1024
_BUSY = "so many lists are being read at present; try again later"
#: Seconds.
_RETRY_AFTER = "10"


class Stream(Iterator[bytes]):
    """Parts of a body.

    The first is computed at once, so that an error before it becomes an answer of its own. An
    error after it is raised in the server, which then ends the connection without the end of the
    body.

    :param parts: closed with the stream
    :param on_close: called once, when it is closed; whoever has a stream closes it
    """

    def __init__(
        self, parts: Generator[bytes, None, None], on_close: Callable[[], None] | None = None
    ) -> None:
        self._parts = parts
        self._on_close = on_close
        self._first: bytes | None = next(parts, None)

    def __next__(self) -> bytes:
        """Return the next part."""
        if self._first is None:
            return next(self._parts)
        first, self._first = self._first, None
        return first

    def close(self) -> None:
        """End the reading; the server calls this, whether all was sent or not."""
        on_close, self._on_close = self._on_close, None
        try:
            self._parts.close()
        finally:
            if on_close is not None:
                on_close()


class Streams:
    """Counts the streams of this process: each holds a thread and a connection while it is read.

    :param limit: streams at the same time; half of them, at least one, for one project
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._by_project: collections.Counter[str] = collections.Counter()

    def open(self, caller: RequestContext, parts: Generator[bytes, None, None]) -> Stream:
        """Return a stream, which counts until it is closed.

        :param parts: not begun
        :raises ratekit.api.faults.Fault: there are too many
        """
        project = caller.project_id or f"user {caller.user_id}"
        with self._lock:
            of_project = self._by_project[project]
            if self._by_project.total() >= self._limit or of_project >= max(1, self._limit // 2):
                raise Fault(503, _BUSY, Retry_After=_RETRY_AFTER)
            self._by_project[project] += 1
        try:
            return Stream(parts, lambda: self._forget(project))
        except BaseException:
            self._forget(project)
            raise

    def _forget(self, project: str) -> None:
        with self._lock:
            self._by_project[project] -= 1
            self._by_project += collections.Counter()


def write_list(key: str, members: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield the JSON of an object with one list, in parts of limited size.

    :param members: JSON of each; read as the parts are
    """
    buffer = bytearray(f'{{"{key}":['.encode())
    separator = b""
    for member in members:
        buffer += separator
        buffer += member
        separator = b","
        if len(buffer) >= _CHUNK:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer + b"]}")

"""Answers that are written while they are read from the database."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

#: Bytes that are sent at once.
_CHUNK = 64 * 1024


class Stream(Iterator[bytes]):
    """Parts of a body.

    The first is computed at once, so that an error before it becomes an answer of its own. An
    error after it is raised in the server, which then ends the connection without the end of the
    body.

    :param parts: closed with the stream
    """

    def __init__(self, parts: Generator[bytes, None, None]) -> None:
        self._parts = parts
        self._first: bytes | None = next(parts, None)

    def __next__(self) -> bytes:
        """Return the next part."""
        if self._first is None:
            return next(self._parts)
        first, self._first = self._first, None
        return first

    def close(self) -> None:
        """End the reading; the server calls this, whether all was sent or not."""
        self._parts.close()


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

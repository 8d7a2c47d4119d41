"""Pages that take long: the reader sees the frame and a notice first."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import TypeVar

from oslo_context import context

R = TypeVar("R")

#: Seconds until a page is shown without its content.
PATIENCE = 1.0


class Readers:
    """Threads in which pages are read, so that another can answer in the meantime.

    A reader whose client has gone reads on until [api] statement_timeout.

    :param threads: as many as requests are answered at the same time: none of them waits
    :param patience: seconds until a page is shown without its content
    """

    def __init__(self, threads: int, patience: float = PATIENCE) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, "page")
        self._patience = patience

    def start(self, read: Callable[[], R]) -> concurrent.futures.Future[R]:
        """Begin to read; lines that it logs have the id of this thread's request."""
        request = context.get_current()

        def read_in_context() -> R:
            if request is not None:
                request.update_store()
            return read()

        return self._pool.submit(read_in_context)

    def is_ready(self, future: concurrent.futures.Future[R]) -> bool:
        """Wait a little; return whether the result, or an error, is there."""
        done, _ = concurrent.futures.wait([future], self._patience)
        return bool(done)

"""How many pages are read at a time; of one that takes long, the reader sees the frame first."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

from oslo_context import context

from ratekit.api.faults import Fault

R = TypeVar("R")

#: Seconds until a page is shown without its content.
PATIENCE = 1.0
#: Seconds until a page is refused because others are read.
QUEUE = 10.0
_BUSY = "too many pages are being read at present; try again later"


class Readers:
    """Threads in which pages and their tables are read.

    A page whose client has gone is read on until [api] statement_timeout, and counts until then.
    The process does not wait for it when it ends.

    :param limit: most pages that are read at the same time
    :param patience: seconds until a page is shown without its content
    :param queue: seconds until a page is refused because others are read
    """

    def __init__(self, limit: int, patience: float = PATIENCE, queue: float = QUEUE) -> None:
        self._free = threading.BoundedSemaphore(limit)
        self._patience = patience
        self._queue = queue

    def start(self, read: Callable[[], R]) -> concurrent.futures.Future[R]:
        """Begin to read; lines that it logs have the id of this thread's request.

        :raises ratekit.api.faults.Fault: too many pages are read
        """
        if not self._free.acquire(timeout=self._queue):
            raise Fault(503, _BUSY, Retry_After=f"{QUEUE:.0f}")
        request = context.get_current()
        future: concurrent.futures.Future[R] = concurrent.futures.Future()

        def run() -> None:
            try:
                if request is not None:
                    request.update_store()
                future.set_result(read())
            except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                future.set_exception(error)
            finally:
                self._free.release()

        # An executor's threads would keep the process from ending.
        threading.Thread(target=run, name="page", daemon=True).start()
        return future

    def is_ready(self, future: concurrent.futures.Future[R]) -> bool:
        """Wait a little; return whether the result, or an error, is there."""
        done, _ = concurrent.futures.wait([future], self._patience)
        return bool(done)

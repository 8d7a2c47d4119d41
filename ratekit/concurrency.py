"""Green threads. The only import of eventlet outside cmd/processor.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TypeVar

import eventlet
from eventlet.support import greenlets

from ratekit import errors

#: Seconds that the hub may sleep in one go: without an open socket it does not wake up for
#: signals, and a stop would wait until it does.
_NAP = 0.5

A = TypeVar("A")
R = TypeVar("R")


def side_by_side(
    function: Callable[[A], R], items: Collection[A], limit: int, seconds: float, what: str
) -> list[R]:
    """Call ``function`` with each item, at most ``limit`` at a time; results in order.

    The first error is raised after all calls have ended, so nothing goes on in the
    background when it is handled.

    :param seconds: for all calls together; those that are not done by then are ended
    :param what: who is asked, for the message when it takes longer
    :raises ratekit.errors.TryLater: they took longer
    """
    failures: dict[int, Exception] = {}

    def guarded(at: int, item: A) -> R | None:
        # eventlet prints what leaves a green thread and forgets the socket it waited for.
        try:
            return function(item)
        except Exception as error:  # noqa: BLE001 - raised again where the caller is
            failures[at] = error
            return None

    pool = eventlet.GreenPool(size=min(limit, max(len(items), 1)))
    threads: list[eventlet.greenthread.GreenThread] = []
    try:
        with eventlet.Timeout(seconds):
            for at, item in enumerate(items):
                threads.append(pool.spawn(guarded, at, item))
            pool.waitall()
    except eventlet.Timeout:
        raise errors.TryLater(
            f"{what} has not answered, or not to the end, within {seconds:g} s"
        ) from None
    finally:
        for thread in threads:
            thread.kill()
    if failures:
        raise failures[min(failures)]
    return [thread.wait() for thread in threads]


class GreenThread:
    """A function that runs on a green thread of its own."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._thread = eventlet.spawn(function)

    def wait(self) -> None:
        """Return when it has ended; raises what it raised."""
        try:
            self._thread.wait()
        except greenlets.GreenletExit:
            return

    def kill(self) -> None:
        """End it where it waits; what it holds is let go as by any exception."""
        self._thread.kill()


def sleep(seconds: float) -> None:
    """Let others run for a while."""
    eventlet.sleep(seconds)


class StopEvent:
    """Says once and for all that a loop is to end; waiting for it is interruptible."""

    def __init__(self) -> None:
        self._event = eventlet.Event()

    def set(self) -> None:
        """End the loop; more than once does no harm."""
        if not self._event.ready():
            self._event.send(True)

    def is_set(self) -> bool:
        """Tell whether the loop is to end."""
        return bool(self._event.ready())

    def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds``; tell whether the loop is to end."""
        deadline = time.monotonic() + seconds
        while not self.is_set() and (left := deadline - time.monotonic()) > 0:
            self._event.wait(timeout=min(left, _NAP))
        return self.is_set()

"""Green threads. Only this module and cmd/processor.py import eventlet."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TypeVar

import eventlet
from eventlet.support import greenlets

from ratekit import errors

#: Longest time in seconds that the hub may sleep: without an open socket, signals do not wake it
#: up, and a stop would have to wait.
_LONGEST_SLEEP = 0.5

A = TypeVar("A")
R = TypeVar("R")


def side_by_side(
    function: Callable[[A], R], items: Collection[A], limit: int, seconds: float, description: str
) -> list[R]:
    """Call ``function`` with each item, at most ``limit`` at a time; return the results in order.

    The first error is raised after all calls have ended, so that nothing runs in the
    background while it is handled.

    :param seconds: time for all calls together; calls that have not finished by then are ended
    :param description: who does the work, for the message when it takes longer
    :raises ratekit.errors.TryLater: the calls took longer
    """
    failures: dict[int, Exception] = {}

    def call(index: int, item: A) -> R | None:
        # eventlet prints exceptions that leave a green thread, and forgets the socket that the
        # thread waited for.
        try:
            return function(item)
        except Exception as error:  # noqa: BLE001 - raised again below
            failures[index] = error
            return None

    pool = eventlet.GreenPool(size=min(limit, max(len(items), 1)))
    threads: list[eventlet.greenthread.GreenThread] = []
    try:
        with eventlet.Timeout(seconds):
            for index, item in enumerate(items):
                threads.append(pool.spawn(call, index, item))
            pool.waitall()
    except eventlet.Timeout:
        raise errors.TryLater(f"{description} did not finish within {seconds:g} s") from None
    finally:
        for thread in threads:
            thread.kill()
    if failures:
        raise failures[min(failures)]
    return [thread.wait() for thread in threads]


def within(seconds: float, description: str, function: Callable[[], R]) -> R:
    """Call ``function``; end it if it takes longer than ``seconds``.

    :param description: who does the work, for the message when it takes longer
    :raises ratekit.errors.TryLater: the call took longer
    """
    (result,) = side_by_side(
        lambda call: call(), [function], limit=1, seconds=seconds, description=description
    )
    return result


class GreenThread:
    """Runs a function on a new green thread."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._thread = eventlet.spawn(function)

    def wait(self) -> None:
        """Return when the function has ended; raise what it raised."""
        try:
            self._thread.wait()
        except greenlets.GreenletExit:
            return

    def kill(self) -> None:
        """End the function where it waits; it releases what it holds as after any exception."""
        self._thread.kill()


def sleep(seconds: float) -> None:
    """Let other green threads run for some time."""
    eventlet.sleep(seconds)


class StopEvent:
    """Tells loops to end, once and for all; waiting for it is interruptible."""

    def __init__(self) -> None:
        self._event = eventlet.Event()

    def set(self) -> None:
        """Tell the loops to end; may be called more than once."""
        if not self._event.ready():
            self._event.send(True)

    def is_set(self) -> bool:
        """Tell whether the loops must end."""
        return bool(self._event.ready())

    def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds``; tell whether the loops must end."""
        deadline = time.monotonic() + seconds
        while not self.is_set() and (remaining := deadline - time.monotonic()) > 0:
            self._event.wait(timeout=min(remaining, _LONGEST_SLEEP))
        return self.is_set()

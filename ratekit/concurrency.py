"""Green threads. The only import of eventlet outside cmd/processor.py."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

import eventlet

A = TypeVar("A")
R = TypeVar("R")


def side_by_side(function: Callable[[A], R], items: Collection[A], limit: int) -> list[R]:
    """Call ``function`` with each item, at most ``limit`` at a time; results in order.

    The first error is raised after all calls have ended, so nothing goes on in the
    background when it is handled.
    """
    if limit == 1 or len(items) <= 1:
        return [function(item) for item in items]
    pool = eventlet.GreenPool(size=min(limit, len(items)))
    threads = [pool.spawn(function, item) for item in items]
    pool.waitall()
    return [thread.wait() for thread in threads]


def spawn(function: Callable[[], None]) -> Callable[[], None]:
    """Run ``function`` on a green thread; the returned call waits until it has ended."""
    thread = eventlet.spawn(function)
    return lambda: thread.wait()


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
        return bool(self._event.wait(timeout=seconds)) or self.is_set()

"""The edge of all loops: whatever fails, the next piece of work gets its turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def attempt(work: Callable[[], T]) -> T | Exception:
    """Return what ``work`` returns, or what went wrong.

    Returned, since oslo.log would add an error that is being handled to each line once more.
    """
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - one bad piece of work ends no loop
        return error

"""What the workers tell the process that watches over them: a few numbers in shared memory."""

from __future__ import annotations

import dataclasses
import mmap
import time

#: Numbers of one worker, in their order.
_FIELDS = ("pulse", "frames", "scopes_left", "failed", "next_cycle", "reloads", "refused", "pid")
_BYTES = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What one worker told last.

    :ivar pulse: when it last showed that it gets on, seconds of the monotonic clock
    :ivar frames: written since the start
    :ivar scopes_left: scopes that still have due periods
    :ivar failed: scopes that could not be rated in its last cycle
    :ivar next_cycle: when it starts again, seconds since the epoch; 0 while it rates
    :ivar reloads: how often it has re-read its files
    :ivar refused: 1 if the files could not be used the last time, else 0
    :ivar pid: id of its process; 0 before it has started
    """

    pulse: float
    frames: float
    scopes_left: float
    failed: float
    next_cycle: float
    reloads: float
    refused: float
    pid: float


class StatusBoard:
    """Shared by processes that are forked after it was made.

    :param workers: how many rows it has
    """

    def __init__(self, workers: int) -> None:
        self._memory = memoryview(mmap.mmap(-1, _BYTES * (workers * len(_FIELDS) + 1))).cast("d")
        self.slots = [
            WorkerStatus(self._memory, 1 + index * len(_FIELDS)) for index in range(workers)
        ]

    @property
    def exit_code(self) -> int:
        """What the daemon is to end with; a worker that cannot go on sets it."""
        return int(self._memory[0])

    @exit_code.setter
    def exit_code(self, code: int) -> None:
        self._memory[0] = code

    def reports(self) -> list[Report]:
        """Return what all workers told last."""
        return [slot.read() for slot in self.slots]


class WorkerStatus:
    """One worker's row; each number is written whole."""

    def __init__(self, memory: memoryview[float], first: int) -> None:
        self._memory = memory
        self._first = first
        self.pulse()

    def pulse(self) -> None:
        """Show that the worker gets on."""
        self.tell(pulse=time.monotonic())

    def tell(self, **numbers: float) -> None:
        """Write numbers by their names in :class:`Report`."""
        for name, number in numbers.items():
            self._memory[self._first + _FIELDS.index(name)] = number

    def add(self, name: str, number: float) -> None:
        """Add to a number."""
        self._memory[self._first + _FIELDS.index(name)] += number

    def read(self) -> Report:
        """Return the row."""
        return Report(*self._memory[self._first : self._first + len(_FIELDS)].tolist())

"""The status of all workers in shared memory, written by them and read by the supervisor."""

from __future__ import annotations

import ctypes
import mmap
import time
from typing import Any, ClassVar


class WorkerStatus(ctypes.Structure):
    """The status of one worker.

    Each field is an aligned word of 8 bytes, which is read and written as a whole. Only the
    worker itself writes to it.

    :ivar heartbeat: when the worker last showed progress, seconds of the monotonic clock
    :ivar frames: frames written since the start
    :ivar scopes_left: scopes that still have due periods
    :ivar failed_scopes: scopes that could not be rated in the last cycle
    :ivar cycle_failed: 1 if the last cycle could not rate at all, else 0
    :ivar next_cycle: when the next cycle starts, seconds since the epoch; 0 during a cycle
    :ivar reloads: how often the worker has re-read its files
    :ivar reload_failed: 1 if the last reload failed, else 0
    :ivar pid: id of the worker's process; 0 before it has started
    """

    _fields_: ClassVar[Any] = (
        ("heartbeat", ctypes.c_double),
        ("frames", ctypes.c_int64),
        ("scopes_left", ctypes.c_int64),
        ("failed_scopes", ctypes.c_int64),
        ("cycle_failed", ctypes.c_int64),
        ("next_cycle", ctypes.c_double),
        ("reloads", ctypes.c_int64),
        ("reload_failed", ctypes.c_int64),
        ("pid", ctypes.c_int64),
    )

    heartbeat: float
    frames: int
    scopes_left: int
    failed_scopes: int
    cycle_failed: int
    next_cycle: float
    reloads: int
    reload_failed: int
    pid: int

    def beat(self) -> None:
        """Show that the worker makes progress."""
        self.heartbeat = time.monotonic()


class StatusBoard:
    """Memory that is shared by all processes forked after it was created.

    :param workers: number of workers
    :ivar workers: status of each worker, to be written by this worker only
    """

    def __init__(self, workers: int) -> None:
        size = ctypes.sizeof(WorkerStatus)
        memory = mmap.mmap(-1, size * workers + ctypes.sizeof(ctypes.c_int64))
        self.workers = [WorkerStatus.from_buffer(memory, size * index) for index in range(workers)]
        self._exit_code = ctypes.c_int64.from_buffer(memory, size * workers)
        for worker in self.workers:
            worker.beat()

    @property
    def exit_code(self) -> int:
        """Exit code of the daemon; set by a worker that cannot go on."""
        return self._exit_code.value

    @exit_code.setter
    def exit_code(self, code: int) -> None:
        self._exit_code.value = code

    def silence(self, worker: int) -> float:
        """Return the seconds since a worker last showed progress.

        :param worker: its number, from 0
        """
        return time.monotonic() - self.workers[worker].heartbeat

    def snapshot(self) -> list[WorkerStatus]:
        """Return copies of the status of all workers, which do not change."""
        return [WorkerStatus.from_buffer_copy(worker) for worker in self.workers]

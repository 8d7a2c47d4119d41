"""The scopes that each of a daemon's workers is rating, in shared memory."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import mmap
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence

#: Scopes that a worker can claim; what a batch has beyond may be rated by two workers.
_CAPACITY = 16_384
_WORD = 8
_ATTEMPTS = 50


class Claims:
    """Claims of all workers that are forked after it was created.

    The kernel releases the lock of a process that dies; whoever replaces it overwrites its claims.

    :param workers: number of workers
    :param hangs: tells whether a worker makes no progress, so that its claims do not count
    """

    def __init__(self, workers: int, hangs: Callable[[int], bool] = lambda _: False) -> None:
        self._hangs = hangs
        self._file = os.memfd_create("ratekit-claims", os.MFD_CLOEXEC)
        size = _WORD * (_CAPACITY + 1)
        os.ftruncate(self._file, size * workers)
        memory = memoryview(mmap.mmap(self._file, size * workers))
        #: For each worker: a number of scopes, and the ids of their rows.
        self._regions = [
            memory[size * index : size * (index + 1)].cast("q") for index in range(workers)
        ]

    def claim(self, worker: int, scope_pks: Sequence[int]) -> Collection[int]:
        """Claim scopes in place of those claimed before; return those that no other worker has."""
        with self._lock():
            rivals = {
                scope_pk
                for index, region in enumerate(self._regions)
                if index != worker and not self._hangs(index)
                for scope_pk in region[1 : 1 + region[0]]
            }
            free = [scope_pk for scope_pk in scope_pks if scope_pk not in rivals]
            region = self._regions[worker]
            region[0] = 0
            for index, scope_pk in enumerate(itertools.islice(free, _CAPACITY), start=1):
                region[index] = scope_pk
            region[0] = min(len(free), _CAPACITY)
        return free

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock; go on without it if its holder was stopped.

        At worst two workers collect the same scope then.
        """
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.001)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

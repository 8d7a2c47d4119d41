"""The row ids of descriptors that one process remembers."""

from __future__ import annotations

from collections.abc import Mapping

#: Maximum number of ids in the cache of one process. All of them took 32 MiB of a process's memory,
#: and 51 MiB while both ages have a dictionary of full size.
CACHE_SIZE = 200_000


class IdCache:
    """Ids by digest; it keeps what it has, and accepts new entries only while there is room.

    Processors read the same series in a circle, period after period. If the circle is longer than
    the cache, replacing the oldest entry would always drop the one that is needed next, and
    nothing would ever be found; so two thirds are found where the circle is 1.5 times as long.

    Entries age instead: those that were not read during a whole age, four times as many reads as
    there are entries, are dropped. An entry that is not read any more stays for two ages at most.
    """

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self._size = size
        self._reads_left = 4 * size
        #: Entries read during this age, and those that have not been read during it yet.
        self._recent: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}

    @property
    def room(self) -> int:
        """The number of entries that it accepts."""
        return self._size - len(self._recent) - len(self._older)

    def get(self, digest: bytes) -> int | None:
        """Return the id; None: it is not remembered."""
        if self._reads_left == 0:
            self._turn()
        self._reads_left -= 1
        row_id = self._recent.get(digest)
        if row_id is None and digest in self._older:
            row_id = self._recent[digest] = self._older.pop(digest)
        return row_id

    def add(self, ids: Mapping[bytes, int]) -> None:
        """Remember new ids, as far as there is room."""
        room = self.room
        for digest, row_id in ids.items():
            if room <= 0:
                return
            if digest not in self._recent and digest not in self._older:
                self._recent[digest] = row_id
                room -= 1

    def clear(self) -> None:
        """Forget everything."""
        self._recent.clear()
        self._older.clear()

    def _turn(self) -> None:
        """Begin a new age."""
        self._older, self._recent = self._recent, {}
        self._reads_left = 4 * self._size

"""How several processes divide the scopes among themselves."""

from __future__ import annotations

import dataclasses
import zlib


@dataclasses.dataclass(frozen=True, slots=True)
class Partition:
    """One of ``count`` parts of all scopes, divided by a hash of their ids.

    Partitions only save time. If two processes rate the same scope, the ledger decides which
    one writes.

    :ivar index: number of the part, from 0
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"partition {self.index} of {self.count} does not exist")

    def contains(self, scope_id: str) -> bool:
        """Tell whether a scope is in this part; the answer is the same on every host."""
        return zlib.crc32(scope_id.encode("utf-8", "replace")) % self.count == self.index

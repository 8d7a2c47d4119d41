"""Which scopes one of several processes takes care of."""

from __future__ import annotations

import dataclasses
import zlib


@dataclasses.dataclass(frozen=True, slots=True)
class Partition:
    """One of ``count`` parts of all scopes, told apart by a hash of their ids.

    The parts are for speed only: what happens when two processes take care of one scope is
    for the ledger to decide.

    :ivar index: counted from 0
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"there is no part {self.index} of {self.count}")

    def holds(self, scope_id: str) -> bool:
        """Tell whether a scope is in this part; the same in every process and on every host."""
        return zlib.crc32(scope_id.encode("utf-8", "replace")) % self.count == self.index

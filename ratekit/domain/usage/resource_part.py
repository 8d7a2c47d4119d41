"""Parts of all resources, for scopes with more usage than one request should return."""

from __future__ import annotations

import dataclasses
import uuid

_ALL_IDS = 1 << 128


@dataclasses.dataclass(frozen=True, slots=True)
class ResourcePart:
    """One of ``count`` equal ranges of resource ids, which are UUIDs.

    Every resource is in exactly one part, as a whole. Ids are spread evenly, because they are
    random or digests.

    :ivar index: number of the part, from 0
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"part {self.index} of {self.count} does not exist")

    @property
    def first(self) -> str | None:
        """The first id that may be in the part; None: there is no lower bound."""
        return _bound(self.index, self.count) if self.index else None

    @property
    def stop(self) -> str | None:
        """The first id after the part; None: there is no upper bound."""
        index = self.index + 1
        return _bound(index, self.count) if index < self.count else None


#: All resources.
ALL = ResourcePart()


def divide(count: int) -> list[ResourcePart]:
    """Return all of ``count`` parts."""
    return [ResourcePart(index, count) for index in range(count)]


def _bound(index: int, count: int) -> str:
    return str(uuid.UUID(int=index * _ALL_IDS // count))

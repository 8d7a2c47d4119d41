"""When a period is rated, and which records of a resource count for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tests.oracle.model import HOUR, Resource, Revision


@dataclasses.dataclass(frozen=True, slots=True)
class RatingTime:
    """Live rating, or collecting again.

    :ivar wait: ``[collect] wait_periods``
    :ivar now: when periods are collected again; None: live, or a catch-up of live
    :ivar step: length of a period
    """

    wait: int
    now: int | None = None
    step: int = HOUR

    def due(self, begin: int) -> int:
        """Return the instant at which the period that starts at ``begin`` is due."""
        return begin + self.step + max(self.wait - 1, 0) * self.step

    def records(self, resource: Resource, begin: int) -> Sequence[Revision]:
        """Return the revisions that count for a period, oldest first."""
        limit = self.due(begin) if self.now is None else self.now
        return [revision for revision in resource.revisions if revision.start < limit]

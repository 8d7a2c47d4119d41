"""What keeps scopes from being charged in a time range: gaps, exclusions, usage that stopped."""

from __future__ import annotations

import dataclasses
import datetime
import enum


class InterruptionKind(enum.StrEnum):
    """Why a scope is not charged, or for less than before."""

    GAP = "gap"  #: it is not rated at all: the fetcher did not list it, or it was activated later
    EXCLUDED = "excluded"  #: resources of a metric are left out until an operator acts
    SILENT = "silent"  #: usage of a metric stopped, and has not come back


@dataclasses.dataclass(frozen=True, slots=True)
class Interruption:
    """All interruptions of one kind of a scope's metric that overlap a time range.

    :ivar scope: its id
    :ivar metric: public name; empty for gaps, which concern all
    :ivar count: number of gaps, or of excluded resources; 1 for usage that stopped
    :ivar begin: of the first, UTC; a gap starts after the period that contains this instant
    :ivar end: of the last, UTC; None: it lasts
    """

    scope: str
    kind: InterruptionKind
    metric: str
    count: int
    begin: datetime.datetime
    end: datetime.datetime | None

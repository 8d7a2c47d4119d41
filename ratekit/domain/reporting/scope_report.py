"""What is known of one scope: its state, its newest periods and its charges."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import GapSpan, PeriodCoverage
from ratekit.domain.reporting.exclusion import ExclusionSpan
from ratekit.domain.reporting.reports import StateRow


@dataclasses.dataclass(frozen=True, slots=True)
class ChargeTotal:
    """The charges of a scope since an instant.

    :ivar since: the first period that may start, UTC
    :ivar frames: number of frames
    :ivar price: exact sum of their prices
    """

    since: datetime.datetime
    frames: int
    price: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class ScopeCoverage:
    """The result of rating each period of a scope in a window.

    :ivar cells: an entry for each period, by metric
    :ivar gaps: when the scope was not rated at all
    :ivar exclusions: usage that was not charged in rated periods
    """

    cells: Mapping[str, Sequence[PeriodCoverage]]
    gaps: Sequence[GapSpan]
    exclusions: Sequence[ExclusionSpan]


@dataclasses.dataclass(frozen=True, slots=True)
class ScopeReport:
    """A scope.

    :ivar lag: how far it is behind what is due; None: it is not rated
    :ivar window: the newest periods
    :ivar coverage: of the window
    :ivar charges: of this month, UTC
    """

    row: StateRow
    lag: datetime.timedelta | None
    window: Window
    coverage: ScopeCoverage
    charges: ChargeTotal

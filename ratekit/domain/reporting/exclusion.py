"""Resources that are excluded from rating so that all other usage can be rated."""

from __future__ import annotations

import dataclasses
import datetime


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Exclusion:
    """A resource whose usage of one metric is not rated until an operator acts.

    :ivar scope: id of the scope that is not charged for it
    :ivar metric: public name of the metric
    :ivar resource: its id in the metering back end
    :ivar reason: what is wrong with it, one clause
    :ivar remedy: what corrects it, one clause
    """

    scope: str
    metric: str
    resource: str
    reason: str
    remedy: str


@dataclasses.dataclass(frozen=True, slots=True)
class ExclusionSpan:
    """Consecutive periods with the same exclusion.

    :ivar begin: of the first period, UTC
    :ivar end: of the last period, UTC
    """

    exclusion: Exclusion
    begin: datetime.datetime
    end: datetime.datetime

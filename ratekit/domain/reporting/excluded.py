"""What a collector leaves out so that the rest can be rated."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Exclusion:
    """A resource whose usage of one metric is not rated until an operator acts.

    :ivar scope: id of the scope that is not charged for it
    :ivar metric: public name of the metric
    :ivar resource: its id in the metering back end
    :ivar reason: what is wrong with it, one clause
    :ivar remedy: what puts it right, one clause
    """

    scope: str
    metric: str
    resource: str
    reason: str
    remedy: str

"""A bill to hand on: of one project or of several, each with its own part."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.admin.bill.bill import Bill
from ratekit.admin.price_sheet import PriceEntry
from ratekit.admin.rating_state import RatingState

#: Most projects that have a part of their own: more make a file that no browser likes.
MAX_PARTS = 100
#: Most projects in the list of projects.
MAX_PROJECTS = 1000
#: Most resources of a part.
RESOURCES = 10

Prices = Mapping[str, Sequence[PriceEntry]]


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectCharge:
    """What a project cost.

    :ivar name: empty: not known
    """

    id: str
    name: str
    price: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """The bill of one project.

    :ivar state: how much of the time range is rated
    :ivar corrections: number of tasks that are about to price a part of the time range again
    :ivar prices: of the rules that were in force in the time range: all where the statement is of
        this project alone, else those of the project's own
    :ivar resources_since: what resources used earlier was purged, UTC; None: nothing was
    """

    id: str
    name: str
    bill: Bill
    state: RatingState
    corrections: int
    prices: Prices
    resources_since: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Statement:
    """The bill of some projects.

    :ivar whole: of all of them; its resources are in the parts
    :ivar projects: the dearest first; at most :data:`MAX_PROJECTS`
    :ivar project_count: number of all
    :ivar parts: likewise, at most :data:`MAX_PARTS`
    :ivar behind: number of projects that are not rated until the end, and still will be
    :ivar prices: that hold for all projects; empty where the only part has them
    :ivar purged_until: what was rated before may be missing, UTC; None: nothing is
    """

    whole: Bill
    projects: Sequence[ProjectCharge]
    project_count: int
    parts: Sequence[Part]
    behind: int
    prices: Prices
    purged_until: datetime.datetime | None = None

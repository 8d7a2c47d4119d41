"""The costs of resources, the dearest first."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import EVERYTHING, Selection
from ratekit.interfaces import Reports

#: The label that identifies a resource, and those that may name it, the best first.
ID = "id"
NAMES = ("display_name", "name")
#: As many groups are held in memory where the dearest of all resources are looked for.
MAX_RESOURCES = 200_000


@dataclasses.dataclass(frozen=True, slots=True)
class ResourceCost:
    """The costs of one resource.

    :ivar id: value of its label ``id``; None: usage without this label
    :ivar names: all that it had in the time range, sorted
    :ivar prices: exact price by metric
    :ivar points: number of frames
    :ivar price: exact sum
    """

    id: str | None
    names: Sequence[str]
    prices: Mapping[str, Decimal]
    points: int
    price: Decimal

    @property
    def title(self) -> str:
        """Its names, or its ID."""
        return ", ".join(self.names) or self.id or "usage of no resource"

    def matches(self, prefix: str) -> bool:
        """Return whether its ID or a name starts with a text, in upper or lower case."""
        folded = prefix.casefold()
        return any(text.casefold().startswith(folded) for text in (self.id or "", *self.names))


def read(reports: Reports, selection: Selection, max_groups: int) -> Sequence[ResourceCost]:
    """Return the resources that a selection's frames are of: the dearest first, then by ID.

    They add up to the selection's total. Resources of the same ID in several scopes are one.

    :param max_groups: most resources that may be in memory, each once a metric and name
    :raises ratekit.errors.TooManyGroups: there are more
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    groupby = (ID, "metric", *NAMES)
    page = reports.summary_page(selection, groupby, datetime.UTC, EVERYTHING, max_groups)
    resources: dict[str | None, _Sums] = {}
    for row in page.rows:
        resource, metric, *names = (_text(row.group[key]) for key in groupby)
        sums = resources.setdefault(resource, _Sums())
        assert metric is not None, "a frame has a metric"
        sums.prices[metric] = EXACT.add(sums.prices.get(metric, ZERO), row.price)
        sums.names.update(name for name in names if name)
        sums.points += row.points
    costs = [_cost(resource, sums) for resource, sums in resources.items()]
    return sorted(costs, key=lambda cost: (-cost.price, cost.id is None, cost.id or ""))


@dataclasses.dataclass(slots=True)
class _Sums:
    names: set[str] = dataclasses.field(default_factory=set)
    prices: dict[str, Decimal] = dataclasses.field(default_factory=dict)
    points: int = 0


def _cost(resource: str | None, sums: _Sums) -> ResourceCost:
    price = add_up(sums.prices.values())
    return ResourceCost(resource, sorted(sums.names), sums.prices, sums.points, price)


def _text(value: object) -> str | None:
    return None if value is None else str(value)

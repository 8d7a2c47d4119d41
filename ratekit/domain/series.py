"""Series: usages that share their labels, passed from collectors to storage."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from ratekit.domain import period
from ratekit.domain.exact import EXACT

_ALL = Decimal(1)


class Shared(NamedTuple):
    """What a quantity is a share of; thresholds on the service look at this.

    :ivar whole: the quantity that the labels would have had for the whole period, at most 18
        decimal places
    :ivar share: the part of the period that is charged under these labels, 0 to 1, at most 18
        decimal places
    """

    whole: Decimal
    share: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """Usages of one scope, metric and set of labels over a window.

    :ivar scope: id of the scope
    :ivar metric: public name of the metric
    :ivar unit: unit of the quantities
    :ivar groupby: labels that identify the usage, including the scope key
    :ivar metadata: further labels; no name is in both ``groupby`` and ``metadata``
    :ivar points: (start of the period, quantity), each period at most once; starts are
        aware UTC, quantities finite with at most 18 decimal places
    :ivar shared: start of a period -> what its quantity is a share of; the quantities of other
        periods are not shared
    """

    scope: str
    metric: str
    unit: str
    groupby: Mapping[str, str | None]
    metadata: Mapping[str, str | None]
    points: Sequence[tuple[datetime.datetime, Decimal]]
    shared: Mapping[datetime.datetime, Shared] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a series needs at least one point")
        # Only the first point is checked, because this runs for every series; collectors take
        # the starts of all points from one window.
        begin, quantity = self.points[0]
        period.require_utc(begin)
        if not isinstance(quantity, Decimal):
            raise TypeError(f"a quantity is a Decimal, not {quantity!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class RatedSeries:
    """A series with its prices.

    :ivar prices: one price for each point, in the order of ``series.points``, with at most 28
        decimal places
    """

    series: Series
    prices: Sequence[Decimal]

    def __post_init__(self) -> None:
        if len(self.prices) != len(self.series.points):
            raise ValueError("a series needs one price for each point")


def select_points(rated: RatedSeries, decisions: Collection[bool]) -> RatedSeries | None:
    """Return only the points with a true decision; None: there are none.

    :param decisions: one for each point, in the same order
    """
    if all(decisions):
        return rated
    series = rated.series
    points = list(itertools.compress(series.points, decisions))
    if not points:
        return None
    shared = {begin: series.shared[begin] for begin, _ in points if begin in series.shared}
    prices = list(itertools.compress(rated.prices, decisions))
    return RatedSeries(dataclasses.replace(series, points=points, shared=shared), prices)


def add_points(augend: Series, addend: Series) -> Series:
    """Return the usages of two series with equal labels as one series, by time.

    Quantities and wholes add up. What is not shared is its own whole. A share is at most 1.
    """
    points, shared = dict(augend.points), dict(augend.shared)
    for begin, quantity in addend.points:
        if begin not in points:
            points[begin] = quantity
            if begin in addend.shared:
                shared[begin] = addend.shared[begin]
            continue
        if begin in shared or begin in addend.shared:
            first = shared.get(begin) or Shared(points[begin], _ALL)
            second = addend.shared.get(begin) or Shared(quantity, _ALL)
            share = min(EXACT.add(first.share, second.share), _ALL)
            shared[begin] = Shared(EXACT.add(first.whole, second.whole), share)
        points[begin] = EXACT.add(points[begin], quantity)
    return dataclasses.replace(augend, points=sorted(points.items()), shared=shared)

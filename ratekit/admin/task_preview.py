"""What pricing anew would change; nothing is written."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit.anew import Anew
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.period import Window
from ratekit.domain.reports import Selection
from ratekit.domain.task import Order, Repriced
from ratekit.storage_interface import Reports


@dataclasses.dataclass(slots=True)
class Sums:
    """What is charged for some frames.

    :ivar quantity: None where they are of several units
    """

    points: int = 0
    quantity: Decimal | None = ZERO
    price: Decimal = ZERO

    def add(self, points: int, quantity: Decimal | None, price: Decimal) -> None:
        """Add what is charged for more of them."""
        self.points += points
        if self.quantity is None or quantity is None:
            self.quantity = None
        else:
            self.quantity = EXACT.add(self.quantity, quantity)
        self.price = EXACT.add(self.price, price)


@dataclasses.dataclass(slots=True)
class Change:
    """What pricing anew would change about a scope's usage of one metric.

    :ivar units: of what is charged now, and of what would be
    """

    units: set[str] = dataclasses.field(default_factory=set)
    old: Sums = dataclasses.field(default_factory=Sums)
    new: Sums = dataclasses.field(default_factory=Sums)


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """Periods that would be left as they are, and why."""

    window: Window
    note: str


@dataclasses.dataclass(frozen=True, slots=True)
class Preview:
    """What an order would come to.

    :ivar changes: of the periods that would be swapped, by metric
    :ivar kept: the others
    """

    order: Order
    changes: Mapping[str, Change]
    kept: Sequence[Kept]


def preview(anew: Anew, reports: Reports, order: Order) -> Preview:
    """Price an order anew, as a task would, and write nothing.

    :raises ratekit.errors.TryLater: a back end did not answer
    :raises ratekit.errors.OperatorError: it cannot answer
    """
    changes: dict[str, Change] = {}
    kept: list[Kept] = []
    begin = order.begin
    while begin < order.end:
        repriced = anew.price(order, begin)
        for stretch in repriced.swapped():
            _add_old(changes, reports, order, stretch)
        _add_new(changes, repriced)
        for at, note in sorted(repriced.kept.items()):
            _add_kept(kept, Window(at, order.step, 1), note)
        begin = repriced.window.end
    return Preview(order, dict(sorted(changes.items())), kept)


def _add_old(changes: dict[str, Change], reports: Reports, order: Order, stretch: Window) -> None:
    chosen = Selection(stretch.begin, stretch.end, (order.scope.id,))
    for row in reports.summary(chosen, ("metric",), datetime.UTC):
        change = changes.setdefault(str(row.group["metric"]), Change())
        change.old.add(row.points, row.quantity, row.price)
        change.units |= set() if row.unit is None else {row.unit}


def _add_new(changes: dict[str, Change], repriced: Repriced) -> None:
    for one in repriced.series:
        change = changes.setdefault(one.series.metric, Change())
        change.units.add(one.series.unit)
        for (_, quantity), price in zip(one.series.points, one.prices, strict=True):
            change.new.add(1, quantity, price)


def _add_kept(kept: list[Kept], window: Window, note: str) -> None:
    """Add a period; to those before it, if it follows them and is kept for the same reason."""
    if kept and kept[-1].window.end == window.begin and kept[-1].note == note:
        longer = dataclasses.replace(kept[-1].window, count=kept[-1].window.count + 1)
        kept[-1] = Kept(longer, note)
    else:
        kept.append(Kept(window, note))

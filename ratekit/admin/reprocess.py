"""From what an operator wants to have priced anew to an order for each scope."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ratekit import errors
from ratekit.admin import scope as scope_admin
from ratekit.domain import period
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.period import Window
from ratekit.domain.reporting.reports import Selection, StateRow
from ratekit.domain.reprocessing.task import Order, RatedRange, RepricedWindow, TaskKind
from ratekit.domain.scope import Scope
from ratekit.interfaces import Reports
from ratekit.processing.repricer import Repricer

_SECOND = datetime.timedelta(seconds=1)


@dataclasses.dataclass(frozen=True, slots=True)
class ReprocessRequest:
    """What an operator wants to have priced anew, of each scope that is meant.

    :ivar begin: begin of the first period, UTC
    :ivar end: end of the last, UTC
    :ivar step: length of a period
    """

    begin: datetime.datetime
    end: datetime.datetime
    step: datetime.timedelta
    kind: TaskKind
    accept_silence: bool = False

    def order(self, row: StateRow, begin: datetime.datetime, end: datetime.datetime) -> Order:
        """Return this for one scope, from ``begin`` to ``end``."""
        scope = Scope(row.id, row.name)
        return Order(scope, begin, end, self.step, self.kind, self.accept_silence)


def orders(
    wish: ReprocessRequest, rated: Mapping[str, RatedRange], rows: Sequence[StateRow], every: bool
) -> Sequence[Order]:
    """Return an order for each scope.

    :param rated: how far each has been rated
    :param rows: the scopes that are meant, each once
    :param every: they are all there are: what is not rated of them is passed over
    :raises ratekit.errors.OperatorError: the times are no begins of periods, or not in order,
        or the scopes are not rated from the one to the other
    """
    for instant in (wish.begin, wish.end):
        scope_admin.require_begin(instant, wish.step)
    if wish.begin >= wish.end:
        raise errors.OperatorError(
            f"--begin {_text(wish.begin)} is not before --end {_text(wish.end)}"
        )
    found = [_order(wish, rated.get(row.id), row, every) for row in rows]
    return [one for one in found if one is not None]


def _order(
    wish: ReprocessRequest, rated: RatedRange | None, row: StateRow, every: bool
) -> Order | None:
    if rated is None:
        if every:
            return None
        raise errors.OperatorError(f"scope {row.id} has never been rated")
    begin, end = wish.begin, wish.end
    if every:
        begin = max(begin, period.ceiling(rated.since, wish.step))
        end = min(end, period.floor(rated.until, wish.step))
        if begin >= end:
            return None
    if begin < rated.since or end > rated.until:
        raise errors.OperatorError(
            f"scope {row.id} is rated from {_text(rated.since)} to {_text(rated.until)} only: "
            f"expected a --begin and an --end within that, not {_text(begin)} and {_text(end)}"
        )
    _require_whole(begin, end, rated.step, wish.step)
    return wish.order(row, begin, end)


def _require_whole(
    begin: datetime.datetime,
    end: datetime.datetime,
    rated: datetime.timedelta | None,
    step: datetime.timedelta,
) -> None:
    """Refuse to price a part of a period anew, which would be charged twice or not at all."""
    for instant in (begin, end):
        if rated is not None and period.floor(instant, rated) != instant:
            both = math.lcm(rated // _SECOND, step // _SECOND) * _SECOND
            raise errors.OperatorError(
                f"{_text(instant)} lies within a period of {rated}, which was [collect] period "
                f"until now: expected a time at which both begin, such as "
                f"{_text(period.floor(instant, both))}"
            )


def _text(instant: datetime.datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


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
class KeptPeriods:
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
    kept: Sequence[KeptPeriods]


def preview(repricer: Repricer, reports: Reports, order: Order) -> Preview:
    """Price an order anew, as a task would, and write nothing.

    :raises ratekit.errors.TryLater: a back end did not answer
    :raises ratekit.errors.OperatorError: it cannot answer
    """
    changes: dict[str, Change] = {}
    kept: list[KeptPeriods] = []
    begin = order.begin
    while begin < order.end:
        repriced = repricer.price(order, begin)
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


def _add_new(changes: dict[str, Change], repriced: RepricedWindow) -> None:
    for one in repriced.series:
        change = changes.setdefault(one.series.metric, Change())
        change.units.add(one.series.unit)
        for (_, quantity), price in zip(one.series.points, one.prices, strict=True):
            change.new.add(1, quantity, price)


def _add_kept(kept: list[KeptPeriods], window: Window, note: str) -> None:
    """Add a period; to those before it, if it follows them and is kept for the same reason."""
    if kept and kept[-1].window.end == window.begin and kept[-1].note == note:
        longer = dataclasses.replace(kept[-1].window, count=kept[-1].window.count + 1)
        kept[-1] = KeptPeriods(longer, note)
    else:
        kept.append(KeptPeriods(window, note))

"""Turn a request to reprocess into an order for each scope, and preview orders."""

from __future__ import annotations

import dataclasses
import datetime
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
from ratekit.interfaces import Purge, Reports
from ratekit.processing.repricer import Repricer
from ratekit.text import utc_text


@dataclasses.dataclass(frozen=True, slots=True)
class ReprocessRequest:
    """What an operator asks to reprocess, for each scope.

    :ivar begin: start of the first period, UTC
    :ivar end: end of the last, UTC
    :ivar step: length of a period
    """

    begin: datetime.datetime
    end: datetime.datetime
    step: datetime.timedelta
    kind: TaskKind
    accept_silence: bool = False

    def order(self, row: StateRow, begin: datetime.datetime, end: datetime.datetime) -> Order:
        """Return the order for one scope, from ``begin`` to ``end``."""
        scope = Scope(row.id, row.name)
        return Order(scope, begin, end, self.step, self.kind, self.accept_silence)


def build_orders(
    request: ReprocessRequest,
    rated_ranges: Mapping[str, RatedRange],
    rows: Sequence[StateRow],
    shorten: bool,
) -> Sequence[Order]:
    """Return an order for each scope.

    :param rated_ranges: from when to when each scope has been rated, by ID
    :param rows: the scopes to reprocess, each once
    :param shorten: skip the times at which a scope has not been rated
    :raises ratekit.errors.OperatorError: the times are not starts of periods, or not in order,
        or a scope has not been rated at these times
    """
    for instant in (request.begin, request.end):
        scope_admin.require_start(instant, request.step)
    if request.begin >= request.end:
        raise errors.OperatorError(
            f"begin {utc_text(request.begin)} is not before end {utc_text(request.end)}"
        )
    orders = [_build_order(request, rated_ranges.get(row.id), row, shorten) for row in rows]
    return [order for order in orders if order is not None]


def build_reset_orders(
    rows: Sequence[StateRow],
    rated_ranges: Mapping[str, RatedRange],
    since: datetime.datetime,
    step: datetime.timedelta,
    shorten: bool,
) -> Sequence[Order]:
    """Return orders to collect all again that each scope was rated for since an instant.

    Unlike a reset, tasks replace what was charged period by period: no bill has a hole meanwhile.

    :param rows: the scopes, each once
    :param since: start of a period
    :param step: length of a period
    :param shorten: leave out scopes and times that were not rated
    :returns: none for a scope that is rated until ``since``
    :raises ratekit.errors.OperatorError: ``since`` is no start of a period, or a scope is not
        rated until then, or not since then
    """
    scope_admin.require_start(since, step)
    orders = []
    for row in rows:
        end = period.floor(row.rated_until, step)
        if since < end:
            request = ReprocessRequest(since, end, step, TaskKind.COLLECT)
            order = _build_order(request, rated_ranges.get(row.id), row, shorten)
            orders += [] if order is None else [order]
        elif since > row.rated_until and not shorten:
            raise errors.OperatorError(
                f"scope {row.id} is rated only until {utc_text(row.rated_until)}: expected that or "
                f"an earlier time, not {utc_text(since)}; to leave out the time in between, "
                "deactivate the scope and run ratekit scope activate --from"
            )
    return orders


def _build_order(
    request: ReprocessRequest, rated: RatedRange | None, row: StateRow, shorten: bool
) -> Order | None:
    if rated is None:
        if shorten:
            return None
        raise errors.OperatorError(f"scope {row.id} has never been rated")
    begin, end = request.begin, request.end
    if shorten:
        begin = max(begin, period.ceiling(rated.since, request.step))
        end = min(end, period.floor(rated.until, request.step))
        if begin >= end:
            return None
    if begin < rated.since or end > rated.until:
        raise errors.OperatorError(
            f"scope {row.id} is rated only from {utc_text(rated.since)} to "
            f"{utc_text(rated.until)}: expected begin and end within this time, not "
            f"{utc_text(begin)} and {utc_text(end)}"
        )
    # A part of a period would be charged twice or not at all.
    for instant in (begin, end):
        scope_admin.require_boundary(instant, rated.step, request.step)
    return request.order(row, begin, end)


def read_reason(name: str, text: str | None) -> str:
    """Return the reason of a request in one line.

    :param name: of the option or argument, for the message
    :raises ratekit.errors.OperatorError: it is blank
    """
    reason = " ".join((text or "").split())
    if not reason:
        raise errors.OperatorError(f"{name} is required; it is recorded with the task")
    return reason


def require_any(orders: Sequence[Order]) -> None:
    """Refuse to reprocess nothing.

    :raises ratekit.errors.OperatorError: there are no orders
    """
    if not orders:
        raise errors.OperatorError("nothing to reprocess: no scope was rated in this time")


def require_unpurged(purge: Purge, orders: Sequence[Order]) -> None:
    """Refuse orders for periods whose frames were purged.

    :raises ratekit.errors.OperatorError: there is such an order
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    mark = purge.mark()
    for order in orders:
        if (refusal := mark.explain_refusal(order.begin)) is not None:
            raise errors.OperatorError(refusal)


@dataclasses.dataclass(slots=True)
class Sums:
    """The charges for some frames.

    :ivar points: number of frames
    :ivar quantity: None: the frames have several units
    """

    points: int = 0
    quantity: Decimal | None = ZERO
    price: Decimal = ZERO

    def add(self, points: int, quantity: Decimal | None, price: Decimal) -> None:
        """Add the charges for more frames."""
        self.points += points
        if self.quantity is None or quantity is None:
            self.quantity = None
        else:
            self.quantity = EXACT.add(self.quantity, quantity)
        self.price = EXACT.add(self.price, price)


@dataclasses.dataclass(slots=True)
class Change:
    """How reprocessing would change the charges for a scope's usage of one metric.

    :ivar units: the units of the frames before and after
    """

    units: set[str] = dataclasses.field(default_factory=set)
    old: Sums = dataclasses.field(default_factory=Sums)
    new: Sums = dataclasses.field(default_factory=Sums)


@dataclasses.dataclass(frozen=True, slots=True)
class KeptPeriods:
    """Periods that reprocessing would leave unchanged, and the reason."""

    window: Window
    note: str


@dataclasses.dataclass(frozen=True, slots=True)
class Preview:
    """What an order would change.

    :ivar changes: changes in the periods that would be replaced, by metric
    :ivar kept_periods: the periods that would be left unchanged
    """

    order: Order
    changes: Mapping[str, Change]
    kept_periods: Sequence[KeptPeriods]


def preview(repricer: Repricer, reports: Reports, order: Order) -> Preview:
    """Reprocess an order as a task would, but write nothing.

    :raises ratekit.errors.TryLater: a back end did not answer
    :raises ratekit.errors.OperatorError: it cannot answer
    """
    changes: dict[str, Change] = {}
    unchanged: list[KeptPeriods] = []
    begin = order.begin
    while begin < order.end:
        repriced = repricer.price(order, begin)
        for window in repriced.replacement_windows():
            _add_old(changes, reports, order, window)
        _add_new(changes, repriced)
        for at, note in sorted(repriced.kept_reasons.items()):
            _add_period(unchanged, Window(at, order.step, 1), note)
        begin = repriced.window.end
    return Preview(order, dict(sorted(changes.items())), unchanged)


def _add_old(changes: dict[str, Change], reports: Reports, order: Order, window: Window) -> None:
    selection = Selection(window.begin, window.end, scopes=frozenset({order.scope.id}))
    for row in reports.summary(selection, ("metric",), datetime.UTC):
        change = changes.setdefault(str(row.group["metric"]), Change())
        change.old.add(row.points, row.quantity, row.price)
        change.units |= set() if row.unit is None else {row.unit}


def _add_new(changes: dict[str, Change], repriced: RepricedWindow) -> None:
    for rated in repriced.series:
        change = changes.setdefault(rated.series.metric, Change())
        change.units.add(rated.series.unit)
        for (_, quantity), price in zip(rated.series.points, rated.prices, strict=True):
            change.new.add(1, quantity, price)


def _add_period(unchanged: list[KeptPeriods], window: Window, note: str) -> None:
    """Add a period; extend the last entry if it precedes the period and has the same note."""
    if unchanged and unchanged[-1].window.end == window.begin and unchanged[-1].note == note:
        previous = unchanged[-1].window
        unchanged[-1] = KeptPeriods(dataclasses.replace(previous, count=previous.count + 1), note)
    else:
        unchanged.append(KeptPeriods(window, note))

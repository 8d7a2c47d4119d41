"""From what an operator wants to have priced anew to an order for each scope."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence

from ratekit import errors
from ratekit.admin import scope_admin
from ratekit.domain import period
from ratekit.domain.reports import StateRow
from ratekit.domain.scope import Scope
from ratekit.domain.task import Order, Rated, TaskKind

_SECOND = datetime.timedelta(seconds=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
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
    wish: Wish, rated: Mapping[str, Rated], rows: Sequence[StateRow], every: bool
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


def _order(wish: Wish, rated: Rated | None, row: StateRow, every: bool) -> Order | None:
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

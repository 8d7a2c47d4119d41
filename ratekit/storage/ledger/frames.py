"""Rated usages on their way into ``frames`` and ``totals``."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import sqlalchemy as sa

from ratekit import errors
from ratekit.domain.exact import EXACT
from ratekit.domain.period import Window
from ratekit.domain.series import RatedSeries
from ratekit.storage.db.dialects import insert_many
from ratekit.storage.db.types import require_fits
from ratekit.storage.ledger.descriptors import Descriptor, describe
from ratekit.storage.schema import FRAMES, TOTALS

_FRAME = ("scope_id", "begin", "descriptor_id", "quantity", "price")

#: Each period's begin as databases write it.
Begins = Mapping[datetime.datetime, str]


class SeriesEntry(NamedTuple):
    """A series that is ready to be written.

    :ivar key: id of the scope's row
    """

    key: int
    descriptor: Descriptor
    rated: RatedSeries


class Total(NamedTuple):
    """A row of ``totals`` as databases write it; fields are named after the columns."""

    scope_id: int
    begin: str
    metric: str
    unit: str
    points: int
    quantity: str
    price: str


class _Sum:
    """Number, quantity and price of the frames of one total."""

    __slots__ = ("points", "price", "quantity")

    def __init__(self, quantity: Decimal, price: Decimal) -> None:
        self.points = 1
        self.quantity = quantity
        self.price = price


_Sums = dict[datetime.datetime, _Sum]


def begin_texts(window: Window) -> Begins:
    """Return the begins of a window's periods: naive UTC with microseconds."""
    return texts(window.begins())


def texts(begins: Iterable[datetime.datetime]) -> Begins:
    """Return instants as databases write them: naive UTC with microseconds."""
    return {begin: begin.replace(tzinfo=None).isoformat(" ", "microseconds") for begin in begins}


def prepare(series: Iterable[RatedSeries], keys: Mapping[str, int]) -> list[SeriesEntry]:
    """Build the descriptor of each series.

    :param keys: row id of each scope
    :raises ratekit.errors.OperatorError: a metric's name or unit is too long
    :raises KeyError: a series of a scope that is not in ``keys``
    """
    return [SeriesEntry(keys[one.series.scope], describe(one.series), one) for one in series]


def sum_up(entries: Iterable[SeriesEntry], begins: Begins) -> list[Total]:
    """Return exact totals, one a scope, period, metric and unit that has frames.

    :raises ratekit.errors.OperatorError: a quantity, a price or a sum cannot be stored
    :raises KeyError: a point outside of the window
    """
    sums: dict[tuple[int, str, str], _Sums] = {}
    for key, descriptor, rated in entries:
        mine = sums.setdefault((key, descriptor.metric, descriptor.unit), {})
        try:
            _add(rated, mine)
        except decimal.DecimalException:
            raise _unfit(descriptor.metric, "a quantity or price") from None
    return [
        _total(*key, begins[begin], one)
        for key, periods in sums.items()
        for begin, one in periods.items()
    ]


def write_frames(
    connection: sa.Connection,
    entries: Collection[SeriesEntry],
    ids: Mapping[bytes, int],
    begins: Begins,
) -> int:
    """Write one frame a point, checked before by :func:`sum_up`; return how many.

    :param ids: row id of each descriptor, by digest
    """
    insert_many(connection, FRAMES, _FRAME, _frames(entries, ids, begins))
    return sum(len(entry.rated.prices) for entry in entries)


def write_totals(connection: sa.Connection, totals: Iterable[Total]) -> None:
    """Write totals."""
    insert_many(connection, TOTALS, Total._fields, totals)


def remove(connection: sa.Connection, key: int, stretch: Window) -> None:
    """Remove a scope's frames and totals of periods that begin in ``stretch``."""
    for table in (FRAMES, TOTALS):
        mine = (table.c.scope_id == key) & (table.c.begin >= stretch.begin)
        connection.execute(table.delete().where(mine & (table.c.begin < stretch.end)))


def _frames(
    entries: Iterable[SeriesEntry], ids: Mapping[bytes, int], begins: Begins
) -> Iterator[tuple[str | int, ...]]:
    for key, descriptor, rated in entries:
        number = ids[descriptor.digest]
        for (begin, quantity), price in zip(rated.series.points, rated.prices, strict=True):
            yield key, begins[begin], number, str(quantity), str(price)


def _add(rated: RatedSeries, sums: _Sums) -> None:
    """Check and add up the points of one series; the hot path, so nothing here is idle."""
    add = EXACT.add
    for (begin, quantity), price in zip(rated.series.points, rated.prices, strict=True):
        require_fits(quantity, price)
        total = sums.get(begin)
        if total is None:
            sums[begin] = _Sum(quantity, price)
        else:
            total.points += 1
            total.quantity = add(total.quantity, quantity)
            total.price = add(total.price, price)


def _total(key: int, metric: str, unit: str, begin: str, total: _Sum) -> Total:
    try:
        require_fits(total.quantity, total.price)
    except decimal.DecimalException:
        raise _unfit(metric, "a sum") from None
    # A NaN among the points has made the sum one.
    if not (total.quantity.is_finite() and total.price.is_finite()):
        raise _unfit(metric, "a quantity or price")
    return Total(key, begin, metric, unit, total.points, str(total.quantity), str(total.price))


def _unfit(metric: str, what: str) -> errors.OperatorError:
    return errors.OperatorError(
        f"metric {metric}: {what} cannot be stored: a quantity has at most 47 digits before the "
        "point and 18 after it, a price 37 and 28"
    )

"""Writes series and prices as rows of ``frames`` and ``totals``."""

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
from ratekit.storage.db.types import require_fits, require_shared_fits
from ratekit.storage.ledger.descriptors import Descriptor, describe
from ratekit.storage.schema import FRAMES, TOTALS

_FRAME = ("scope_id", "begin", "descriptor_id", "quantity", "price")
#: The columns where a quantity may be shared.
_SHARED_FRAME = (*_FRAME, "whole", "share")
#: Columns of ``totals``, in the order of the fields of :class:`Total`.
TOTAL = ("scope_id", "begin", "metric", "unit", "points", "quantity", "price")

#: The start of each period in the databases' notation.
BeginTexts = Mapping[datetime.datetime, str]


class SeriesEntry(NamedTuple):
    """A series that is ready to be written.

    :ivar scope_pk: id of the scope's row
    """

    scope_pk: int
    descriptor: Descriptor
    rated_series: RatedSeries


class Total(NamedTuple):
    """A row of ``totals``.

    :ivar scope_pk: id of the scope's row
    :ivar points: number of frames
    """

    scope_pk: int
    begin: datetime.datetime
    metric: str
    unit: str
    points: int
    quantity: Decimal
    price: Decimal


class _Sum:
    """Number, quantity and price of the frames of one total."""

    __slots__ = ("points", "price", "quantity")

    def __init__(self, quantity: Decimal, price: Decimal) -> None:
        self.points = 1
        self.quantity = quantity
        self.price = price


_Sums = dict[datetime.datetime, _Sum]


def begin_texts(begins: Iterable[datetime.datetime]) -> BeginTexts:
    """Return instants in the databases' notation: naive UTC with microseconds."""
    return {begin: begin.replace(tzinfo=None).isoformat(" ", "microseconds") for begin in begins}


def require_begins(totals: Iterable[Total], texts: BeginTexts) -> None:
    """:raises KeyError: a total whose begin is not in ``texts``."""
    for total in totals:
        _ = texts[total.begin]


def prepare(rated_series: Iterable[RatedSeries], scope_pks: Mapping[str, int]) -> list[SeriesEntry]:
    """Build the descriptor of each series.

    :param scope_pks: id of the row of each scope
    :raises ratekit.errors.OperatorError: a metric's name or unit is too long
    :raises KeyError: a series of a scope that is not in ``scope_pks``
    """
    return [
        SeriesEntry(scope_pks[rated.series.scope], describe(rated.series), rated)
        for rated in rated_series
    ]


def sum_up(entries: Iterable[SeriesEntry]) -> list[Total]:
    """Return exact totals, one for each scope, period, metric and unit that has frames.

    :raises ratekit.errors.OperatorError: a quantity, a price or a sum cannot be stored
    """
    sums: dict[tuple[int, str, str], _Sums] = {}
    for scope_pk, descriptor, rated_series in entries:
        period_sums = sums.setdefault((scope_pk, descriptor.metric, descriptor.unit), {})
        try:
            _add(rated_series, period_sums)
        except decimal.DecimalException:
            raise _storage_error(descriptor.metric, "a quantity or price") from None
    return [
        _total(*names, begin, period_sum)
        for names, period_sums in sums.items()
        for begin, period_sum in period_sums.items()
    ]


def write_frames(
    connection: sa.Connection,
    entries: Collection[SeriesEntry],
    descriptor_ids: Mapping[bytes, int],
    texts: BeginTexts,
) -> int:
    """Write one frame for each point, and return their number.

    :func:`sum_up` must have checked the values.

    :param descriptor_ids: id of the row of each descriptor, by digest
    :raises KeyError: a point whose begin is not in ``texts``
    """
    plain = [entry for entry in entries if not entry.rated_series.series.shared]
    insert_many(connection, FRAMES, _FRAME, _frame_rows(plain, descriptor_ids, texts))
    # Few usages are shared: all others must not pay for two more columns.
    if len(plain) < len(entries):
        shared = [entry for entry in entries if entry.rated_series.series.shared]
        rows = _shared_frame_rows(shared, descriptor_ids, texts)
        insert_many(connection, FRAMES, _SHARED_FRAME, rows)
    return sum(len(entry.rated_series.prices) for entry in entries)


def write_totals(connection: sa.Connection, totals: Iterable[Total], texts: BeginTexts) -> None:
    """Write totals.

    :raises KeyError: a total whose begin is not in ``texts``
    """
    insert_many(connection, TOTALS, TOTAL, _total_rows(totals, texts))


def read_totals(connection: sa.Connection, scope_pk: int, window: Window) -> list[Total]:
    """Return a scope's totals of periods that begin in ``window``."""
    query = sa.select(*(TOTALS.c[name] for name in TOTAL)).where(TOTALS.c.scope_id == scope_pk)
    rows = query.where((TOTALS.c.begin >= window.begin) & (TOTALS.c.begin < window.end))
    return [Total(*row) for row in connection.execute(rows)]


def remove(connection: sa.Connection, scope_pk: int, window: Window) -> None:
    """Remove a scope's frames and totals of periods that begin in ``window``."""
    for table in (FRAMES, TOTALS):
        since = (table.c.scope_id == scope_pk) & (table.c.begin >= window.begin)
        connection.execute(table.delete().where(since & (table.c.begin < window.end)))


def _frame_rows(
    entries: Iterable[SeriesEntry], descriptor_ids: Mapping[bytes, int], texts: BeginTexts
) -> Iterator[tuple[str | int, ...]]:
    for scope_pk, descriptor, rated in entries:
        descriptor_id = descriptor_ids[descriptor.digest]
        for (begin, quantity), price in zip(rated.series.points, rated.prices, strict=True):
            yield scope_pk, texts[begin], descriptor_id, str(quantity), str(price)


def _shared_frame_rows(
    entries: Iterable[SeriesEntry], descriptor_ids: Mapping[bytes, int], texts: BeginTexts
) -> Iterator[tuple[str | int | None, ...]]:
    for entry in entries:
        series = entry.rated_series.series
        rows = _frame_rows([entry], descriptor_ids, texts)
        for (begin, _), row in zip(series.points, rows, strict=True):
            shared = series.shared.get(begin)
            yield *row, *((None, None) if shared is None else map(str, shared))


def _total_rows(totals: Iterable[Total], texts: BeginTexts) -> Iterator[tuple[str | int, ...]]:
    for scope_pk, begin, metric, unit, points, quantity, price in totals:
        yield scope_pk, texts[begin], metric, unit, points, str(quantity), str(price)


def _add(rated: RatedSeries, sums: _Sums) -> None:
    """Check and add the points of one series; this is the hot path."""
    for shared in rated.series.shared.values():
        require_shared_fits(*shared)
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


def _total(scope_pk: int, metric: str, unit: str, begin: datetime.datetime, sums: _Sum) -> Total:
    try:
        require_fits(sums.quantity, sums.price)
    except decimal.DecimalException:
        raise _storage_error(metric, "a sum") from None
    # A NaN among the points has made the sum NaN.
    if not (sums.quantity.is_finite() and sums.price.is_finite()):
        raise _storage_error(metric, "a quantity or price")
    return Total(scope_pk, begin, metric, unit, sums.points, sums.quantity, sums.price)


def _storage_error(metric: str, value: str) -> errors.OperatorError:
    return errors.OperatorError(
        f"metric {metric}: {value} cannot be stored: a quantity has at most 47 digits before the "
        "decimal point and 18 after it, a price 37 and 28"
    )

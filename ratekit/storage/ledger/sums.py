"""Checks the values of series and adds them up, column by column."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from ratekit import errors
from ratekit.domain import period
from ratekit.domain.exact import EXACT
from ratekit.domain.series import RatedSeries
from ratekit.storage.db.types import (
    require_shared_fits,
    require_word,
    sum_prices,
    sum_quantities,
)
from ratekit.storage.ledger.slices import slices

#: The period of daily totals.
DAY = datetime.timedelta(days=1)


class Total(NamedTuple):
    """A row of ``totals``, or of ``daily_totals``.

    :ivar scope_pk: id of the scope's row
    :ivar begin: start of the period, or of the day in UTC
    :ivar points: number of frames
    """

    scope_pk: int
    begin: datetime.datetime
    metric: str
    unit: str
    points: int
    quantity: Decimal
    price: Decimal


class _Sum(NamedTuple):
    """Number, quantity and price of the frames of one total."""

    points: int
    quantity: Decimal
    price: Decimal

    def plus(self, addend: _Sum) -> _Sum:
        """Return the sum of both."""
        quantity = EXACT.add(self.quantity, addend.quantity)
        return _Sum(self.points + addend.points, quantity, EXACT.add(self.price, addend.price))


class _Columns(NamedTuple):
    """Values of series with the same scope, metric, unit and periods; a row for each series."""

    quantities: list[Sequence[Decimal]]
    prices: list[Sequence[Decimal]]


#: Scope, metric, unit.
_Names = tuple[str, str, str]
_Begins = tuple[datetime.datetime, ...]
_Sums = dict[_Names, dict[datetime.datetime, _Sum]]


def sum_up(rated_series: Iterable[RatedSeries], scope_pks: Mapping[str, int]) -> list[Total]:
    """Return exact totals, one for each scope, period, metric and unit that has frames.

    :param rated_series: is read once
    :param scope_pks: id of the row of each scope
    :raises ratekit.errors.OperatorError: a quantity, a price or a sum cannot be stored, or a
        metric's name or unit is too long
    :raises KeyError: a series of a scope that is not in ``scope_pks``
    """
    sums: _Sums = {}
    with decimal.localcontext(EXACT):
        for part in slices(rated_series):
            _add_slice(sums, part)
        return [
            _total(scope_pks[scope], begin, metric, unit, period_sum)
            for (scope, metric, unit), period_sums in sums.items()
            for begin, period_sum in period_sums.items()
        ]


def sum_days(totals: Iterable[Total]) -> list[Total]:
    """Return exact daily totals, in the order of their key.

    A total belongs to the day on which its period begins.

    :raises ratekit.errors.OperatorError: a sum cannot be stored
    """
    sums: dict[tuple[int, datetime.datetime, str, str], _Sum] = {}
    days: dict[datetime.datetime, datetime.datetime] = {}
    for scope_pk, begin, metric, unit, points, quantity, price in totals:
        day = days.get(begin) or days.setdefault(begin, period.floor(begin, DAY))
        key, addends = (scope_pk, day, metric, unit), _Sum(points, quantity, price)
        before = sums.get(key)
        sums[key] = addends if before is None else before.plus(addends)
    with decimal.localcontext(EXACT):
        return [_total(*key, sums[key]) for key in sorted(sums)]


def _add_slice(sums: _Sums, part: Iterable[RatedSeries]) -> None:
    for (names, begins), columns in _group(part).items():
        _add(sums.setdefault(names, {}), names, begins, columns)


def _group(rated_series: Iterable[RatedSeries]) -> dict[tuple[_Names, _Begins], _Columns]:
    groups: dict[tuple[_Names, _Begins], _Columns] = {}
    for rated in rated_series:
        series = rated.series
        begins, quantities = zip(*series.points, strict=True)
        key = (series.scope, series.metric, series.unit), begins
        columns = groups.get(key)
        if columns is None:
            require_word(series.metric)
            require_word(series.unit)
            columns = groups[key] = _Columns([], [])
        columns.quantities.append(quantities)
        columns.prices.append(rated.prices)
        if series.shared:
            _require_shared(rated)
    return groups


def _add(
    sums: dict[datetime.datetime, _Sum], names: _Names, begins: _Begins, columns: _Columns
) -> None:
    """Check and add values; a period of all series at a time, so that no loop of Python's runs."""
    try:
        for begin, quantities, prices in zip(
            begins,
            zip(*columns.quantities, strict=True),
            zip(*columns.prices, strict=True),
            strict=True,
        ):
            addends = _Sum(len(prices), sum_quantities(quantities), sum_prices(prices))
            before = sums.get(begin)
            sums[begin] = addends if before is None else before.plus(addends)
    except decimal.DecimalException:
        raise _storage_error(names[1], "a quantity or price") from None


def _require_shared(rated: RatedSeries) -> None:
    try:
        for shared in rated.series.shared.values():
            require_shared_fits(*shared)
    except decimal.DecimalException:
        raise _storage_error(rated.series.metric, "a quantity or price") from None


def _total(scope_pk: int, begin: datetime.datetime, metric: str, unit: str, sums: _Sum) -> Total:
    try:
        sum_quantities([sums.quantity])
        sum_prices([sums.price])
    except decimal.DecimalException:
        raise _storage_error(metric, "a sum") from None
    return Total(scope_pk, begin, metric, unit, *sums)


def _storage_error(metric: str, value: str) -> errors.OperatorError:
    return errors.OperatorError(
        f"metric {metric}: {value} cannot be stored: a quantity has at most 47 digits before the "
        "decimal point and 18 after it, a price 37 and 28"
    )

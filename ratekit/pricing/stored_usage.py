"""Prices of stored usage by rules other than those it was rated with."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.series import RatedSeries, Series, Shared
from ratekit.pricing.price_list import PriceList

#: How many frames are priced together. Rows come by time, and this many are some periods of a
#: large cloud: with more, few more frames would share their labels.
CHUNK_SIZE = 20_000

_Labels = tuple[tuple[str, str | None], ...]
_Key = tuple[str, str, str, _Labels, _Labels]


def price_stored_usage(
    rows: Iterable[FrameRow], price_list: PriceList
) -> Iterator[tuple[Sequence[FrameRow], RatedSeries]]:
    """Yield rows that share their labels, and the series that they form with its new prices.

    The series has one point and one price for each row, in the same order. Prices are computed
    as in rating. The rows are read in chunks, so the same labels may occur several times.
    """
    for group in group_stored_usage(rows):
        series = build_series(group)
        yield group, RatedSeries(series, price_list.prices(series))


def group_stored_usage(rows: Iterable[FrameRow]) -> Iterator[Sequence[FrameRow]]:
    """Yield rows that share their scope, metric, unit and labels, chunk by chunk."""
    remaining_rows = iter(rows)
    while chunk := list(itertools.islice(remaining_rows, CHUNK_SIZE)):
        yield from _group_by_labels(chunk)


def _group_by_labels(chunk: Iterable[FrameRow]) -> Iterable[Sequence[FrameRow]]:
    """Group rows by scope, metric, unit and labels."""
    groups: dict[_Key, list[FrameRow]] = {}
    for row in chunk:
        labels = tuple(row.groupby.items()), tuple(row.metadata.items())
        groups.setdefault((row.scope, row.metric, row.unit, *labels), []).append(row)
    return groups.values()


def build_series(rows: Sequence[FrameRow]) -> Series:
    """Return the series of stored usages that share their scope, metric, unit and labels.

    It has one point for each row, in the same order.
    """
    points = [(row.begin, row.quantity) for row in rows]
    shared = {row.begin: row.shared for row in rows if row.shared is not None}
    return _build(rows[0], points, shared)


def build_series_at(row: FrameRow, begins: Sequence[datetime.datetime]) -> Series:
    """Return the series of a stored usage as if each of these periods had it.

    :param begins: starts of the periods, UTC, in order
    """
    points = [(begin, row.quantity) for begin in begins]
    return _build(row, points, {} if row.shared is None else dict.fromkeys(begins, row.shared))


def _build(
    row: FrameRow,
    points: Sequence[tuple[datetime.datetime, Decimal]],
    shared: Mapping[datetime.datetime, Shared],
) -> Series:
    return Series(row.scope, row.metric, row.unit, row.groupby, row.metadata, points, shared)

"""What stored usage costs by other rules than those that were in force."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from ratekit.domain.reporting.reports import FrameRow
from ratekit.domain.series import RatedSeries, Series
from ratekit.pricing.price_list import PriceList

#: How many frames are priced together. More would find few more that share their labels:
#: rows come by time, and this many are some periods of a large cloud.
CHUNK = 20_000

_Labels = tuple[tuple[str, str | None], ...]
_Key = tuple[str, str, str, _Labels, _Labels]


def repriced(
    rows: Iterable[FrameRow], price_list: PriceList
) -> Iterator[tuple[Sequence[FrameRow], RatedSeries]]:
    """Yield rows that share their labels, and the series that they are, priced anew.

    The series has a point and a price for each row, in the same order. This is the pricing
    that rates. Chunk by chunk: the same labels may come again.
    """
    rest = iter(rows)
    while chunk := list(itertools.islice(rest, CHUNK)):
        for own in _grouped(chunk):
            series = _series(own)
            yield own, RatedSeries(series, price_list.prices(series))


def _grouped(chunk: Iterable[FrameRow]) -> Iterable[Sequence[FrameRow]]:
    """Group rows by scope, metric, unit and labels."""
    groups: dict[_Key, list[FrameRow]] = {}
    for row in chunk:
        labels = tuple(row.groupby.items()), tuple(row.metadata.items())
        groups.setdefault((row.scope, row.metric, row.unit, *labels), []).append(row)
    return groups.values()


def _series(rows: Sequence[FrameRow]) -> Series:
    first = rows[0]
    points = [(row.begin, row.quantity) for row in rows]
    return Series(first.scope, first.metric, first.unit, first.groupby, first.metadata, points)

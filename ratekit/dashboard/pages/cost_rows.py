"""The lines of a cost table: their titles, and the addresses of what explains each number."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from ratekit.admin.cost_table import CostLine, CostPart, CostTable
from ratekit.dashboard.page import PageCall
from ratekit.domain.exact import ZERO
from ratekit.domain.reporting.bill import rounding_gap
from ratekit.domain.reporting.buckets import BUCKETS
from ratekit.html import charts

_COSTS, _RESOURCES = "/dashboard/costs", "/dashboard/resources"
#: What a time is split by.
_FINER = {"year": "month", "month": "day", "week": "day", "day": "hour"}
_TITLES = {
    "hour": "%Y-%m-%d %H:%M",
    "day": "%Y-%m-%d",
    "week": "%Y-%m-%d",
    "month": "%Y-%m",
    "year": "%Y",
}
#: Of a chart of lines that are no times.
_BARS = 15


@dataclasses.dataclass(frozen=True, slots=True)
class CostRow:
    """A line as a page shows it.

    :ivar title: the time in the reader's zone, the metric, or the label's value
    :ivar link: address of what explains the price; None: nothing does
    :ivar cells: price and address for each metric of the table, in its order
    :ivar part: quantity and unit, if all is of one metric
    """

    title: str
    link: str | None
    cells: Sequence[tuple[Decimal | None, str | None]]
    part: CostPart
    price: Decimal


class CostFrame:
    """A cost table of one page.

    :param call: its arguments have ``scope``, ``metric``, ``label`` and ``value``
    :param begin: of the table, UTC
    :param end: likewise, exclusive
    :param by: what it is split by
    """

    def __init__(
        self,
        call: PageCall[Any],
        table: CostTable,
        begin: datetime.datetime,
        end: datetime.datetime,
        by: str,
    ) -> None:
        self._call = call
        self._table = table
        self._begin, self._end = begin, end
        self._by = by
        self._is_time = by in BUCKETS
        self._titles = self._time_titles() if self._is_time else self._plain_titles()

    def rows(self) -> Sequence[CostRow]:
        """Return the lines; without times that are not rated yet."""
        until = self._table.rated_until or self._call.parts.clock()
        return [
            self._row(index)
            for index, line in enumerate(self._table.lines)
            if line.parts or not isinstance(line.key, datetime.datetime) or line.key < until
        ]

    def totals(self) -> Sequence[tuple[Decimal, str]]:
        """Return price and address for all metrics of the table together, and for each."""
        query = self._call.arguments
        chosen = {"scope": query.scope, "begin": self._begin, "end": self._end}
        chosen |= {"label": query.label, "value": query.value}
        by = self._by
        totals = [
            (price, self._call.link(_COSTS, metric=metric, by=by, **chosen))
            for metric, price in self._table.metrics.items()
        ]
        link = self._call.link(_RESOURCES, metric=query.metric, **chosen)
        return [(self._table.price, link), *totals]

    def chart(self) -> Markup:
        """Return the chart of all times, or of the first lines."""
        formats = self._call.formats
        title = f"Cost by {self._by}"
        if not self._is_time:
            rows = [self._row(index) for index in range(min(len(self._table.lines), _BARS))]
            bars = [charts.Bar(row.title, row.price, row.link) for row in rows]
            return charts.bars(title, bars, formats.currency, formats.amount)
        series = {
            metric: [line.parts[metric].price if metric in line.parts else ZERO for line in lines]
            for lines in [self._table.lines]
            for metric in self._table.metrics
        }
        links = {
            name: link
            for index, name in enumerate(self._titles)
            if self._table.lines[index].parts
            and (link := self._link(index, self._call.arguments.metric)) is not None
        }
        return charts.stacked_bars(
            title, self._titles, series, formats.currency, links, formats.amount
        )

    def rounding_gap(self) -> Decimal:
        """Return by how much rounded prices may differ from a rounded sum of them; 0: nowhere."""
        lines = self._table.lines
        columns = [
            [line.parts[metric].price for line in lines if metric in line.parts]
            for metric in self._table.metrics
        ]
        across = [[part.price for part in line.parts.values()] for line in lines]
        whole = [[line.price for line in lines], list(self._table.metrics.values())]
        places = self._call.parts.conf.rating.decimals
        return rounding_gap([*columns, *across, *whole], places)

    def export(self) -> Iterator[Sequence[object]]:
        """Yield a row for each line and metric, with all digits."""
        for line in self._table.lines:
            key = self._local(line) if self._is_time else line.key
            keys = [] if self._by == "metric" else [key]
            for metric, part in sorted(line.parts.items()):
                yield *keys, metric, part.quantity, part.unit, part.price

    def _row(self, index: int) -> CostRow:
        line = self._table.lines[index]
        cells = [
            (line.parts[metric].price, self._link(index, metric))
            if metric in line.parts
            else (None, None)
            for metric in self._table.metrics
        ]
        link = self._link(index, self._call.arguments.metric)
        return CostRow(self._titles[index], link, cells, line.only_part, line.price)

    def _link(self, index: int, metric: str | None) -> str | None:
        """Return the address of what a price consists of."""
        line = self._table.lines[index]
        query, link = self._call.arguments, self._call.link
        begin, end = self._bounds(index)
        fixed = {"scope": query.scope, "begin": begin, "end": end}
        chosen = {**fixed, "label": query.label, "value": query.value}
        match line.key:
            case datetime.datetime():
                if self._by == "hour":
                    return link(_RESOURCES, metric=metric, **chosen)
                return link(_COSTS, metric=metric, by=_FINER[self._by], **chosen)
            case str() if self._by == "metric":
                return link(_COSTS, metric=line.key, by="day", **chosen)
            case None | str() if line.key != "" and query.label is None:
                fixed |= {"label": self._by, "value": line.key}
                return link(_COSTS, metric=metric, by="day", **fixed)
            case _:
                return None

    def _bounds(self, index: int) -> tuple[datetime.datetime, datetime.datetime]:
        if not self._is_time:
            return self._begin, self._end
        starts = [line.key for line in self._table.lines]
        begin = starts[index]
        end = starts[index + 1] if index + 1 < len(starts) else self._end
        assert isinstance(begin, datetime.datetime), "lines are times"
        assert isinstance(end, datetime.datetime), "lines are times"
        return max(begin, self._begin), min(end, self._end)

    def _time_titles(self) -> Sequence[str]:
        """Return what clocks show; where they go back, with the zone's name of the time."""
        starts = [self._local(line) for line in self._table.lines]
        return self._call.formats.starts(starts, _TITLES[self._by])

    def _local(self, line: CostLine) -> datetime.datetime:
        assert isinstance(line.key, datetime.datetime), "lines are times"
        return line.key.astimezone(self._call.zone)

    def _plain_titles(self) -> Sequence[str]:
        absent = f"(no {self._by})"
        return [absent if line.key is None else str(line.key) for line in self._table.lines]

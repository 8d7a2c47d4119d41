"""``/dashboard/resource``: what one resource cost, under which labels, hour by hour."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from markupsafe import Markup

from ratekit.admin import resource_history
from ratekit.admin.resource_costs import ID, NAMES
from ratekit.admin.resource_history import LabelSpan, ResourceHistory
from ratekit.api.arguments import Text
from ratekit.api.faults import Fault
from ratekit.dashboard.page import Page, PageCall, Table, View
from ratekit.dashboard.pages import project
from ratekit.dashboard.pages.project import ProjectRange
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.bill import add_up, rounding_gap
from ratekit.domain.reporting.buckets import bucket, list_buckets
from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow, Selection
from ratekit.domain.reporting.reports import Page as PageOfRows
from ratekit.export.bill_notes import Note
from ratekit.html import charts

PATH = "/dashboard/resource"
_COSTS, _EXPLAIN = "/dashboard/costs", "/dashboard/explain"
#: Hours of so long a time are listed; of a longer one, days.
_HOURS_UNTIL = datetime.timedelta(hours=26)
_MAX_TIMES = 745


class Query(ProjectRange):
    """Which resource.

    :ivar id: value of its label ``id``; absent: usage that lacks it
    :ivar metric: only what it cost in this metric
    :ivar frame: only usage with one set of labels, by their key
    """

    id: Text | None = None
    metric: Text | None = None
    frame: Text | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _TimeRow:
    """A day: price and address of each metric, in their order."""

    title: str
    link: str
    prices: Sequence[tuple[Decimal | None, str]]
    price: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class _Hour:
    """A frame of the resource.

    :ivar labels: those that differ between its frames
    """

    row: FrameRow
    labels: Sequence[tuple[str, str | None]]
    link: str | None


def show_resource(call: PageCall[Query]) -> View:
    """Show its costs, labels and hours."""
    query = call.arguments
    begin, end = call.read_range()
    rows = _read(call)
    history = resource_history.build(rows, call.parts.calendar.step)
    metrics = _sum_metrics(rows)
    by = "hour" if end - begin <= _HOURS_UNTIL else "day"
    times = _Times(call, rows, list(metrics), by)
    first_day, end_day = project.whole_days(begin, end, call.zone)
    places = call.parts.conf.rating.decimals
    return View(
        {
            "title": ", ".join(_names(history)) or query.id or "Usage of no resource",
            "project": project.project_name(call),
            "begin": begin,
            "end": end,
            "first_day": first_day,
            "end_day": end_day,
            "query": query,
            "metric_choices": [
                (metric, metric == query.metric)
                for metric in sorted({*metrics, *([query.metric] if query.metric else [])})
            ],
            "metrics": metrics,
            "metric_links": {
                metric: _link(call, metric=metric, begin=begin, end=end) for metric in metrics
            },
            "columns": _columns(call, metrics),
            "period": project.period_noun(call),
            "total": add_up(metrics.values()),
            "total_link": _total_link(call),
            "all_labels": _link(call, begin=begin, end=end, frame=None),
            "points": len(rows),
            "labels": _stable_labels(history),
            "spans": [(span, _span_link(call, span)) for span in history.spans]
            if history.changing
            else [],
            "changing": history.changing,
            "by": by,
            "chart": times.chart(),
            "times": times.rows() if by == "day" else [],
            "hours": [_hour(call, row, history) for row in rows] if by == "hour" else [],
            "gap": rounding_gap([*times.sums(), list(metrics.values())], places),
            "month": _link(call),
            "notes": list(_notes(call, begin, end)),
        },
        Table("resource", *_export(call, rows)),
    )


def _read(call: PageCall[Query]) -> Sequence[FrameRow]:
    """Return the resource's frames, by begin.

    :raises ratekit.api.faults.Fault: there are too many
    """
    query = call.arguments
    begin, end = call.read_range()
    selection = Selection(
        begin,
        end,
        scopes=call.scopes,
        metrics=() if query.metric is None else (query.metric,),
        labels={ID: frozenset({query.id})},
    )
    if len(list_buckets(begin, end, "day", call.zone, _MAX_TIMES)) > _MAX_TIMES:
        raise Fault(400, f"the time range has more than {_MAX_TIMES} days; choose fewer days")
    limit = call.parts.limits.rows
    rows = list(call.parts.storage.reports.frames(selection, PageOfRows(limit=limit + 1)))
    if len(rows) > limit:
        raise Fault(
            400,
            f"the resource has more than {limit:,} prices in this time; choose fewer "
            "days, or a metric",
        )
    return [row for row in rows if query.frame in (None, resource_history.frame_key(row))]


def _link(call: PageCall[Query], **arguments: object) -> str:
    """Return an address of this page about the same resource."""
    return call.link(PATH, **call.arguments.model_dump(exclude={"begin", "end"}) | arguments)


def _total_link(call: PageCall[Query]) -> str | None:
    """Return the address of the same costs by metric; None: they are of one set of labels."""
    query = call.arguments
    begin, end = call.read_range()
    if query.frame is not None:
        return None
    usage = {"metric": query.metric, "label": ID, "value": query.id}
    return call.link(_COSTS, scope=query.scope, by="metric", begin=begin, end=end, **usage)


def _span_link(call: PageCall[Query], span: LabelSpan) -> str:
    """Return the address of what usage with these labels cost."""
    return _link(call, metric=span.metric, frame=span.key, begin=span.begin, end=span.end)


def _sum_metrics(rows: Sequence[FrameRow]) -> Mapping[str, Decimal]:
    """Return the exact cost by metric, the dearest first."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        sums[row.metric] = EXACT.add(sums.get(row.metric, ZERO), row.price)
    return dict(sorted(sums.items(), key=lambda entry: (-entry[1], entry[0])))


def _columns(call: PageCall[Query], metrics: Mapping[str, Decimal]) -> Sequence[object]:
    """Return the heads of the table of days; a single metric has no column of its own."""
    names = [*metrics] if len(metrics) > 1 else []
    cost = project.amount_head(call, "Cost")
    return ["Day", *((name, "number") for name in [cost, *names])]


def _names(history: ResourceHistory) -> Sequence[str]:
    """Return all names that the resource had."""
    names = {span.labels.get(name) for span in history.spans for name in NAMES}
    return sorted(name for name in names if name)


def _stable_labels(history: ResourceHistory) -> Sequence[tuple[str, Sequence[str | None]]]:
    """Return the labels that never changed, by name; metrics may differ in their values."""
    labels: dict[str, dict[str | None, None]] = {}
    for span in history.spans:
        for name, value in span.labels.items():
            if name not in history.changing:
                labels.setdefault(name, {})[value] = None
    return [(name, list(values)) for name, values in sorted(labels.items())]


class _Times:
    """The costs of a resource by day or hour and metric."""

    def __init__(
        self, call: PageCall[Query], rows: Sequence[FrameRow], metrics: Sequence[str], by: str
    ) -> None:
        begin, end = call.read_range()
        self._call = call
        self._metrics = metrics
        self._by = by
        self._starts = list_buckets(begin, end, by, call.zone, _MAX_TIMES)
        form = "%Y-%m-%d" if by == "day" else "%Y-%m-%d %H:%M"
        self._titles = call.formats.starts(self._starts, form)
        self._bounds = [*self._starts, end]
        self._sums: dict[datetime.datetime, dict[str, Decimal]] = {}
        for row in rows:
            sums = self._sums.setdefault(bucket(row.begin, by, call.zone), {})
            sums[row.metric] = EXACT.add(sums.get(row.metric, ZERO), row.price)

    def chart(self) -> Markup:
        """Return the chart of all times."""
        formats = self._call.formats
        series = {
            metric: [self._sums.get(start, {}).get(metric, ZERO) for start in self._starts]
            for metric in self._metrics
        }
        links = {
            title: self._link(index)
            for index, title in enumerate(self._titles)
            if self._by == "day" and self._starts[index] in self._sums
        }
        return charts.stacked_bars(
            f"Cost by {self._by}", self._titles, series, formats.currency, links, formats.amount
        )

    def rows(self) -> Sequence[_TimeRow]:
        """Return the times with usage."""
        return [
            _TimeRow(
                self._titles[index],
                self._link(index),
                [
                    (self._sums[start].get(metric), self._link(index, metric))
                    for metric in self._metrics
                ],
                add_up(self._sums[start].values()),
            )
            for index, start in enumerate(self._starts)
            if start in self._sums
        ]

    def sums(self) -> Iterator[Sequence[Decimal]]:
        """Yield the summands of each sum that the page shows."""
        for row in self.rows():
            yield [price for price, _ in row.prices if price is not None]
        for index in range(len(self._metrics)):
            column = [row.prices[index][0] for row in self.rows()]
            yield [price for price in column if price is not None]
        yield [row.price for row in self.rows()]

    def _link(self, index: int, metric: str | None = None) -> str:
        """Return the address of a day's hours."""
        begin, _ = self._call.read_range()
        start, end = max(self._bounds[index], begin), self._bounds[index + 1]
        metric = metric or self._call.arguments.metric
        return _link(self._call, metric=metric, begin=start, end=end)


def _hour(call: PageCall[Query], row: FrameRow, history: ResourceHistory) -> _Hour:
    labels = resource_history.labels_of(row)
    return _Hour(
        row,
        [(name, labels[name]) for name in history.changing if name in labels],
        call.link(
            _EXPLAIN,
            # A price is of one project.
            scope=row.scope if call.scopes is ALL_SCOPES else call.arguments.scope,
            metric=row.metric,
            begin=row.begin,
            id=call.arguments.id,
            frame=resource_history.frame_key(row),
        ),
    )


def _notes(
    call: PageCall[Query], begin: datetime.datetime, end: datetime.datetime
) -> Iterator[Note]:
    yield from project.read_notes(call, begin, end, from_totals=False)


def _export(
    call: PageCall[Query], rows: Sequence[FrameRow]
) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
    """Return the columns and rows of a CSV: a row for each price."""
    names = sorted({name for row in rows for name in resource_history.labels_of(row)})
    columns = ["begin", "metric", "quantity", "unit", "cost", *names]
    lines = []
    for row in rows:
        labels = resource_history.labels_of(row)
        begin = row.begin.astimezone(call.zone)
        values = (labels.get(name) for name in names)
        lines.append((begin, row.metric, row.quantity, row.unit, row.price, *values))
    return columns, lines


PAGES = [
    Page(PATH, show_resource, "dataframes:get", "Resource", "resource.html", Query, section=None),
]

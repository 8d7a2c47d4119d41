"""``/dashboard/totals``: what all projects cost over time, by metric, and the dearest of them.

The same page of one metric explains its cost.
"""

from __future__ import annotations

import dataclasses
import datetime
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal

import pydantic
from markupsafe import Markup

from ratekit.admin import summary
from ratekit.admin.project import ProjectOrder
from ratekit.admin.summary import Pivot, PivotRow
from ratekit.api.arguments import Text, first_text
from ratekit.dashboard.operator import OperatorRange
from ratekit.dashboard.page import Page, PageCall, Section, Table, View
from ratekit.dashboard.pages.project import metric_names, purge_notes
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.html.charts.stacked_bars import MAX_SERIES, name_rest, stacked_bars
from ratekit.interfaces import Reports

PATH = "/dashboard/totals"
#: Bars of a chart, and rows of the table of projects.
_MOST_BUCKETS, _DEAREST = 100, 20
_DAYS = datetime.timedelta(days=62)
#: The smallest percentage that is written.
_STEP = Decimal("0.1")
_FORMS = {"day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m"}

Bucket = Literal["day", "week", "month"]


class TotalsArguments(OperatorRange):
    """The time range and its parts.

    :ivar by: default: days for two months or less, else months
    :ivar metric: only its usage; default: all usage
    """

    by: Annotated[Bucket | None, pydantic.BeforeValidator(first_text)] = None
    metric: Text | None = None


def show_totals(call: PageCall[TotalsArguments]) -> View:
    """Show the costs of all projects by metric, and of the dearest projects, over time."""
    begin, end = call.read_range()
    metric = call.arguments.metric
    by = call.arguments.by or ("day" if end - begin <= _DAYS else "month")
    whole = Selection(begin, end, scopes=ALL_SCOPES, metrics=() if metric is None else (metric,))
    with call.parts.storage.reports.snapshot() as reports:
        ranks = reports.prices(begin, end, ALL_SCOPES, metric)
        names = _find_dearest(reports, ranks)
        selection = dataclasses.replace(whole, scopes=frozenset(names))
        scopes = summary.pivot(reports, selection, ("scope",), by, call.zone, _MOST_BUCKETS)
        metrics = summary.pivot(reports, whole, ("metric",), by, call.zone, _MOST_BUCKETS)
    total = add_up(row.total for row in metrics.rows)
    chart = _Chart(call, by, metrics.starts)
    # The dearest first, as a project sees them: the same metric has the same colour.
    prices = {str(row.group["metric"]): row for row in sorted(metrics.rows, key=_by_total)}
    projects = sorted(scopes.rows, key=lambda row: (-row.total, names[str(row.group["scope"])]))
    top = projects[: MAX_SERIES - 1]
    series = {names[str(row.group["scope"])]: row.prices for row in top}
    others = _others(metrics, top)
    has_rest = any(others.values())
    if has_rest:
        series[name_rest(len(ranks) - len(top), series)] = others
    return View(
        {
            **_form(call, by, prices),
            "notes": list(purge_notes(call, begin)),
            "total": total,
            "total_link": call.link(
                "/dashboard/projects", order=ProjectOrder.COST, metric=metric, begin=begin, end=end
            ),
            "count": len(ranks),
            "metrics": [
                (name, row.total, call.link(PATH, metric=name, by=by, begin=begin, end=end))
                for name, row in prices.items()
            ],
            "metric_chart": chart.draw(
                "Costs of all projects by metric",
                {name: row.prices for name, row in prices.items()},
            ),
            "projects": [_row(call, row, names, total) for row in projects],
            "project_chart": chart.draw("Costs of the dearest projects", series, has_rest),
        },
        Table("totals", (by, "metric", "cost"), list(_rows(metrics))),
    )


def _form(call: PageCall[TotalsArguments], by: str, metrics: Iterable[str]) -> Mapping[str, object]:
    """Return the values of the form that chooses."""
    begin, end = call.read_range()
    metric = call.arguments.metric
    return {
        "begin": begin,
        "end": end,
        "by": by,
        "buckets": list(_FORMS),
        "metric": metric,
        "metric_choices": [(name, name == metric) for name in metric_names(call, metrics)],
        "all_link": call.link(PATH, by=by, begin=begin, end=end),
    }


def _find_dearest(reports: Reports, ranks: Mapping[str, Decimal]) -> Mapping[str, str]:
    """Return what the dearest projects are called, by id; equal ones by name."""
    threshold = min(heapq.nlargest(_DEAREST, ranks.values()), default=ZERO)
    candidates = frozenset(scope for scope, price in ranks.items() if price >= threshold)
    rows = sorted(reports.scopes(candidates), key=lambda row: -ranks[row.id])
    return _name({row.id: row.name for row in rows[:_DEAREST]})


def _by_total(row: PivotRow) -> Decimal:
    return -row.total


def _row(
    call: PageCall[TotalsArguments], row: PivotRow, names: Mapping[str, str], total: Decimal
) -> tuple[str, Decimal, str, str]:
    """Return a project's name, its costs, their part of all, and the address of its costs."""
    scope = str(row.group["scope"])
    begin, end = call.read_range()
    metric = call.arguments.metric
    link = call.link("/dashboard/costs", scope=scope, metric=metric, begin=begin, end=end)
    return names[scope], row.total, _percent(row.total, total), link


class _Chart:
    """Draws costs over the time until now.

    :param by: length of a bar's time
    :param starts: of all bars, UTC
    """

    def __init__(
        self,
        call: PageCall[TotalsArguments],
        by: str,
        starts: Sequence[datetime.datetime],
    ) -> None:
        begin, end = call.read_range()
        self._begin = begin
        self._ends = dict(zip(starts, [*starts[1:], end], strict=True))
        now = call.parts.clock()
        self._starts = [start for start in starts if start <= now] or starts
        self._call = call
        self._by = by

    def draw(
        self,
        title: str,
        series: Mapping[str, Mapping[datetime.datetime, Decimal]],
        has_rest: bool = False,
    ) -> Markup:
        """Return the chart of these costs by name and start.

        :param has_rest: as of a chart
        """
        return stacked_bars(
            title,
            [self._name(start) for start in self._starts],
            {
                name: [prices.get(start, ZERO) for start in self._starts]
                for name, prices in series.items()
            },
            self._call.formats.currency,
            links={self._name(start): self._link(start) for start in self._starts},
            value_text=self._call.formats.amount,
            has_rest=has_rest,
        )

    def _link(self, start: datetime.datetime) -> str:
        """Return the address of what a bar consists of: projects of a day, else days."""
        chosen = {
            "metric": self._call.arguments.metric,
            "begin": max(start, self._begin),
            "end": self._ends[start],
        }
        if self._by == "day":
            return self._call.link("/dashboard/projects", order=ProjectOrder.COST, **chosen)
        return self._call.link(PATH, by="day", **chosen)

    def _name(self, start: datetime.datetime) -> str:
        return f"{start.astimezone(self._call.zone):{_FORMS[self._by]}}"


def _name(names: Mapping[str, str]) -> Mapping[str, str]:
    """Return what projects are called, by id: those of one name are told apart by their ids."""
    titles = {scope: name or scope for scope, name in names.items()}
    while len(counts := Counter(titles.values())) < len(titles):
        titles = {
            scope: f"{title} ({scope})" if counts[title] > 1 else title
            for scope, title in titles.items()
        }
    return titles


def _others(metrics: Pivot, top: Sequence[PivotRow]) -> Mapping[datetime.datetime, Decimal]:
    """Return what all other projects cost, exactly, by start."""
    return {
        start: EXACT.subtract(
            add_up(row.prices.get(start, ZERO) for row in metrics.rows),
            add_up(row.prices.get(start, ZERO) for row in top),
        )
        for start in metrics.starts
    }


def _percent(part: Decimal, whole: Decimal) -> str:
    """Write the part of a sum; one that is not zero is never shown as zero."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if part and abs(percent) < _STEP:
        return f"<{_STEP}%" if percent > 0 else f">-{_STEP}%"
    return f"{percent:,.1f}%"


def _rows(pivot: Pivot) -> Sequence[tuple[object, ...]]:
    return [
        (start, row.group["metric"], row.prices[start])
        for start in pivot.starts
        for row in pivot.rows
        if start in row.prices
    ]


PAGES = [
    Page(
        PATH, show_totals, "report:list_tenants", "Costs of all", "totals.html", TotalsArguments,
        Section.OPERATOR,
    ),
]  # fmt: skip

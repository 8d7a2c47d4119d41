"""``/dashboard/totals``: what all projects cost over time, by metric, and the dearest of them."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal

import pydantic
from markupsafe import Markup

from ratekit.admin import summary
from ratekit.admin.project import ProjectOrder
from ratekit.admin.summary import Pivot, PivotRow
from ratekit.api.arguments import first_text
from ratekit.dashboard.operator import OperatorRange
from ratekit.dashboard.page import Page, PageCall, Section, Table, View
from ratekit.dashboard.pages.project import purge_notes
from ratekit.domain.exact import EXACT, ZERO
from ratekit.domain.period import Period
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.html.charts.stacked_bars import MAX_SERIES, name_rest, stacked_bars

PATH = "/dashboard/totals"
#: Bars of a chart, and rows of the table of projects.
_MOST_BUCKETS, _DEAREST = 100, 20
_DAYS = datetime.timedelta(days=62)
_FORMS = {"day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m"}

Bucket = Literal["day", "week", "month"]


class TotalsArguments(OperatorRange):
    """The time range and its parts.

    :ivar by: default: days for two months or less, else months
    """

    by: Annotated[Bucket | None, pydantic.BeforeValidator(first_text)] = None


def show_totals(call: PageCall[TotalsArguments]) -> View:
    """Show the costs of all projects by metric, and of the dearest projects, over time."""
    begin, end = call.read_range()
    by = call.arguments.by or ("day" if end - begin <= _DAYS else "month")
    reports = call.parts.storage.reports
    ranks = call.parts.ranking.read(Period(begin, end))
    dearest = frozenset(sorted(ranks, key=lambda scope: -ranks[scope])[:_DEAREST])
    selection = Selection(begin, end, scopes=dearest)
    scopes = summary.pivot(reports, selection, ("scope",), by, call.zone, _MOST_BUCKETS)
    # Last: what is rated meanwhile is in the whole, and not in a part alone.
    selection = Selection(begin, end, scopes=ALL_SCOPES)
    metrics = summary.pivot(reports, selection, ("metric",), by, call.zone, _MOST_BUCKETS)
    names = _names({row.id: row.name for row in reports.scopes(dearest)})
    projects = sorted(scopes.rows, key=lambda row: -row.total)
    total = add_up(row.total for row in metrics.rows)
    chart = _Chart(call, by, metrics.starts)
    # The dearest first, as a project sees them: the same metric has the same colour.
    metric_rows = sorted(metrics.rows, key=lambda row: -row.total)
    top = projects[: MAX_SERIES - 1]
    series = {names[str(row.group["scope"])]: row.prices for row in top}
    others = _others(metrics, top)
    has_rest = any(others.values())
    if has_rest:
        series[name_rest(len(ranks) - len(top), series)] = others
    return View(
        {
            "notes": list(purge_notes(call, begin)),
            "begin": begin,
            "end": end,
            "by": by,
            "buckets": list(_FORMS),
            "total": total,
            "total_link": call.link(
                "/dashboard/projects", order=ProjectOrder.COST, begin=begin, end=end
            ),
            "count": len(ranks),
            "metrics": metric_rows,
            "metric_chart": chart.draw(
                "Costs of all projects by metric",
                {str(row.group["metric"]): row.prices for row in metric_rows},
            ),
            "projects": [_row(call, row, names, total) for row in projects],
            "project_chart": chart.draw("Costs of the dearest projects", series, has_rest),
        },
        Table("totals", (by, "metric", "cost"), list(_rows(metrics))),
    )


def _row(
    call: PageCall[TotalsArguments], row: PivotRow, names: Mapping[str, str], total: Decimal
) -> tuple[str, Decimal, str, str]:
    """Return a project's name, its costs, their part of all, and the address of its costs."""
    scope = str(row.group["scope"])
    begin, end = call.read_range()
    link = call.link("/dashboard/costs", scope=scope, begin=begin, end=end)
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
        times = {"begin": max(start, self._begin), "end": self._ends[start]}
        if self._by == "day":
            return self._call.link("/dashboard/projects", order=ProjectOrder.COST, **times)
        return self._call.link(PATH, by="day", **times)

    def _name(self, start: datetime.datetime) -> str:
        return f"{start.astimezone(self._call.zone):{_FORMS[self._by]}}"


def _names(names: Mapping[str, str]) -> Mapping[str, str]:
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
    return f"{part / whole:.1%}" if whole else ""


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

"""``/dashboard/projects``: all scopes, how far each is rated, and what it costs."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Annotated

import pydantic

from ratekit.admin import project
from ratekit.admin.project import ProjectCosts, ProjectOrder, ProjectQuery
from ratekit.admin.scope_condition import Condition
from ratekit.api.arguments import Text, first_text
from ratekit.dashboard.operator import PagedRange, build_pager, read_page
from ratekit.dashboard.page import Page, PageCall, Section, Table, View
from ratekit.dashboard.pages.project import metric_names, purge_notes
from ratekit.domain.period import Period
from ratekit.domain.reporting.buckets import bucket
from ratekit.text import duration_text

PATH = "/dashboard/projects"
_COLUMNS = ("scope", "name", "state", "rated until", "lag in s", "cost", "cost before")
_INSTANT = datetime.timedelta(microseconds=1)


class ProjectsArguments(PagedRange):
    """Which projects, in which order.

    :ivar search: a part of the name or the id
    :ivar state: only those in this state; default: all
    :ivar metric: costs of this one; default: of all usage
    """

    search: Text = ""
    order: Annotated[ProjectOrder, pydantic.BeforeValidator(first_text)] = ProjectOrder.NAME
    state: Annotated[Condition | None, pydantic.BeforeValidator(first_text)] = None
    metric: Text | None = None


def show_projects(call: PageCall[ProjectsArguments]) -> View:
    """Show some projects with their costs in a range and in the one before."""
    arguments, parts = call.arguments, call.parts
    begin, end = call.read_range()
    ranges = Period(begin, end), find_previous(begin, end, call.zone)
    query = ProjectQuery(
        read_page(arguments),
        arguments.search.strip(),
        arguments.order,
        () if arguments.state is None else (arguments.state,),
        arguments.metric,
    )
    now = parts.clock()
    with parts.storage.reports.snapshot() as reports:
        page = project.read(reports, parts.calendar, query, ranges, now)
    totals_link = call.link(
        "/dashboard/totals",
        metric=arguments.metric,
        begin=arguments.begin,
        end=arguments.end,
    )
    return View(
        {
            "notes": list(purge_notes(call, ranges[1].begin)),
            "begin": begin,
            "end": end,
            "previous": ranges[1],
            "chosen": arguments,
            "metric_choices": [(name, name == arguments.metric) for name in metric_names(call, ())],
            "projects": [_row(call, entry, ranges) for entry in page.projects],
            "cost": page.cost,
            "cost_link": None if query.search or query.conditions else totals_link,
            "states": page.conditions,
            "orders": list(ProjectOrder),
            "pager": build_pager(call, PATH, page.total, "project"),
            "totals_link": totals_link,
        },
        Table("projects", _COLUMNS, [_cells(entry) for entry in page.projects]),
    )


def _row(
    call: PageCall[ProjectsArguments], entry: ProjectCosts, ranges: Sequence[Period]
) -> tuple[ProjectCosts, str | None, str, str, Sequence[str]]:
    """Return a project, its lag, and the addresses of its pages and of its costs in each range."""
    scope = entry.row.id
    return (
        entry,
        None if entry.lag is None else duration_text(entry.lag, 2),
        call.link("/dashboard/overview", scope=scope),
        call.link("/dashboard/coverage", scope=scope),
        [
            call.link(
                "/dashboard/costs",
                scope=scope,
                metric=call.arguments.metric,
                begin=range_.begin,
                end=range_.end,
            )
            for range_ in ranges
        ],
    )


def _cells(entry: ProjectCosts) -> tuple[object, ...]:
    row, lag = entry.row, entry.lag
    seconds = None if lag is None else int(lag.total_seconds())
    return (
        row.id, row.name, entry.condition, row.rated_until, seconds, entry.cost,
        entry.previous_cost,
    )  # fmt: skip


def find_previous(
    begin: datetime.datetime, end: datetime.datetime, zone: datetime.tzinfo
) -> Period:
    """Return the range before: the month before a month, else one of the same length."""
    is_month = (
        bucket(begin, "month", zone) == begin
        and (bucket(end - _INSTANT, "month", zone) == begin == bucket(begin, "month", zone))
        and bucket(end, "month", zone) == end
    )
    start = bucket(begin - _INSTANT, "month", zone) if is_month else begin - (end - begin)
    return Period(start, begin)


PAGES = [
    Page(
        PATH, show_projects, "scope:get_state", "Projects", "projects.html", ProjectsArguments,
        Section.OPERATOR,
    ),
]  # fmt: skip

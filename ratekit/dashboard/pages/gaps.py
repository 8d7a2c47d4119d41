"""``/dashboard/gaps``: which scopes are not charged at all, or for less than before."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Annotated

import pydantic

from ratekit.api.arguments import Text, first_text
from ratekit.dashboard.operator import PagedRange, build_pager, read_page
from ratekit.dashboard.page import Page, PageCall, Section, Table, View
from ratekit.domain.reporting.interruption import Interruption, InterruptionKind
from ratekit.html.charts.timeline import Span, TimelineRow, timeline

PATH = "/dashboard/gaps"
_COLUMNS = ("scope", "name", "kind", "metric", "count", "begin", "end")


class GapsArguments(PagedRange):
    """Which interruptions.

    :ivar kind: default: all
    :ivar metric: only of this metric; default: all
    """

    kind: Annotated[InterruptionKind | None, pydantic.BeforeValidator(first_text)] = None
    metric: Text | None = None


def show_gaps(call: PageCall[GapsArguments]) -> View:
    """Show the interruptions of all scopes in a time range."""
    query = call.arguments
    begin, end = call.read_range()
    interruptions, names = _read(call, begin, end)
    page = read_page(query)
    entries = interruptions[page.offset : page.end]
    links = {
        scope: call.link("/dashboard/coverage", scope=scope, begin=begin, end=end)
        for scope in {entry.scope for entry in entries}
    }
    return View(
        {
            "begin": begin,
            "end": end,
            "chosen": query,
            "kinds": list(InterruptionKind),
            "rows": [
                (entry, names.get(entry.scope, entry.scope), links[entry.scope])
                for entry in entries
            ],
            "pager": build_pager(call, PATH, len(interruptions), "interruption"),
            "chart": timeline(
                "Interruptions",
                _strips(entries, names, links, max(begin, min(end, call.parts.clock()))),
                begin,
                end,
                call.zone,
            ),
        },
        Table("interruptions", _COLUMNS, [_cells(entry, names) for entry in entries]),
    )


def _read(
    call: PageCall[GapsArguments], begin: datetime.datetime, end: datetime.datetime
) -> tuple[Sequence[Interruption], Mapping[str, str]]:
    """Return what is asked for, by kind, metric and project; and the names of the projects."""
    query, storage = call.arguments, call.parts.storage
    interruptions = [
        _align(entry, call)
        for entry in storage.monitoring.interruptions(begin, end)
        if query.kind in (None, entry.kind) and query.metric in (None, "", entry.metric)
    ]
    scopes = frozenset(entry.scope for entry in interruptions)
    names = {row.id: row.name or row.id for row in storage.reports.scopes(scopes)}
    kinds = list(InterruptionKind)

    def order(entry: Interruption) -> tuple[int, str, str, str]:
        return kinds.index(entry.kind), entry.metric, names.get(entry.scope, ""), entry.scope

    return sorted(interruptions, key=order), names


def _cells(entry: Interruption, names: Mapping[str, str]) -> tuple[object, ...]:
    name = names.get(entry.scope, "")
    return entry.scope, name, entry.kind, entry.metric, entry.count, entry.begin, entry.end


def _align(entry: Interruption, call: PageCall[GapsArguments]) -> Interruption:
    """Let a gap start where its first period that was not rated does."""
    if entry.kind is not InterruptionKind.GAP:
        return entry
    calendar = call.parts.calendar
    return dataclasses.replace(entry, begin=calendar.floor(entry.begin) + calendar.step)


def _strips(
    entries: Sequence[Interruption],
    names: Mapping[str, str],
    links: Mapping[str, str],
    end: datetime.datetime,
) -> Sequence[TimelineRow]:
    """Return a row for each scope and metric, in the order of the first of their interruptions."""
    rows: dict[tuple[str, str], list[Span]] = {}
    for entry in entries:
        span = Span(entry.begin, entry.end or end, entry.kind, links[entry.scope])
        rows.setdefault((entry.scope, entry.metric), []).append(span)
    return [
        TimelineRow(": ".join(filter(None, (metric, names.get(scope, scope)))), spans)
        for (scope, metric), spans in rows.items()
    ]


PAGES = [
    Page(PATH, show_gaps, "scope:get_state", "Gaps", "gaps.html", GapsArguments, Section.OPERATOR),
]

"""``/dashboard/coverage``: each period of a scope, by metric: with usage, silent, or not rated."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from ratekit.admin import scope as scope_admin
from ratekit.api.arguments import Text
from ratekit.api.faults import Fault, not_found
from ratekit.dashboard.operator import OperatorRange
from ratekit.dashboard.page import Page, PageCall, Table, View
from ratekit.domain import period
from ratekit.domain.period import Window
from ratekit.domain.reporting.coverage import CoverageSpan, Kind, merge
from ratekit.html.charts.timeline import Span, TimelineRow, timeline
from ratekit.text import count_text

PATH = "/dashboard/coverage"
#: More than a year of hours.
_MOST_PERIODS = 10_000

#: What each kind means, in the order of the legend.
MEANINGS: Mapping[Kind, str] = {
    Kind.POINTS: "rated, with usage",
    Kind.SILENT: "rated, without usage",
    Kind.GAP: "never rated: the project was not listed, or it was activated later",
    Kind.NOT_RATED: "rated later: it is not due yet, or late",
    Kind.PURGED: "rated; what was there may have been removed since",
    Kind.NOT_CONFIGURED: "rated, but this metric was not in metrics.yml",
    Kind.BEFORE: "before the project's first period",
    Kind.UNKNOWN: "not known: before the metrics in use were recorded",
}


#: What each kind is called.
WORDS: Mapping[Kind, str] = {kind: kind.value for kind in Kind} | {Kind.POINTS: "usage"}


class CoverageArguments(OperatorRange):
    """A time range of a scope.

    :ivar scope: its id
    """

    scope: Text


def show_coverage(call: PageCall[CoverageArguments]) -> View:
    """Show what became of each period of a scope."""
    parts = call.parts
    begin, end = call.read_range()
    scope = call.arguments.scope
    rows = parts.storage.reports.scopes(frozenset({scope}))
    if not rows:
        raise not_found("Scope", scope)
    window = _window(begin, min(end, _latest(call)), parts.calendar.step)
    coverage = scope_admin.read_coverage(parts.storage.reports, rows[0], window)
    spans = {metric: merge(periods, window.step) for metric, periods in coverage.cells.items()}
    kinds = {span.kind for metric_spans in spans.values() for span in metric_spans}
    return View(
        {
            "row": rows[0],
            "begin": begin,
            "end": end,
            "spans": _add_links(call, spans),
            "legend": [(kind, text) for kind, text in MEANINGS.items() if kind in kinds],
            "counts": {
                metric: _count(metric_spans, window) for metric, metric_spans in spans.items()
            },
            "words": WORDS,
            "chart": timeline(
                f"Periods of {rows[0].name or rows[0].id}",
                [
                    TimelineRow(metric, [_span(call, metric, span) for span in metric_spans])
                    for metric, metric_spans in spans.items()
                ],
                window.begin,
                window.end,
                call.zone,
            ),
            "gaps": [
                (period.floor(gap.last_instant, window.step) + window.step, gap.resume)
                for gap in coverage.gaps
            ],
            "exclusions": coverage.exclusions,
            "project_link": call.link("/dashboard/overview", scope=scope),
        },
        Table(
            "coverage",
            ("metric", "state", "begin", "end", "frames"),
            [
                (metric, span.kind, span.begin, span.end, span.points)
                for metric, metric_spans in spans.items()
                for span in metric_spans
            ],
        ),
    )


def _latest(call: PageCall[CoverageArguments]) -> datetime.datetime:
    """Return the end of the period that runs: later ones say nothing."""
    return call.parts.calendar.floor(call.parts.clock()) + call.parts.calendar.step


def _window(begin: datetime.datetime, end: datetime.datetime, step: datetime.timedelta) -> Window:
    """Return the periods that begin in ``[begin, end)``; at least one.

    :raises ratekit.api.faults.Fault: there are too many
    """
    start = period.ceiling(begin, step)
    count = max(1, (period.ceiling(end, step) - start) // step)
    if count > _MOST_PERIODS:
        most = count_text(_MOST_PERIODS, "period")
        raise Fault(400, f"expected a time range of at most {most}, not {count:,}")
    return Window(start, step, count)


def _add_links(
    call: PageCall[CoverageArguments], spans: Mapping[str, Sequence[CoverageSpan]]
) -> Mapping[str, Sequence[tuple[CoverageSpan, str | None]]]:
    """Return spans, each with the address of its costs."""
    return {
        metric: [(span, _costs_link(call, metric, span)) for span in metric_spans]
        for metric, metric_spans in spans.items()
    }


def _costs_link(call: PageCall[CoverageArguments], metric: str, span: CoverageSpan) -> str | None:
    """Return the address of what usage cost; None: there was none."""
    if span.kind is not Kind.POINTS:
        return None
    return call.link(
        "/dashboard/costs",
        scope=call.arguments.scope,
        metric=metric,
        begin=span.begin,
        end=span.end,
    )


def _span(call: PageCall[CoverageArguments], metric: str, span: CoverageSpan) -> Span:
    link = _costs_link(call, metric, span)
    return Span(span.begin, span.end, WORDS[span.kind], link)


def _count(spans: Sequence[CoverageSpan], window: Window) -> Mapping[Kind, int]:
    """Return the number of periods of each kind."""
    counts = dict.fromkeys(MEANINGS, 0)
    for span in spans:
        counts[span.kind] += (span.end - span.begin) // window.step
    return counts


PAGES = [
    Page(
        PATH, show_coverage, "scope:get_state", "Periods of a project", "coverage.html",
        CoverageArguments, None,
    ),
]  # fmt: skip

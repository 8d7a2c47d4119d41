"""``/dashboard/costs``: the costs of a time range, split by time, metric or label."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.admin import cost_table
from ratekit.admin.cost_table import CostTable
from ratekit.api.arguments import Offset, Text
from ratekit.api.faults import Fault
from ratekit.dashboard.page import Page, PageCall, Table, View
from ratekit.dashboard.pages import cost_rows, project
from ratekit.dashboard.pages.project import UsageRange
from ratekit.domain.reporting.buckets import BUCKETS, list_buckets
from ratekit.export.bill_notes import Note

PATH = "/dashboard/costs"
#: What costs are split by, besides labels.
_SPLITS = ("hour", "day", "week", "month", "metric")
#: Most times of a chart: the hours of the longest month.
_MAX_TIMES = 745
#: The hours of a week fit.
_LINES_A_PAGE = 200
#: Keys of reports that pages have no words for.
_REFUSED = frozenset({"scope", "period", "year"})


class Query(UsageRange):
    """Which costs.

    :ivar by: hour, day, week, month, metric or a label
    :ivar offset: number of lines to skip
    """

    by: Text = "day"
    offset: Offset = 0


def show_costs(call: PageCall[Query]) -> View:
    """Show them as chart and table."""
    query = call.arguments
    begin, end = call.read_range()
    table = read_table(call, begin, end)
    frame = cost_rows.CostFrame(call, table, begin, end, query.by)
    values = {
        "project": project.project_name(call),
        "project_links": project.links(call, PATH),
        "begin": begin,
        "end": end,
        "query": query,
        "table": table,
        "chart": frame.chart(),
        "gap": frame.rounding_gap(),
        "notes": list(_notes(call, table, begin, end)),
    }
    columns = ["metric", "quantity", "unit", "cost"]
    if query.by != "metric":
        columns.insert(0, query.by)
    return View(
        {**values, **_form(call, table), **_list(call, table, frame)},
        Table("costs", columns, list(frame.export())),
    )


def _form(call: PageCall[Query], table: CostTable) -> Mapping[str, object]:
    """Return the values of the form that chooses."""
    query = call.arguments
    begin, end = call.read_range()
    first_day, end_day = project.whole_days(begin, end, call.zone)
    metrics = project.metric_names(call, table.metrics)
    return {
        "first_day": first_day,
        "end_day": end_day,
        "splits": [(split, split == query.by) for split in _splits(call)],
        "metric_choices": [(metric, metric == query.metric) for metric in metrics],
        "unfiltered": call.link(PATH, begin=begin, end=end, scope=query.scope, by=query.by),
    }


def _list(
    call: PageCall[Query], table: CostTable, frame: cost_rows.CostFrame
) -> Mapping[str, object]:
    """Return the values of the table: a part of the lines."""
    query = call.arguments
    rows = frame.rows()
    is_time = query.by in BUCKETS
    has_quantity = query.by == "metric" or len(table.metrics) == 1
    has_metrics = is_time and not has_quantity
    names = ["Quantity"] if has_quantity else [*table.metrics] if has_metrics else []
    title = query.by.capitalize() if query.by in _SPLITS else query.by
    # The sum comes first, so that no small screen cuts it off.
    heads = [project.amount_head(call, "Cost"), *names]
    return {
        "is_time": is_time,
        "has_quantity": has_quantity,
        "has_metrics": has_metrics,
        "columns": [title, *((head, "number") for head in heads)],
        "rows": rows[query.offset :][:_LINES_A_PAGE],
        "totals": frame.totals() if has_metrics else frame.totals()[:1],
        "pager": project.page_links(call, PATH, query.offset, _LINES_A_PAGE, len(rows)),
    }


def read_table(
    call: PageCall[Query], begin: datetime.datetime, end: datetime.datetime
) -> CostTable:
    """Return the costs.

    :raises ratekit.api.faults.Fault: there are too many, or what they are split by is unknown
    """
    query, limit = call.arguments, call.parts.limits.rows
    if query.by in _REFUSED:
        raise Fault(400, f"by: expected {', '.join(_SPLITS)} or a label, not {query.by}")
    if query.by in BUCKETS:
        starts = list_buckets(begin, end, query.by, call.zone, _MAX_TIMES)
        if len(starts) > _MAX_TIMES:
            raise Fault(
                400,
                f"the time range has more than {_MAX_TIMES} {query.by}s; choose fewer days, or "
                "longer times",
            )
    selection = project.select_usage(call)
    try:
        return cost_table.read(call.parts.storage.reports, selection, query.by, call.zone, limit)
    except errors.TooManyGroups:
        raise Fault(400, f"there are more than {limit:,} lines; choose fewer days") from None


def _splits(call: PageCall[Query]) -> Sequence[str]:
    """Return what costs can be split by; labels after the rest."""
    labels = {label for info in call.parts.metrics.read().infos for label in info.labels}
    labels -= {*_SPLITS, *_REFUSED, call.parts.conf.collect.scope_key}
    if call.arguments.by not in _SPLITS:
        labels.add(call.arguments.by)
    return [*_SPLITS, *sorted(labels)]


def _notes(
    call: PageCall[Query], table: CostTable, begin: datetime.datetime, end: datetime.datetime
) -> Iterator[Note]:
    query = call.arguments
    from_totals = query.by in _SPLITS and query.label is None
    yield from project.read_notes(call, begin, end, from_totals)
    if table.points and query.by not in _SPLITS and all(line.key is None for line in table.lines):
        yield Note("warning", f"None of this usage has a label “{query.by}”")
    if table.points and not table.price:
        yield project.FREE


PAGES = [
    Page(PATH, show_costs, "summary:get_summary", "Costs", "costs.html", Query),
]

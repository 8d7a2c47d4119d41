"""``/dashboard/resources``: what each resource costs, the dearest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ratekit import errors
from ratekit.admin import resource_costs
from ratekit.admin.resource_costs import ResourceCost
from ratekit.api.arguments import Offset, Text
from ratekit.api.faults import Fault
from ratekit.dashboard.page import Page, PageCall, Table, View
from ratekit.dashboard.pages import project
from ratekit.dashboard.pages.project import FREE, UsageRange
from ratekit.domain.reporting.bill import add_up, rounding_gap
from ratekit.export.bill_notes import Note

PATH = "/dashboard/resources"
_RESOURCE = "/dashboard/resource"
_LINES_A_PAGE = 50


class Query(UsageRange):
    """Which resources.

    :ivar search: how an ID or a name starts
    :ivar offset: number of resources to skip
    """

    search: Text | None = None
    offset: Offset = 0


def show_resources(call: PageCall[Query]) -> View:
    """Show them."""
    query = call.arguments
    begin, end = call.read_range()
    costs = _read(call)
    matches = [cost for cost in costs if not query.search or cost.matches(query.search)]
    first_day, end_day = project.whole_days(begin, end, call.zone)
    page = matches[query.offset :][:_LINES_A_PAGE]
    places = call.parts.conf.rating.decimals
    metrics = {metric for cost in costs for metric in cost.prices}
    return View(
        {
            "project": project.project_name(call),
            "project_links": project.links(call, PATH),
            "begin": begin,
            "end": end,
            "first_day": first_day,
            "end_day": end_day,
            "query": query,
            "metric_choices": [
                (metric, metric == query.metric) for metric in project.metric_names(call, metrics)
            ],
            "unfiltered": call.link(PATH, scope=query.scope, begin=begin, end=end),
            "total": add_up(cost.price for cost in matches),
            "total_link": _total_link(call),
            "count": len(matches),
            "has_usage": bool(costs),
            "resources": _link(call, page),
            "pager": project.page_links(call, PATH, query.offset, _LINES_A_PAGE, len(matches)),
            "gap": rounding_gap([[cost.price for cost in matches]], places),
            "notes": list(_notes(call, costs)),
        },
        Table("resources", ["id", "name", "metric", "cost"], list(_export(matches))),
    )


def _read(call: PageCall[Query]) -> Sequence[ResourceCost]:
    selection = project.select_usage(call)
    limit = resource_costs.MAX_RESOURCES
    try:
        return resource_costs.read(call.parts.storage.reports, selection, limit)
    except errors.TooManyGroups:
        raise Fault(
            400, f"there are more than {limit:,} resources; choose fewer days, or a metric"
        ) from None


def _link(
    call: PageCall[Query], costs: Sequence[ResourceCost]
) -> Sequence[tuple[ResourceCost, str]]:
    begin, end = call.read_range()
    query = call.arguments
    fixed = {"scope": query.scope, "begin": begin, "end": end, "metric": query.metric}
    return [(cost, call.link(_RESOURCE, id=cost.id, **fixed)) for cost in costs]


def _total_link(call: PageCall[Query]) -> str | None:
    """Return the address of the same costs by day; None: there is none of a search."""
    query = call.arguments
    begin, end = call.read_range()
    if query.search:
        return None
    usage = query.model_dump(include={"scope", "metric", "label", "value"})
    return call.link("/dashboard/costs", by="day", begin=begin, end=end, **usage)


def _notes(call: PageCall[Query], costs: Sequence[ResourceCost]) -> Iterator[Note]:
    begin, end = call.read_range()
    yield from project.read_notes(call, begin, end, from_totals=False)
    if costs and not any(cost.price for cost in costs):
        yield FREE


def _export(costs: Sequence[ResourceCost]) -> Iterator[Sequence[object]]:
    for cost in costs:
        for metric, price in sorted(cost.prices.items()):
            yield cost.id, ", ".join(cost.names), metric, price


PAGES = [
    Page(PATH, show_resources, "summary:get_summary", "Resources", "resources.html", Query),
]

"""``/dashboard/overview``: this month at a glance."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from markupsafe import Markup

from ratekit import errors
from ratekit.admin import resource_costs
from ratekit.admin.bill import Bill, MonthComparison, read_bill, read_month
from ratekit.admin.bill.month import RATE_TIME
from ratekit.admin.resource_costs import MAX_RESOURCES, ResourceCost
from ratekit.dashboard.page import Page, PageCall, Table, View
from ratekit.dashboard.pages import project
from ratekit.dashboard.pages.project import FREE, ProjectArguments
from ratekit.domain.exact import EXACT
from ratekit.domain.reporting.bill import rounding_gap
from ratekit.domain.reporting.reports import Selection
from ratekit.export.bill_notes import Note
from ratekit.html import charts
from ratekit.interfaces import Reports

PATH = "/dashboard/overview"
_COSTS, _RESOURCES, _RESOURCE = "/dashboard/costs", "/dashboard/resources", "/dashboard/resource"
_DEAREST = 10
#: A ratio above is no matter of percents.
_MANY = 10


def show_overview(call: PageCall[ProjectArguments]) -> View:
    """Show this month, the last one, and what they consist of."""
    scope = call.arguments.scope
    usage = _read(call)
    month, bill, resources = usage.month, usage.bill, usage.resources
    costs = _CostLinks(call, month)
    return View(
        {
            "project": project.project_name(call),
            "project_links": project.links(call, PATH),
            "month": month,
            "change": _change(month),
            "rate_note": _rate_note(call, month),
            "bill": bill,
            "links": {
                "so_far": costs.of(month.begin, month.end, by="day"),
                "last": costs.of(month.last_begin, month.begin, by="day"),
                "last_to_point": costs.of(
                    month.last_begin, month.last_until or month.begin, by="day"
                ),
                "week": _week_link(costs, month),
                "metrics": costs.of(month.begin, month.end, by="metric"),
                "resources": call.link(_RESOURCES, scope=scope, begin=month.begin, end=month.end),
                "prices": call.link("/dashboard/prices", scope=scope),
            },
            "days": _draw_days(call, bill, costs),
            "metrics": [
                (charge, costs.of(month.begin, month.end, by="day", metric=charge.metric))
                for charge in bill.metrics
            ],
            "resources": resources and _link_resources(call, month, resources),
            "gap": _rounding_gap(call, bill),
            "notes": [*usage.notes, *([FREE] if bill.points and not bill.total else [])],
        },
        Table("overview", ["day", "metric", "cost"], list(_export(call, bill))),
    )


class _Usage(NamedTuple):
    """What one snapshot of the storage tells.

    :ivar resources: the dearest of this month; None: there are too many to find them in time
    """

    month: MonthComparison
    bill: Bill
    notes: Sequence[Note]
    resources: Sequence[ResourceCost] | None


def _read(call: PageCall[ProjectArguments]) -> _Usage:
    """Read all numbers at one instant, so that they agree while usage is rated."""
    parts = call.parts
    purged = parts.storage.purge.mark()
    with parts.storage.reports.snapshot() as reports:
        month = read_month(reports, call.scopes, call.zone, parts.clock(), purged)
        selection = Selection(month.begin, month.end, scopes=call.scopes)
        bill = read_bill(reports, selection, call.zone, resources=0)
        # The dearest resources are of frames.
        notes = project.notes_of(call, reports, purged, month.begin, month.end, from_totals=False)
        # Last, because it may take too long: a snapshot ends with an error.
        resources = _dearest(reports, selection)
    return _Usage(month, bill, notes, resources)


class _CostLinks:
    """Addresses of the costs of a part of the month."""

    def __init__(self, call: PageCall[ProjectArguments], month: MonthComparison) -> None:
        self._call = call
        self._month = month

    def of(self, begin: datetime.datetime, end: datetime.datetime, **arguments: object) -> str:
        """Return the address."""
        scope = self._call.arguments.scope
        return self._call.link(_COSTS, scope=scope, begin=begin, end=end, **arguments)


def _week_link(costs: _CostLinks, month: MonthComparison) -> str | None:
    """Return the address of the days at whose rate the month goes on."""
    if month.until is None or month.rate_begin is None:
        return None
    return costs.of(month.rate_begin, month.until, by="day")


def _rate_note(call: PageCall[ProjectArguments], month: MonthComparison) -> str:
    """Say from which time the forecast follows."""
    if month.forecast is None or month.until is None or month.rate_begin is None:
        return "known when a day is rated"
    if month.rate_begin > max(month.begin, month.until - RATE_TIME):
        return f"at the rate since the first usage, {call.formats.instant(month.rate_begin)}"
    return "at the rate of the last seven days"


def _change(month: MonthComparison) -> str:
    """Write how this month compares with the last until the same point; empty: it cannot."""
    if not month.last_to_point or month.until is None:
        return ""
    difference = EXACT.subtract(month.to_point, month.last_to_point)
    ratio = Fraction(difference) / Fraction(month.last_to_point)
    percent = Decimal(round(abs(ratio) * 1000)).scaleb(-1)
    if not percent:
        return "the same this month"
    if ratio > _MANY:
        return f"more than {_MANY} times as much this month"
    return f"{percent:,} % {'more' if difference > 0 else 'less'} this month"


def _draw_days(call: PageCall[ProjectArguments], bill: Bill, costs: _CostLinks) -> Markup:
    formats = call.formats
    days = [formats.day(start) for start in bill.starts]
    ends = [*bill.starts[1:], bill.end]
    links = {
        day: costs.of(start, end, by="hour")
        for day, start, end, total in zip(days, bill.starts, ends, bill.totals, strict=True)
        if total
    }
    return charts.stacked_bars(
        "Cost a day", days, bill.prices, formats.currency, links, formats.amount
    )


def _dearest(reports: Reports, selection: Selection) -> Sequence[ResourceCost] | None:
    """Return the dearest resources; None: there are too many to find them in time."""
    try:
        return resource_costs.read(reports, selection, MAX_RESOURCES)[:_DEAREST]
    except (errors.TooManyGroups, errors.TooSlow):
        return None


def _link_resources(
    call: PageCall[ProjectArguments], month: MonthComparison, costs: Sequence[ResourceCost]
) -> Sequence[tuple[ResourceCost, str]]:
    fixed = {"scope": call.arguments.scope, "begin": month.begin, "end": month.end}
    return [(cost, call.link(_RESOURCE, id=cost.id, **fixed)) for cost in costs]


def _rounding_gap(call: PageCall[ProjectArguments], bill: Bill) -> Decimal:
    sums = [[charge.price for charge in bill.metrics]]
    return rounding_gap(sums, call.parts.conf.rating.decimals)


def _export(call: PageCall[ProjectArguments], bill: Bill) -> Iterator[Sequence[object]]:
    for index, start in enumerate(bill.starts):
        for metric, prices in bill.prices.items():
            if prices[index]:
                yield start.astimezone(call.zone), metric, prices[index]


PAGES = [
    Page(PATH, show_overview, "summary:get_summary", "Overview", "overview.html", ProjectArguments),
]

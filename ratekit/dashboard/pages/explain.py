"""``/dashboard/explain``: how one price was computed, line by line."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from ratekit import composition
from ratekit.admin import explain, price_facts, quote, resource_history
from ratekit.admin.price_words import PriceWords
from ratekit.admin.resource_costs import ID
from ratekit.api.arguments import Text
from ratekit.api.faults import Fault
from ratekit.dashboard.page import Moment, Page, PageCall, Table, View
from ratekit.dashboard.pages import explained_rules, project
from ratekit.dashboard.pages.project import ProjectArguments
from ratekit.domain.reporting.buckets import bucket
from ratekit.domain.reporting.reports import FrameRow, Selection
from ratekit.text import number_text

PATH = "/dashboard/explain"
_INSTANT = datetime.timedelta(microseconds=1)
#: From the start of any day to a time in the next.
_DAY_AND_HALF = datetime.timedelta(hours=36)
_COLUMNS = ["step", "group", "usage", "price", "counts", "amount"]
#: Prices that a page offers to choose from.
_CHOICES = 200


class Query(ProjectArguments):
    """Which price.

    :ivar metric: public name of its metric
    :ivar begin: start of its period, or a time in it
    :ivar id: of its resource
    :ivar frame: which of several, by the key of its labels
    """

    metric: Text
    begin: Moment
    id: Text | None = None
    frame: Text | None = None


def explain_price(call: PageCall[Query]) -> View:
    """Show the usage, the rules that match it, and their arithmetic."""
    scope = project.only_scope(call)
    if scope is None:
        raise Fault(400, "scope: missing")
    rows = _read(call, scope)
    if len(rows) != 1:
        return _choose(call, rows)
    [row] = rows
    parts = call.parts
    anonymous = not parts.policies.is_admin(call.caller)
    rules = explain.PastRules(parts.storage.rules, composition.build_modules(parts.conf))
    origin = rules.origin(row)
    swaps = parts.storage.tasks.swaps(row.scope, row.begin)
    reprocessing = price_facts.reprocessing(explain.last_change(swaps), anonymous)
    today = price_facts.today(row, origin, remedy=not anonymous)
    words = PriceWords(row.unit, project.period_noun(call), parts.conf.rating.currency)
    modules = explained_rules.list_modules(origin.explanation, words)
    return View(
        {
            "project": project.project_name(call),
            "query": call.arguments,
            "row": row,
            "end": row.begin + parts.calendar.step,
            "labels": sorted(resource_history.labels_of(row).items()),
            "modules": modules,
            "is_certain": origin.matches,
            "rules": price_facts.rules(origin, anonymous).text,
            "today": today.text,
            "is_same_today": origin.newest.price == row.price,
            "reprocessed": None if reprocessing is None else reprocessing.text,
            "links": _links(call, row),
        },
        Table("price", _COLUMNS, [*explained_rules.export(modules), _total(row)]),
    )


def _total(row: FrameRow) -> Sequence[object]:
    quantity = f"{row.metric} {number_text(row.quantity)} {row.unit}".rstrip()
    return "total", None, quantity, None, None, row.price


def _read(call: PageCall[Query], scope: str) -> Sequence[FrameRow]:
    """Return the frames that match: those of the period that starts at, or contains, a time."""
    begin = call.arguments.begin
    rows = _read_period(call, scope, begin)
    if not rows:
        rows = _read_period(call, scope, quote.period_of(call.parts.calendar, begin).begin)
    return rows


def _read_period(call: PageCall[Query], scope: str, begin: datetime.datetime) -> Sequence[FrameRow]:
    query = call.arguments
    labels = {} if query.id is None else {ID: frozenset({query.id})}
    selection = Selection(
        begin,
        begin + _INSTANT,
        scopes=frozenset({scope}),
        metrics=(query.metric,),
        labels=labels,
    )
    rows = call.parts.storage.reports.frames(selection)
    return [
        row for row in rows if query.frame is None or resource_history.frame_key(row) == query.frame
    ]


def _links(call: PageCall[Query], row: FrameRow) -> Mapping[str, str]:
    scope = call.arguments.scope
    day = bucket(row.begin, "day", call.zone)
    next_day = bucket(day + _DAY_AND_HALF, "day", call.zone)
    resource = {"id": row.groupby.get(ID), "begin": day, "end": next_day}
    return {
        "prices": call.link("/dashboard/prices", scope=scope, metric=row.metric),
        "quote": call.link("/dashboard/quote", scope=scope, metric=row.metric),
        "resource": call.link("/dashboard/resource", scope=scope, **resource),
    }


def _choose(call: PageCall[Query], rows: Sequence[FrameRow]) -> View:
    """Show the prices of the period to choose one from; there may be none."""
    query = call.arguments
    names = sorted({name for row in rows for name in resource_history.labels_of(row)})
    differing = [
        name
        for name in names
        if len({resource_history.labels_of(row).get(name) for row in rows}) > 1
    ]
    choices: list[tuple[FrameRow, Mapping[str, Any], str]] = [
        (
            row,
            resource_history.labels_of(row),
            call.link(
                PATH,
                scope=query.scope,
                metric=query.metric,
                begin=row.begin,
                id=row.groupby.get(ID),
                frame=resource_history.frame_key(row),
            ),
        )
        for row in rows[:_CHOICES]
    ]
    begin = quote.period_of(call.parts.calendar, query.begin).begin
    return View(
        {
            "project": project.project_name(call),
            "query": query,
            "row": None,
            "begin": begin,
            "choices": choices,
            "count": len(rows),
            "differing": differing,
            "notes": project.read_notes(
                call, begin, begin + call.parts.calendar.step, from_totals=False
            ),
        },
        status=200 if rows else 404,
    )


PAGES = [
    Page(PATH, explain_price, "explain:get", "One price", "explain.html", Query, section=None),
]

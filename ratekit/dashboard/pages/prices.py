"""``/dashboard/prices``: the price list that holds for the reader's project."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence

from ratekit import composition
from ratekit.admin import price_sheet, price_words
from ratekit.admin.price_sheet import PriceEntry, Validity
from ratekit.admin.price_words import PriceWords
from ratekit.api.arguments import Text
from ratekit.api.quotes import choose_scope
from ratekit.dashboard.page import Page, PageCall, Table, View
from ratekit.dashboard.pages import project
from ratekit.dashboard.pages.project import ProjectArguments

PATH = "/dashboard/prices"
_COLUMNS = ["metric", "group", "usage", "price", "from", "until", "valid", "for"]


class Query(ProjectArguments):
    """Whose prices.

    :ivar metric: only prices of this metric
    """

    metric: Text | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class PriceRow:
    """A price as the page shows it.

    :ivar condition: which usage it is for
    :ivar group: None: the prices without a group
    :ivar since: UTC; None: since ever
    :ivar until: UTC; None: there is no end
    :ivar remark: why it does not hold, or for whom it does; empty: nothing to remark
    """

    condition: str
    price: str
    group: str | None
    since: datetime.datetime | None
    until: datetime.datetime | None
    validity: Validity
    remark: str


@dataclasses.dataclass(frozen=True, slots=True)
class MetricPrices:
    """The prices of one metric.

    :ivar unit: empty: not known, or the metric's name
    :ivar rows: by validity; empty lists are absent
    :ivar quote: address of the form that asks for a price
    """

    metric: str
    unit: str
    rows: Mapping[Validity, Sequence[PriceRow]]
    has_groups: bool
    has_remarks: bool
    quote: str


def show_prices(call: PageCall[Query]) -> View:
    """Show the prices in force, the scheduled and the past ones."""
    query, parts = call.arguments, call.parts
    book = parts.storage.rules.read()
    sheet = price_sheet.build(book, choose_scope(call), parts.clock())
    units = {info.name: info.unit for info in parts.metrics.read().infos}
    names = sorted({*units, *sheet})
    metrics = [
        _show_metric(call, metric, units.get(metric, ""), sheet.get(metric, ()))
        for metric in names
        if query.metric in (None, metric)
    ]
    return View(
        {
            "project": project.project_name(call),
            "project_links": project.links(call, PATH),
            "has_project": project.only_scope(call) is not None,
            "query": query,
            "metrics": metrics,
            "waits": not book.rules and composition.requires_rules(parts.conf),
            "metric_choices": [(name, name == query.metric) for name in names],
            "kinds": [
                (Validity.NOW, "In force"),
                (Validity.SCHEDULED, "Scheduled"),
                (Validity.PAST, "Past"),
            ],
            "past": Validity.PAST,
            "now": parts.clock(),
            "period": project.period_noun(call),
        },
        Table("prices", _COLUMNS, list(_export(call, metrics))),
    )


def _show_metric(
    call: PageCall[Query], metric: str, unit: str, entries: Sequence[PriceEntry]
) -> MetricPrices:
    words = PriceWords(unit, project.period_noun(call), call.parts.conf.rating.currency)
    rows: dict[Validity, list[PriceRow]] = {}
    for entry in entries:
        rows.setdefault(entry.validity, []).append(_show_entry(entry, words))
    has_groups = any(entry.rule.terms.group is not None for entry in entries)
    has_remarks = any(entry.special or entry.replaced for entry in entries)
    link = call.link("/dashboard/quote", scope=call.arguments.scope, metric=metric)
    shown_unit = unit if unit != metric else ""
    return MetricPrices(metric, shown_unit, rows, has_groups, has_remarks, link)


def _show_entry(entry: PriceEntry, words: PriceWords) -> PriceRow:
    terms = entry.rule.terms
    return PriceRow(
        words.condition(entry.rule, entry.ceiling),
        words.price(entry.rule),
        terms.group,
        terms.start,
        terms.end,
        entry.validity,
        price_words.remark(entry),
    )


def _export(call: PageCall[Query], metrics: Sequence[MetricPrices]) -> Iterator[Sequence[object]]:
    for prices in metrics:
        for rows in prices.rows.values():
            for row in rows:
                since, until = (
                    None if instant is None else instant.astimezone(call.zone)
                    for instant in (row.since, row.until)
                )
                texts = (row.validity.value, row.remark)
                yield prices.metric, row.group, row.condition, row.price, since, until, *texts


PAGES = [
    Page(PATH, show_prices, "rating:quote", "Prices", "prices.html", Query),
]

"""``/dashboard/quote``: a form that asks what a usage would cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ratekit import composition
from ratekit.admin import quote
from ratekit.admin.price_words import PriceWords
from ratekit.admin.quote import Quote
from ratekit.api.quotes import choose_scope, read_usage_labels
from ratekit.dashboard.page import Page, PageCall, Table, View
from ratekit.dashboard.pages import explained_rules, project
from ratekit.dashboard.pages.quote_form import PREFIX, Query, QuoteForm
from ratekit.domain.rules.rule import RuleBook

PATH = "/dashboard/quote"


def show_quote(call: PageCall[Query]) -> View:
    """Show the form and, if it is complete, the price."""
    query = call.arguments
    book = call.parts.storage.rules.read()
    form = QuoteForm(call, book)
    values: dict[str, Any] = {
        "project": project.project_name(call),
        "project_links": project.links(call, PATH),
        "has_project": project.only_scope(call) is not None,
        "query": query,
        "form": form,
        "metric_choices": [(name, name == query.metric) for name in form.metrics],
        "prefix": PREFIX,
        "period": project.period_noun(call),
        "prices": call.link("/dashboard/prices", scope=query.scope, metric=query.metric),
        "quote": None,
    }
    if not form.is_complete:
        return View(values, status=400 if form.is_wrong else 200)
    answer = _ask(call, book, form)
    over = {
        "hour": answer.over(quote.HOUR),
        "day": answer.over(quote.DAY),
        "month": answer.over(quote.MONTH),
    }
    return View(
        {**values, **_describe(call, book, form, answer), "quote": answer, "over": over},
        Table("quote", ["time", "cost"], [("period", answer.explanation.price), *over.items()]),
    )


def _ask(call: PageCall[Query], book: RuleBook, form: QuoteForm) -> Quote:
    assert form.period is not None, "the form is complete"
    assert form.quantity is not None, "the form is complete"
    labels = {field.name: field.value for field in form.labels if field.value}
    return quote.quote(
        composition.build_price_list(call.parts.conf, book),
        form.period,
        call.arguments.metric or "",
        form.quantity,
        read_usage_labels(call, labels),
        choose_scope(call),
    )


def _describe(
    call: PageCall[Query], book: RuleBook, form: QuoteForm, answer: Quote
) -> Mapping[str, object]:
    parts = call.parts
    words = PriceWords(form.unit, project.period_noun(call), parts.conf.rating.currency)
    label_names = {info.name: info.labels for info in parts.metrics.read().infos}
    labels = {field.name: field.value for field in form.labels if field.value}
    return {
        "modules": explained_rules.list_modules(answer.explanation, words),
        "hints": list(quote.hints(answer, labels, book, label_names)),
    }


PAGES = [
    Page(PATH, show_quote, "rating:quote", "Ask for a price", "quote.html", Query),
]

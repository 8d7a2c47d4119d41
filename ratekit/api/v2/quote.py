"""``/v2/rating/quote``: what one usage would cost, with the calculation."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pydantic

from ratekit import composition
from ratekit.admin import price_breakdown, quote
from ratekit.api.arguments import Arguments, Instant, Number, Text
from ratekit.api.labels import read_labels
from ratekit.api.operation import Call, Operation
from ratekit.api.v1.quote import choose_scope
from ratekit.api.v2.explain import Calculation, Share
from ratekit.api.visibility import Demand
from ratekit.files import metrics_file


class Usage(Arguments):
    """A usage in one period.

    :ivar service: public name of a metric
    :ivar quantity: in the unit of the metric
    :ivar share: part of the quantity that is charged under these labels, such as 1/3 or 0.25
    :ivar labels: by name: text, number, true, false or null
    :ivar scope: whose rules apply; default: the project of the token
    :ivar at: a time in the period; default: now
    """

    service: Text
    quantity: Number = Decimal(1)
    share: Text = "1"
    labels: dict[str, Any] = pydantic.Field(default_factory=dict)
    scope: Text | None = None
    at: Instant | None = None

    def demand(self, scope_key: str) -> Demand:
        """Return the one scope; a request for another is refused unless it may see it."""
        return Demand(frozenset({self.scope}) if self.scope else None, narrows=False)


class Quote(pydantic.BaseModel):
    """What a usage would cost.

    :ivar quantity: what is charged under these labels
    :ivar shared: what that is a share of
    :ivar price: of the period
    :ivar hour: price of an hour with the same usage in each period
    :ivar day: likewise
    :ivar month: likewise, of 30 days
    """

    service: str
    quantity: Decimal
    shared: Share | None
    labels: dict[str, str | None]
    scope: str | None
    begin: datetime.datetime
    end: datetime.datetime
    breakdown: Calculation
    price: Decimal
    hour: Decimal
    day: Decimal
    month: Decimal


def quote_usage(call: Call[Usage]) -> dict[str, Any]:
    """Return what a usage would cost in a period, and how that is calculated."""
    given, parts = call.arguments, call.parts
    section = parts.conf.collect
    book = parts.storage.rules.read()
    label_names = metrics_file.read_labels(section.metrics_conf, section.scope_key)
    quote.require_metric(given.service, book, label_names)
    scope = choose_scope(call)
    labels = quote.add_scope_label(read_labels(given.labels), section.scope_key, scope)
    usage_quote = quote.quote(
        composition.build_price_list(parts.conf, book),
        quote.period_of(parts.calendar, given.at or parts.clock()),
        given.service,
        quote.read_quantity("quantity", str(given.quantity)),
        labels,
        scope,
        quote.read_share("share", given.share),
    )
    series, period = usage_quote.series, usage_quote.period
    shared = series.shared.get(period.begin)
    explanation = usage_quote.explanation
    return {
        "service": series.metric,
        "quantity": series.points[0][1],
        "shared": shared and {"whole": shared.whole, "share": shared.share},
        "labels": series.groupby,
        "scope": series.scope or None,
        "begin": period.begin,
        "end": period.end,
        "breakdown": {
            "modules": price_breakdown.modules(explanation),
            "lines": list(price_breakdown.lines(explanation)),
        },
        "price": explanation.price,
        "hour": usage_quote.over(quote.HOUR),
        "day": usage_quote.over(quote.DAY),
        "month": usage_quote.over(quote.MONTH),
    }


OPERATIONS = [
    Operation("POST", "/v2/rating/quote", quote_usage, "rating:quote", Usage, Quote),
]

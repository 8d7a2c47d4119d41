"""``/v2/rating/quote``: what one usage would cost, with the calculation."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pydantic

from ratekit import composition
from ratekit.admin import price_breakdown, quote
from ratekit.api.answers import Amount
from ratekit.api.arguments import Arguments, Instant, Number, Text
from ratekit.api.operation import Call, Operation
from ratekit.api.quotes import choose_scope, read_usage_labels, require_metrics
from ratekit.api.v2.explain import Calculation, Share
from ratekit.api.visibility import Demand


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
    quantity: Amount
    shared: Share | None
    labels: dict[str, str | None]
    scope: str | None
    begin: datetime.datetime
    end: datetime.datetime
    breakdown: Calculation
    price: Amount
    hour: Amount
    day: Amount
    month: Amount


def quote_usage(call: Call[Usage]) -> dict[str, Any]:
    """Return what a usage would cost in a period, and how that is calculated."""
    arguments, parts = call.arguments, call.parts
    book = parts.storage.rules.read()
    period = quote.period_of(parts.calendar, arguments.at or parts.clock())
    require_metrics(call, book, period.begin, {arguments.service})
    usage_quote = quote.quote(
        composition.build_price_list(parts.conf, book),
        period,
        arguments.service,
        quote.read_quantity("quantity", str(arguments.quantity)),
        read_usage_labels(call, arguments.labels),
        choose_scope(call),
        quote.read_share("share", arguments.share),
    )
    series = usage_quote.series
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

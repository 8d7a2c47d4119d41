"""``/v1/rating/quote``: what a usage would cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pydantic

from ratekit import composition
from ratekit.admin import quote
from ratekit.api.answers import Amount
from ratekit.api.arguments import Arguments, Number, Text
from ratekit.api.dialects import number_literal
from ratekit.api.operation import Call, Operation
from ratekit.api.quotes import choose_scope, read_usage_labels, require_metrics
from ratekit.api.visibility import Demand
from ratekit.domain.exact import EXACT

#: Most usages in one request: each is compared with every rule.
_MAX_USAGES = 1_000


def _require_few(value: Any) -> Any:
    if isinstance(value, list) and len(value) > _MAX_USAGES:
        raise ValueError(f"expected at most {_MAX_USAGES:,} usages, not {len(value):,}")
    return value


class Resource(pydantic.BaseModel):
    """A usage in one period.

    :ivar service: public name of a metric
    :ivar volume: quantity, in the unit of the metric
    :ivar desc: labels, or an object ``metadata`` with labels
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    service: Text
    volume: Number = Decimal(1)
    desc: dict[str, Any] = {}


class Resources(Arguments):
    """Usages.

    :ivar resources: each of them, at most 1,000
    :ivar tenant_id: the project whose rules apply; default: that of the token
    """

    resources: Annotated[
        tuple[Resource, ...],
        pydantic.Field(max_length=_MAX_USAGES),
        pydantic.BeforeValidator(_require_few),
    ]
    tenant_id: Text | None = None

    def demand(self, scope_key: str) -> Demand:
        """Return the one project; a request for another is refused unless it may see it."""
        return Demand(frozenset({self.tenant_id}) if self.tenant_id else None, narrows=False)


def quote_resources(call: Call[Resources]) -> Any:
    """Return what usages would cost in the current period, in total, by the rules in force.

    The rules of the caller's own project apply. The total is a number with all its digits. A
    service that neither metrics.yml nor any rule knows is an error: it would never be charged.
    """
    parts, resources = call.parts, call.arguments.resources
    book = parts.storage.rules.read()
    period = quote.period_of(parts.calendar, parts.clock())
    require_metrics(call, book, period.begin, {resource.service for resource in resources})
    scope = choose_scope(call)
    price_list = composition.build_price_list(parts.conf, book)
    total = Decimal(0)
    for number, resource in enumerate(resources):
        quantity = quote.read_quantity(f"resources.{number}.volume", str(resource.volume))
        labels = read_usage_labels(call, resource.desc)
        usage_quote = quote.quote(price_list, period, resource.service, quantity, labels, scope)
        total = EXACT.add(total, usage_quote.explanation.price)
    return number_literal(total)


OPERATIONS = [
    Operation("POST", "/v1/rating/quote", quote_resources, "rating:quote", Resources, Amount)
]

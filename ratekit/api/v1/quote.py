"""``/v1/rating/quote``: what a usage would cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pydantic

from ratekit import composition
from ratekit.admin import quote
from ratekit.api.answers import Amount
from ratekit.api.arguments import Arguments, Number, Text
from ratekit.api.dialects import number_literal
from ratekit.api.labels import read_labels
from ratekit.api.operation import Call, Operation
from ratekit.api.visibility import Demand
from ratekit.domain.exact import EXACT
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.rules.rule import RuleBook
from ratekit.files import metrics_file


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

    :ivar resources: each of them
    :ivar tenant_id: the project whose rules apply; default: that of the token
    """

    resources: tuple[Resource, ...]
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
    _require_metrics(parts.conf, book, resources)
    scope = choose_scope(call)
    period = quote.period_of(parts.calendar, parts.clock())
    price_list = composition.build_price_list(parts.conf, book)
    total = Decimal(0)
    for number, resource in enumerate(resources):
        quantity = quote.read_quantity(f"resources.{number}.volume", str(resource.volume))
        labels = quote.add_scope_label(
            read_labels(resource.desc), parts.conf.collect.scope_key, scope
        )
        usage_quote = quote.quote(price_list, period, resource.service, quantity, labels, scope)
        total = EXACT.add(total, usage_quote.explanation.price)
    return number_literal(total)


def choose_scope(call: Call[Any]) -> str:
    """Return the only scope that a request may see, if there is one."""
    scopes = call.scopes
    return quote.NO_SCOPE if scopes is ALL_SCOPES or not scopes else min(scopes)


def _require_metrics(conf: Any, book: RuleBook, resources: Sequence[Resource]) -> None:
    """Refuse metrics that neither metrics.yml nor any rule has.

    :raises ratekit.errors.OperatorError: there are some
    """
    metrics = {resource.service for resource in resources}
    if metrics <= {rule.target.metric for rule in book.rules}:
        return
    labels = metrics_file.read_labels(conf.collect.metrics_conf, conf.collect.scope_key)
    for metric in sorted(metrics):
        quote.require_metric(metric, book, labels)


OPERATIONS = [
    Operation("POST", "/v1/rating/quote", quote_resources, "rating:quote", Resources, Amount)
]

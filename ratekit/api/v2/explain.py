"""``/v2/explain``: how the price of a frame was calculated."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping
from typing import Any

import pydantic

from ratekit import composition
from ratekit.admin import explain, price_breakdown, price_facts, quantity_trace
from ratekit.api.answers import Amount
from ratekit.api.arguments import Arguments, Flag, Instant, Pairs, Text, Words
from ratekit.api.faults import Fault
from ratekit.api.operation import Call, Operation
from ratekit.api.visibility import Demand
from ratekit.domain.reporting.reports import ALL_SCOPES, FrameRow
from ratekit.domain.reprocessing.task import Swap


class Query(Arguments):
    """Which frame.

    :ivar scope: its scope; default: the project of the token
    :ivar metric: public name of its metric
    :ivar begin: start of its period, or a time in it
    :ivar labels: values of its labels, if there are several frames; an empty one: the label is
        empty or absent
    :ivar null_labels: names of labels that are null
    :ivar resource: value of one of its groupby labels
    :ivar trace: read from the metering back end how the quantity was calculated; for
        administrators
    """

    scope: Text | None = None
    metric: Text
    begin: Instant
    labels: Pairs = pydantic.Field(default_factory=dict)
    null_labels: Words = ()
    resource: Text | None = None
    trace: Flag = False

    def demand(self, scope_key: str) -> Demand:
        """Return the one scope; a request for another is refused unless it may see it."""
        return Demand(frozenset({self.scope}) if self.scope else None, narrows=False)

    def read_labels(self) -> Mapping[str, str | None]:
        """Return the labels.

        :raises ratekit.api.faults.Fault: one has two values
        """
        repeated = sorted(
            name
            for name, values in self.labels.items()
            if len(values) > 1 or name in self.null_labels
        )
        if repeated:
            raise Fault(400, f"labels: expected one value of {repeated[0]!r}")
        nulls: dict[str, str | None] = dict.fromkeys(self.null_labels)
        return {**{name: min(values) for name, values in self.labels.items()}, **nulls}


class Share(pydantic.BaseModel):
    """What a quantity is a share of."""

    whole: Amount
    share: Amount


class Calculation(pydantic.BaseModel):
    """A calculation, for programs and for people.

    :ivar lines: in words
    """

    modules: list[Any]
    lines: list[str]


class Explanation(pydantic.BaseModel):
    """A frame, and how its price was calculated.

    :ivar breakdown: of the price
    :ivar rules: the version of the rules that gave the price
    :ivar today: what the newest rules charge
    :ivar reprocessed: the task that last changed what the period costs
    :ivar reduction: the calculation of the quantity; only with ``trace``
    """

    scope: str
    metric: str
    begin: datetime.datetime
    labels: dict[str, str | None]
    quantity: Amount
    unit: str
    shared: Share | None
    price: Amount
    breakdown: Calculation
    rules: dict[str, Any]
    today: dict[str, Any]
    reprocessed: dict[str, Any] | None
    reduction: dict[str, Any] | None


def explain_frame(call: Call[Query]) -> dict[str, Any]:
    """Tell how the price of a frame was calculated: its quantity, the rules, the price.

    Tenants see their own frames, and not who changed the rules or why. Administrators may ask for
    a `trace`: it reads the metering back end, if that still has the data.
    """
    arguments, parts = call.arguments, call.parts
    is_admin = parts.policies.is_admin(call.caller)
    if arguments.trace and not is_admin:
        raise Fault(403, "trace reads the metering back end; it is for administrators")
    if call.scopes is ALL_SCOPES or len(call.scopes) != 1:
        raise Fault(400, "scope: missing")
    query = explain.FrameQuery(
        min(call.scopes),
        arguments.metric,
        arguments.begin,
        arguments.read_labels(),
        arguments.resource,
    )
    row = explain.find(parts.storage, query, parts.calendar)
    rules = explain.PastRules(parts.storage.rules, composition.build_modules(parts.conf))
    origin = rules.origin(row)
    swaps = parts.storage.tasks.swaps(row.scope, row.begin)
    explanation = origin.explanation
    shared = row.shared
    anonymous = not is_admin
    return {
        "scope": row.scope,
        "metric": row.metric,
        "begin": row.begin,
        "labels": {**row.metadata, **row.groupby},
        "quantity": row.quantity,
        "unit": row.unit,
        "shared": shared and {"whole": shared.whole, "share": shared.share},
        "price": row.price,
        "breakdown": {
            "modules": price_breakdown.modules(explanation),
            "lines": list(price_breakdown.lines(explanation)),
        },
        "rules": _show(price_facts.rules(origin, anonymous)),
        "today": _show(price_facts.today(row, origin, remedy=is_admin)),
        "reprocessed": _show(price_facts.reprocessing(explain.last_change(swaps), anonymous)),
        "reduction": _trace(call, row, explain.last_collection(swaps)) if arguments.trace else None,
    }


def _show(fact: price_facts.Fact | None) -> Mapping[str, Any] | None:
    return None if fact is None else {**fact.document, "text": fact.text}


def _trace(call: Call[Query], row: FrameRow, collection: Swap | None) -> Mapping[str, Any]:
    source = functools.partial(composition.read_metrics, call.parts.conf)
    trace = quantity_trace.read(row, source, call.parts.calendar, collection)
    return {**quantity_trace.document(trace), "lines": list(quantity_trace.lines(trace))}


OPERATIONS = [
    Operation("GET", "/v2/explain", explain_frame, "explain:get", Query, Explanation),
]

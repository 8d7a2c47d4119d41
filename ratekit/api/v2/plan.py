"""``/v2/rating/plan``: what other price rules would change."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import pydantic

from ratekit import composition
from ratekit.admin import rule_plan, rule_plan_words, what_if
from ratekit.api.answers import Amount
from ratekit.api.arguments import Arguments, Flag, Instant, Text
from ratekit.api.dialects import V2
from ratekit.api.faults import Fault
from ratekit.api.operation import Call, Operation
from ratekit.api.parts import Parts
from ratekit.files import rules_file

_TOO_DEEP = "rules: expected rules as in a rule file, not lists or objects so deep"


class Request(Arguments):
    """Price rules, and what to find out about them.

    :ivar rules: an object as in a rule file, or the text of such a file
    :ivar since: price all usage rated since then as if the rules had been in force
    :ivar at: when rules without a time of their own start or end; default: the next period
    :ivar retroactive: allow new prices for periods that have been rated
    :ivar bring_forward: make changes that are scheduled for later at the same time
    :ivar allow_unknown: accept rules for services, fields and scopes that nobody knows
    :ivar allow_free: accept that usage with a price becomes free
    :ivar name: of the file, for messages
    :ivar all: ``lines`` has also the rules that stay the same
    """

    rules: Annotated[dict[str, Any] | str, pydantic.Field(union_mode="left_to_right")]
    since: Instant | None = None
    at: Instant | None = None
    retroactive: Flag = False
    bring_forward: Flag = False
    allow_unknown: Flag = False
    allow_free: Flag = False
    name: Text = "rules"
    all: Flag = False


class Change(pydantic.BaseModel):
    """A rule that is closed or added."""

    change: str
    rule: str


class Charges(pydantic.BaseModel):
    """What was charged by rules that change."""

    begin: str
    end: str
    frames: int
    scopes: int


class Difference(pydantic.BaseModel):
    """What a scope's usage of a metric cost, and would have cost."""

    scope: str
    metric: str
    frames: int
    price: Amount
    new_price: Amount
    difference: Amount


class Plan(pydantic.BaseModel):
    """What rules would change.

    :ivar kept: number of rules that stay as they are
    :ivar charged: what was charged by rules that a retroactive change replaces
    :ivar rated_without_rules: what was rated before there were rules
    :ivar what_if: only with ``since``
    :ivar lines: the plan in words
    :ivar purged: what ``what_if`` may lack, because it was purged
    """

    changes: list[Change]
    retroactive: bool
    kept: int
    scheduled: list[str]
    brought_forward: list[str]
    charged: Charges | None
    rated_without_rules: Charges | None
    warnings: list[str]
    what_if: list[Difference] | None
    lines: list[str]
    purged: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class PlanResult:
    """What a request found out.

    :ivar differences: None: it was not asked for
    :ivar purged: what they may lack
    """

    prepared: rule_plan.PreparedPlan
    differences: Sequence[what_if.Difference] | None
    purged: str | None


def plan_rules(call: Call[Request]) -> dict[str, Any]:
    """Tell what a complete list of price rules would change. Nothing is changed.

    With `since` it also tells what rated usage would have cost by them, for each scope.
    """
    result = plan(call.parts, call.arguments)
    return {
        **rule_plan_words.document(result.prepared, result.differences),
        "lines": list(rule_plan_words.lines(result.prepared, call.arguments.all)),
        "purged": result.purged,
    }


def plan(parts: Parts, request: Request) -> PlanResult:
    """Plan rules, change nothing.

    :raises ratekit.errors.OperatorError: they cannot come into force; with all mistakes
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    placed = _read_rules(request.name, request.rules)
    conf, storage = parts.conf, parts.storage
    # By a wrong clock, the plan would have a wrong time.
    composition.require_right_clock(conf, storage.ledger, parts.clock())
    site = rule_plan.Site(
        storage,
        parts.calendar,
        composition.build_modules(conf),
        conf.collect.metrics_conf,
        conf.collect.scope_key,
    )
    plan_request = rule_plan.PlanRequest(
        request.name,
        placed,
        request.at,
        request.retroactive,
        request.bring_forward,
        request.allow_unknown,
        request.allow_free,
    )
    prepared = rule_plan.prepare(site, plan_request, parts.clock())
    differences = purged = None
    if request.since is not None:
        purged = storage.purge.mark().explain_missing(request.since, from_totals=False)
        differences = rule_plan.price_differences(prepared, request.since, request.at)
    return PlanResult(prepared, differences, purged)


def _read_rules(name: str, rules: dict[str, Any] | str) -> Sequence[rules_file.PlacedRule]:
    """Return the rules of a request; JSON is read as the YAML that it also is.

    :raises ratekit.errors.BadInput: with every mistake
    """
    if not rules:
        # An empty text would be a file without rules, which closes all.
        raise Fault(400, "rules: expected an object or the text of a rule file; it is empty")
    try:
        text = rules if isinstance(rules, str) else V2.encode(rules).decode()
        return rules_file.parse_with_places(name, text)
    except RecursionError:
        raise Fault(400, _TOO_DEEP) from None


OPERATIONS = [Operation("POST", "/v2/rating/plan", plan_rules, "rating:plan", Request, Plan)]

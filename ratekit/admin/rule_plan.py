"""Plan a change to a file of price rules, with everything that is checked about it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from ratekit import errors
from ratekit.admin import free_usage, hashmap, rule_guards, what_if
from ratekit.admin import scope as scope_admin
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.rules.rule import Rule, RuleTarget
from ratekit.domain.schedule.calendar import Calendar
from ratekit.files import metrics_file, rule_warnings
from ratekit.files.rules_file import PlacedRule
from ratekit.interfaces import RatingModule, Storage
from ratekit.pricing.price_list import PriceList
from ratekit.pricing.rule_change import apply


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """What rules are planned for.

    :ivar modules: highest priority first
    :ivar metrics_conf: path of metrics.yml
    :ivar scope_key: the label that names a frame's scope
    """

    storage: Storage
    calendar: Calendar
    modules: Sequence[RatingModule]
    metrics_conf: str
    scope_key: str


@dataclasses.dataclass(frozen=True, slots=True)
class PlanRequest:
    """The rules that are to be in force, and what is allowed.

    :ivar path: where they are from, for messages
    :ivar placed: all of them; a stored rule that is missing is closed
    :ivar at: start of the period from which the change applies; None: the next one
    :ivar retroactive: it may affect rated periods
    :ivar bring_forward: scheduled changes are made at the same time
    :ivar allow_unknown: of metrics, labels and scopes that nobody knows
    :ivar allow_free: usage that has been charged may become free
    """

    path: str
    placed: Sequence[PlacedRule]
    at: datetime.datetime | None = None
    retroactive: bool = False
    bring_forward: bool = False
    allow_unknown: bool = False
    allow_free: bool = False

    @property
    def desired(self) -> Sequence[Rule]:
        """The rules without their places."""
        return [placed_rule.rule for placed_rule in self.placed]


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedPlan:
    """A planned change and its sources.

    :ivar desired: the rules of the file
    :ivar warnings: valid rules that may be mistakes
    """

    site: Site
    desired: Sequence[Rule]
    plan: hashmap.Plan
    warnings: Sequence[errors.Mistake]


def prepare(site: Site, request: PlanRequest, now: datetime.datetime) -> PreparedPlan:
    """Plan the change; make none.

    :param now: by a clock that was compared with the database's
    :raises ratekit.errors.OperatorError: the change must not be made
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    plan = hashmap.plan(
        site.storage.rules,
        request.desired,
        site.calendar,
        now,
        request.at,
        request.retroactive,
        request.bring_forward,
    )
    warnings = _find_warnings(site, request, plan)
    if not request.allow_free and not plan.change.empty:
        rule_guards.require_priced(
            plan.book, plan.change, site.storage, site.modules, site.calendar.step
        )
    return PreparedPlan(site, request.desired, plan, warnings)


def price_differences(
    prepared: PreparedPlan, since: datetime.datetime, at: datetime.datetime | None
) -> Sequence[what_if.Difference]:
    """Return what all usage rated since an instant would have cost by the rules of a plan.

    :param since: start of a period
    :param at: when rules without a time of their own start; default: ``since``
    :raises ratekit.errors.OperatorError: ``since`` is not the start of a period
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    site = prepared.site
    scope_admin.require_start(since, site.calendar.step)
    book = what_if.build_book(prepared.plan.book, prepared.desired, at or since)
    return what_if.price_differences(site.storage.reports, PriceList(site.modules, book), since)


def _find_warnings(
    site: Site, request: PlanRequest, plan: hashmap.Plan
) -> Sequence[errors.Mistake]:
    """Return warnings; refuse new rules that never match."""
    path, placed, metrics = request.path, request.placed, site.metrics_conf
    change, reports, scope_key = plan.change, site.storage.reports, site.scope_key
    names_scope = any(
        rule.terms.scope is not None or rule.target.label == scope_key for rule in request.desired
    )
    scope_names = {row.id: row.name for row in reports.scopes(ALL_SCOPES)} if names_scope else {}
    labels = hashmap.rule_labels(metrics_file.read_labels(metrics, scope_key))
    if not request.allow_unknown:
        new = rule_guards.newly_priced(placed, change)
        rule_guards.require_known(path, new, metrics, labels, reports)
        rule_guards.require_scopes(path, placed, change, scope_names)
    warnings = [
        *rule_warnings.find_warnings(path, placed, metrics, labels),
        *rule_warnings.find_unknown_scopes(path, placed, scope_names),
        *rule_warnings.find_scope_names(path, placed, scope_names, scope_key),
        *rule_warnings.find_off_grid_times(path, placed, site.calendar.step),
    ]
    # In the order of the file, whichever check found them.
    warnings.sort(key=lambda warning: warning.line or 0)
    return [
        *warnings,
        *rule_warnings.find_unpriced_metrics(metrics, placed, labels),
        *rule_warnings.find_unpriced_nulls(path, _count_unpriced_nulls(site, plan)),
    ]


def _count_unpriced_nulls(site: Site, plan: hashmap.Plan) -> Mapping[RuleTarget, int]:
    book = apply(plan.book, plan.change)
    return free_usage.count_unpriced_nulls(site.storage, book, site.modules, plan.at)

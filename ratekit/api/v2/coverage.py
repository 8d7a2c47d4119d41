"""``/v2/scope/coverage``: what was rated in each of a scope's newest periods."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any

import pydantic

from ratekit.admin import scope as scope_admin
from ratekit.api.answers import Amount
from ratekit.api.arguments import Arguments, Text, first_text
from ratekit.api.faults import Fault, not_found
from ratekit.api.operation import Call, Operation
from ratekit.api.v2.scope import Scope, show_scope
from ratekit.api.visibility import Demand, restrict
from ratekit.domain.reporting.coverage import Kind
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.reporting.scope_report import ScopeCoverage, ScopeReport
from ratekit.text import count_text


class Query(Arguments):
    """Which scope, and how many of its periods.

    :ivar scope_id: its ID
    :ivar periods: number of periods, up to the newest that is due
    """

    scope_id: Text
    periods: Annotated[
        int, pydantic.BeforeValidator(first_text), pydantic.Field(ge=1, le=10_000)
    ] = 24

    def demand(self, scope_key: str) -> Demand:
        """Return the one scope."""
        return Demand(frozenset({self.scope_id}))


class PeriodState(pydantic.BaseModel):
    """One period in one metric.

    :ivar points: number of rated usages; 0 unless ``state`` is ``points``
    """

    begin: datetime.datetime
    state: Kind
    points: int


class MetricCoverage(pydantic.BaseModel):
    """The periods of one metric, oldest first."""

    metric: str
    periods: list[PeriodState]


class Gap(pydantic.BaseModel):
    """A time range in which the scope was not rated at all.

    :ivar last_instant: the period that contains it is still rated
    :ivar resume: start of the first period that is rated again; null: it is not known yet
    """

    last_instant: datetime.datetime
    resume: datetime.datetime | None


class Exclusion(pydantic.BaseModel):
    """Usage of a resource that was not charged in rated periods.

    :ivar begin: of the first period
    :ivar end: of the last period
    :ivar reason: what is wrong with the resource
    :ivar remedy: what corrects it
    """

    metric: str
    resource: str
    begin: datetime.datetime
    end: datetime.datetime
    reason: str
    remedy: str


class RecentCharges(pydantic.BaseModel):
    """What the scope was charged for periods since a time: this month, UTC."""

    since: datetime.datetime
    frames: int
    price: Amount


class Coverage(pydantic.BaseModel):
    """A scope, its newest periods, and its charges of this month.

    :ivar begin: of the first period
    :ivar end: of the last period
    :ivar period: length of each, in seconds
    :ivar metrics: those that were rated or used at any time of them
    """

    scope: Scope
    begin: datetime.datetime
    end: datetime.datetime
    period: int
    metrics: list[MetricCoverage]
    gaps: list[Gap]
    exclusions: list[Exclusion]
    charges: RecentCharges


def get_coverage(call: Call[Query]) -> dict[str, Any]:
    """Tell what was rated in each of a scope's newest periods, by metric, and what was not.

    The states of a period are `points` (rated, with usage), `silent` (rated, without usage),
    `purged`, `not rated yet`, `gap` (never rated), `not configured` (rated without this metric),
    `before` (the scope's first period) and `unknown`.
    """
    arguments, parts = call.arguments, call.parts
    reports = parts.storage.reports
    all_rows = reports.scopes(ALL_SCOPES)
    rows = [row for row in restrict(all_rows, call.scopes) if row.id == arguments.scope_id]
    if not rows:
        raise not_found("Scope", arguments.scope_id)
    if arguments.periods * parts.calendar.step > parts.limits.range:
        days = count_text(parts.limits.range.days, "day")
        raise Fault(400, f"periods: expected at most {days} of them ([api] max_range)")
    report = scope_admin.read_report(
        reports, rows[0], all_rows, parts.calendar, parts.clock(), arguments.periods
    )
    metrics = len(report.coverage.cells)
    if metrics * arguments.periods > parts.limits.rows:
        raise Fault(
            400,
            f"periods: {arguments.periods:,} of {count_text(metrics, 'metric')} are more than "
            f"{parts.limits.rows:,} states ([api] max_rows); choose fewer",
        )
    return _show(report)


def _show(report: ScopeReport) -> dict[str, Any]:
    window, charges = report.window, report.charges
    return {
        "scope": show_scope(report.row, report.lag),
        "begin": window.begin,
        "end": window.end,
        "period": int(window.step.total_seconds()),
        **_show_coverage(report.coverage),
        "charges": {
            "since": charges.since, "frames": charges.frames, "price": charges.price,
        },
    }  # fmt: skip


def _show_coverage(coverage: ScopeCoverage) -> Mapping[str, Any]:
    return {
        "metrics": [
            {
                "metric": metric,
                "periods": [
                    {"begin": cell.begin, "state": str(cell.kind), "points": cell.points}
                    for cell in cells
                ],
            }
            for metric, cells in coverage.cells.items()
        ],
        "gaps": [{"last_instant": gap.last_instant, "resume": gap.resume} for gap in coverage.gaps],
        "exclusions": [
            {
                "metric": span.exclusion.metric,
                "resource": span.exclusion.resource,
                "begin": span.begin,
                "end": span.end,
                "reason": span.exclusion.reason,
                "remedy": span.exclusion.remedy,
            }
            for span in coverage.exclusions
        ],
    }


OPERATIONS = [
    Operation("GET", "/v2/scope/coverage", get_coverage, "scope:get_state", Query, Coverage),
]

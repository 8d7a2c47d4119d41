"""Find scopes by what an operator remembers of them, with what they cost in two time ranges."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from ratekit.admin.lag import read_lags
from ratekit.admin.scope_condition import Condition, judge
from ratekit.domain.exact import ZERO
from ratekit.domain.period import Period
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import ALL_SCOPES, AllScopes, Page, StateRow
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Reports

_NO_LAG = datetime.timedelta(-1)


class ProjectOrder(enum.StrEnum):
    """What projects are sorted by; equal ones by name and id."""

    NAME = "name"
    COST = "cost"  #: the dearest first
    LAG = "lag"  #: those that are furthest behind first; those that are not rated last


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectQuery:
    """Which projects, in which order.

    :ivar search: a part of the id or the name, in any case; empty: all
    :ivar conditions: empty: all
    :ivar metric: costs are of its usage alone; None: of all usage
    """

    page: Page
    search: str = ""
    order: ProjectOrder = ProjectOrder.NAME
    conditions: Collection[Condition] = ()
    metric: str | None = None

    def accepts(self, row: StateRow, condition: Condition) -> bool:
        """Tell whether a project is asked for."""
        word = self.search.casefold()
        fits = word in row.name.casefold() or word in row.id.casefold()
        return fits and (not self.conditions or condition in self.conditions)


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectCosts:
    """A scope with its costs.

    :ivar lag: how far it is behind what is due; None: it is not rated
    :ivar cost: exact, in the range
    :ivar previous_cost: exact, in the range before
    """

    row: StateRow
    condition: Condition
    lag: datetime.timedelta | None
    cost: Decimal
    previous_cost: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectPage:
    """Some projects.

    :ivar total: how many fit, without a page
    :ivar conditions: number of all projects in each condition
    :ivar cost: exact, of all that fit; None: they are not sorted by cost
    """

    projects: Sequence[ProjectCosts]
    total: int
    conditions: Mapping[Condition, int]
    cost: Decimal | None = None


def read(
    reports: Reports,
    calendar: Calendar,
    query: ProjectQuery,
    ranges: tuple[Period, Period],
    now: datetime.datetime,
) -> ProjectPage:
    """Return a page of projects with their exact costs.

    The costs of the page are read, those of all projects only to sort by them. States are sorted
    here, because databases differ in how they sort text.

    :param ranges: the range, and the one before
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    rows = reports.scopes(ALL_SCOPES)
    costs: Mapping[str, Decimal] | None = None
    conditions, lags = judge(rows, calendar, now), read_lags(rows, calendar, now)
    selected = [row for row in rows if query.accepts(row, conditions[row.id])]
    cost = None
    match query.order:
        case ProjectOrder.COST:
            costs = ranks = _read_costs(reports, query, ranges[0], ALL_SCOPES)
            selected.sort(key=lambda row: -ranks.get(row.id, ZERO))
            cost = add_up(ranks.get(row.id, ZERO) for row in selected)
        case ProjectOrder.LAG:
            selected.sort(key=lambda row: lags.get(row.id, _NO_LAG), reverse=True)
    page = selected[query.page.offset : query.page.end]
    ids = frozenset(row.id for row in page)
    if costs is None:
        costs = _read_costs(reports, query, ranges[0], ids)
    previous = _read_costs(reports, query, ranges[1], ids)
    projects = [
        ProjectCosts(
            row,
            conditions[row.id],
            lags.get(row.id),
            costs.get(row.id, ZERO),
            previous.get(row.id, ZERO),
        )
        for row in page
    ]
    return ProjectPage(projects, len(selected), _count(conditions), cost)


def _read_costs(
    reports: Reports, query: ProjectQuery, range_: Period, ids: AllScopes | frozenset[str]
) -> Mapping[str, Decimal]:
    return reports.prices(range_.begin, range_.end, ids, query.metric)


def _count(conditions: Mapping[str, Condition]) -> Mapping[Condition, int]:
    counts = dict.fromkeys(Condition, 0)
    for condition in conditions.values():
        counts[condition] += 1
    return counts

"""Find scopes by what an operator remembers of them, with what they cost in two time ranges."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

from ratekit.admin.lag import read_lags
from ratekit.admin.scope_condition import Condition, judge
from ratekit.domain.exact import ZERO
from ratekit.domain.period import Period
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import ALL_SCOPES, Page, StateRow
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Reports

#: Prices by the id of the scope.
Costs = Mapping[str, Decimal]

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
    :ivar cost: exact, of all that fit, as old as their order; None: they are not sorted by cost
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
    rank: Callable[[Period, str | None], Costs],
) -> ProjectPage:
    """Return a page of projects with their exact costs.

    The costs of the page are read, those of all projects only to sort by them. States are sorted
    here, because databases differ in how they sort text.

    :param ranges: the range, and the one before
    :param rank: returns the costs of all projects, some minutes old, in a range and by a metric or
        all of them
    :raises ratekit.errors.TryLater: the storage did not answer
    """
    rows = reports.scopes(ALL_SCOPES)
    conditions, lags = judge(rows, calendar, now), read_lags(rows, calendar, now)
    selected = [row for row in rows if query.accepts(row, conditions[row.id])]
    cost = None
    match query.order:
        case ProjectOrder.COST:
            ranks = rank(ranges[0], query.metric)
            selected.sort(key=lambda row: -ranks.get(row.id, ZERO))
            cost = add_up(ranks.get(row.id, ZERO) for row in selected)
        case ProjectOrder.LAG:
            selected.sort(key=lambda row: lags.get(row.id, _NO_LAG), reverse=True)
    page = selected[query.page.offset : query.page.end]
    ids = frozenset(row.id for row in page)
    costs, previous = (
        reports.prices(range_.begin, range_.end, ids, query.metric) for range_ in ranges
    )
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


def _count(conditions: Mapping[str, Condition]) -> Mapping[Condition, int]:
    counts = dict.fromkeys(Condition, 0)
    for condition in conditions.values():
        counts[condition] += 1
    return counts

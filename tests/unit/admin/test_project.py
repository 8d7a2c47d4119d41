"""Projects are searched, sorted, cut to a page, and have exact costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from ratekit.admin import project
from ratekit.admin.project import ProjectCosts, ProjectOrder, ProjectPage, ProjectQuery
from ratekit.admin.scope_condition import Condition
from ratekit.domain.period import Period
from ratekit.domain.reporting.reports import EVERYTHING, Page
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Storage
from tests.contract.given import HOUR, batch, build_series, hour, list_scopes, statements, window

_CALENDAR = Calendar(HOUR, wait_periods=0)
_NOW = hour(6.5)
_RANGE, _BEFORE = Period(hour(1), hour(9)), Period(hour(0), hour(1))
#: What each scope costs in its first hours, by its id; the names are in the other order.
_COSTS: Mapping[str, Sequence[str]] = {
    "a": ["1", "0.1", "0.0000000000000000000000000001"],
    "b": ["2", "7"],
    "c": ["0", "3", "3"],
}


@pytest.fixture(autouse=True)
def rated(storage: Storage) -> None:
    """Scope b fails after 2 hours, d was never rated; the others are rated for 6 hours."""
    states = list_scopes(storage, *_COSTS, "d", now=_NOW)
    for state, prices in zip(states, _COSTS.values(), strict=False):
        usage = build_series(state.scope.id, [("1", price) for price in prices])
        count = 2 if state.scope.id == "b" else 6
        storage.ledger.commit(batch([state], usage, periods=window(count)))
    failing = [
        state for state in list_scopes(storage, *_COSTS, "d", now=_NOW) if state.scope.id == "b"
    ]
    storage.ledger.postpone(failing, "no answer", hour(7))


def read(storage: Storage, page: Page = EVERYTHING, **fields: object) -> ProjectPage:
    """Return a page of projects."""
    query = ProjectQuery(page, **fields)  # type: ignore[arg-type]
    return project.read(storage.reports, _CALENDAR, query, (_RANGE, _BEFORE), _NOW)


def ids(page: ProjectPage) -> list[str]:
    """Return the ids of the projects."""
    return [entry.row.id for entry in page.projects]


def test_costs_are_exact_in_both_ranges(storage: Storage) -> None:
    first = read(storage).projects[0]
    assert isinstance(first, ProjectCosts)
    assert (first.cost, first.previous_cost) == (
        Decimal("0.1000000000000000000000000001"),
        Decimal(1),
    )


def test_a_project_without_usage_costs_nothing(storage: Storage) -> None:
    (entry,) = read(storage, search="name of d").projects
    assert entry.cost == entry.previous_cost == 0


@pytest.mark.parametrize(
    ("order", "expected"),
    [(ProjectOrder.NAME, "abcd"), (ProjectOrder.COST, "bcad"), (ProjectOrder.LAG, "dbac")],
)
def test_projects_are_sorted(storage: Storage, order: ProjectOrder, expected: str) -> None:
    assert ids(read(storage, order=order)) == list(expected)


def test_scopes_that_are_not_rated_are_the_last_by_lag(storage: Storage) -> None:
    storage.scopes.deactivate("d", _NOW)
    page = read(storage, order=ProjectOrder.LAG)
    assert ids(page) == ["b", "a", "c", "d"]
    assert page.projects[-1].lag is None


def test_a_page_is_cut_after_sorting(storage: Storage) -> None:
    page = read(storage, Page(1, 2), order=ProjectOrder.COST)
    assert (ids(page), page.total) == (["c", "a"], 4)


@pytest.mark.parametrize(
    ("word", "expected"), [("NAME OF C", "c"), ("b", "b"), ("x", ""), ("", "abcd")]
)
def test_a_part_of_a_name_or_an_id_finds_projects(
    storage: Storage, word: str, expected: str
) -> None:
    assert ids(read(storage, search=word)) == list(expected)


def test_projects_are_selected_by_their_condition(storage: Storage) -> None:
    page = read(storage, conditions=[Condition.FAILING, Condition.LATE])
    assert [(entry.row.id, entry.condition, entry.lag) for entry in page.projects] == [
        ("b", Condition.FAILING, 4 * HOUR),
        ("d", Condition.LATE, 6 * HOUR),
    ]
    assert page.conditions == {
        Condition.RATED: 2,
        Condition.LATE: 1,
        Condition.FAILING: 1,
        Condition.INACTIVE: 0,
        Condition.DEACTIVATED: 0,
    }


def test_only_the_costs_of_the_page_are_read(storage: Storage) -> None:
    with statements() as sent:
        read(storage, Page(0, 1))
    assert len([statement for statement in sent if "totals" in statement]) == 2

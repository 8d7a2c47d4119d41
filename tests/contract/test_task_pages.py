"""Pages of tasks on every database."""

from __future__ import annotations

import pytest

from ratekit.domain.reporting.reports import ALL_SCOPES, EVERYTHING, Page
from ratekit.domain.reprocessing.task import Account, TaskSelection
from ratekit.interfaces import Storage
from tests.contract.given import hour, statements
from tests.contract.test_tasks import NOTE, order, queue_task, rate_hours, repricer

_SCOPES = ("a", "b", "c", "d")


@pytest.fixture
def ids(storage: Storage) -> list[int]:
    """Tasks: of a done, of b failing, of c cancelled, of d untouched."""
    rate_hours(storage, *_SCOPES)
    tasks = [queue_task(storage, order(scope, 0, 2)) for scope in _SCOPES]
    assert storage.task_ledger.swap(tasks[0], repricer(tasks[0]), hour(100)) is not None
    storage.task_ledger.postpone(tasks[1], "Gnocchi did not answer", hour(101))
    assert storage.tasks.cancel(tasks[2].id, hour(100))
    return [task.id for task in tasks]


def numbers(storage: Storage, which: TaskSelection, page: Page = EVERYTHING) -> list[int]:
    """Return the ids of a page of tasks."""
    return [task.id for task, _ in storage.tasks.task_page(page, which, ALL_SCOPES).entries]


def test_the_newest_tasks_come_first(storage: Storage, ids: list[int]) -> None:
    assert numbers(storage, TaskSelection.ALL) == ids[::-1]


def test_the_oldest_come_first_if_asked(storage: Storage, ids: list[int]) -> None:
    page = storage.tasks.task_page(Page(1, 2), TaskSelection.ALL, ALL_SCOPES, newest_first=False)
    assert [task.id for task, _ in page.entries] == ids[1:3]


@pytest.mark.parametrize(
    ("scopes", "positions"), [({"b", "d", "nobody"}, [3, 1]), ({"nobody"}, []), (set(), [])]
)
def test_tasks_of_other_scopes_are_neither_listed_nor_counted(
    storage: Storage, ids: list[int], scopes: set[str], positions: list[int]
) -> None:
    page = storage.tasks.task_page(EVERYTHING, TaskSelection.ALL, frozenset(scopes))
    assert [task.id for task, _ in page.entries] == [ids[position] for position in positions]
    assert page.total == len(positions)


@pytest.mark.parametrize(
    ("which", "positions"),
    [
        (TaskSelection.OPEN, [3, 1]),
        (TaskSelection.FAILING, [1]),
        (TaskSelection.DONE, [0]),
        (TaskSelection.CANCELLED, [2]),
    ],
)
def test_tasks_are_selected_by_their_state(
    storage: Storage, ids: list[int], which: TaskSelection, positions: list[int]
) -> None:
    assert numbers(storage, which) == [ids[position] for position in positions]
    assert storage.tasks.task_page(Page(0, 1), which, ALL_SCOPES).total == len(positions)


def test_a_page_has_its_tasks_and_the_number_of_all(storage: Storage, ids: list[int]) -> None:
    assert numbers(storage, TaskSelection.ALL, Page(1, 2)) == [ids[2], ids[1]]
    assert numbers(storage, TaskSelection.ALL, Page(4, 2)) == []
    assert storage.tasks.task_page(Page(4, 2), TaskSelection.ALL, ALL_SCOPES).total == 4


def test_what_tasks_have_done_is_what_a_list_says(storage: Storage, ids: list[int]) -> None:
    page = storage.tasks.task_page(Page(0, 10), TaskSelection.ALL, ALL_SCOPES)
    assert list(reversed(page.entries)) == list(storage.tasks.tasks(ended=True))
    accounts = {task.id: account for task, account in page.entries}
    assert accounts[ids[0]].new.price > accounts[ids[0]].old.price
    assert accounts[ids[3]] == Account({})


def test_a_page_costs_as_much_as_it_shows(storage: Storage) -> None:
    rate_hours(storage, *_SCOPES)
    storage.tasks.add([order(scope) for scope in _SCOPES], NOTE)
    with statements() as sent:
        storage.tasks.task_page(Page(0, 2), TaskSelection.OPEN, ALL_SCOPES)
    assert len([statement for statement in sent if "tasks" in statement]) == 3


def test_there_may_be_no_task(storage: Storage) -> None:
    page = storage.tasks.task_page(Page(0, 10), TaskSelection.ALL, ALL_SCOPES)
    assert (list(page.entries), page.total) == ([], 0)

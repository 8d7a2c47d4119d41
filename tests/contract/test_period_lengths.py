"""What was rated before [collect] period was changed is charged once, on every database."""

from __future__ import annotations

import datetime

import pytest

from ratekit import errors
from ratekit.domain.period import Window
from ratekit.domain.reprocessing.task import Order, RepricedWindow, TaskKind, TaskNote
from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract.given import HOUR, batch, build_series, hour, list_scopes, read_frames

DAY = 24 * HOUR
NOTE = TaskNote("prices were wrong", "ann@example", hour(99))


def rate(storage: Storage, begin: int, step: datetime.timedelta, count: int) -> None:
    """Rate periods of a length from an hour on."""
    window = Window(hour(begin), step, count)
    series = [build_series("a", [("1", "0.5")], begin=begin) for begin in window.begins()]
    storage.ledger.commit(batch(list_scopes(storage, "a"), *series, periods=window))


def order(begin: int, end: int, kind: TaskKind = TaskKind.COLLECT) -> Order:
    return Order(Scope("a"), hour(begin), hour(end), HOUR, kind)


@pytest.fixture
def changed_storage(storage: Storage) -> Storage:
    """Two days were rated as days, then a day by the hour."""
    rate(storage, 0, DAY, 2)
    rate(storage, 48, HOUR, 24)
    return storage


@pytest.mark.parametrize(("begin", "end"), [(10, 12), (24, 48), (47, 49), (0, 72)])
def test_a_longer_period_is_not_collected_again_in_shorter_ones(
    changed_storage: Storage, begin: int, end: int
) -> None:
    with pytest.raises(errors.OperatorError, match="was rated in periods of 1 d, not"):
        changed_storage.tasks.add([order(begin, end)], NOTE)
    assert changed_storage.tasks.tasks() == []
    changed_storage.tasks.add([order(begin, end, TaskKind.RATES)], NOTE)


def test_periods_of_this_length_are_collected_again(
    changed_storage: Storage,
) -> None:
    assert len(changed_storage.tasks.add([order(48, 72)], NOTE)) == 1


def test_before_an_hour_was_rated_the_last_length_counts(storage: Storage) -> None:
    rate(storage, 0, DAY, 2)
    with pytest.raises(errors.OperatorError, match="periods of 1 d,"):
        storage.tasks.add([order(0, 48)], NOTE)


def test_a_processor_checks_the_length_too(changed_storage: Storage) -> None:
    """The scope may have been reset, and rated otherwise, since the task was queued."""
    (id_,) = changed_storage.tasks.add([order(0, 48, TaskKind.RATES)], NOTE)
    task = changed_storage.task_ledger.read(id_)
    assert task is not None
    before = read_frames(changed_storage)
    repricer = RepricedWindow(Window(hour(0), HOUR, 24), {}, [], 0, ("instance",))
    with pytest.raises(errors.OperatorError, match="periods of 1 d,"):
        changed_storage.task_ledger.swap(task, repricer, hour(99))
    assert read_frames(changed_storage) == before


def test_a_reset_uses_the_length_of_that_time(changed_storage: Storage) -> None:
    assert changed_storage.scopes.plan_reset("a", hour(30)).step == DAY
    assert changed_storage.scopes.plan_reset("a", hour(48)).step == HOUR
    assert changed_storage.scopes.plan_reset("a", hour(60)).step == HOUR


def test_periods_rated_again_after_a_reset_have_the_current_length(
    changed_storage: Storage,
) -> None:
    changed_storage.scopes.reset(changed_storage.scopes.plan_reset("a", hour(24)))
    assert changed_storage.scopes.plan_reset("a", hour(24)).step == DAY
    rate(changed_storage, 24, HOUR, 24)
    assert changed_storage.scopes.plan_reset("a", hour(23)).step == DAY
    assert changed_storage.scopes.plan_reset("a", hour(30)).step == HOUR
    assert changed_storage.scopes.plan_reset("a", hour(24)).frames == 24
    with pytest.raises(errors.OperatorError, match="periods of 1 d,"):
        changed_storage.tasks.add([order(23, 25)], NOTE)
    assert len(changed_storage.tasks.add([order(24, 48)], NOTE)) == 1

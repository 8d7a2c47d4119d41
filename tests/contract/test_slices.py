"""A batch is never in memory as a whole: its series are read in slices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from decimal import Decimal

import pytest

from ratekit.domain.reprocessing.task import Order, RepricedWindow, TaskKind, TaskNote
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries
from ratekit.interfaces import Storage
from ratekit.storage.ledger import slices
from tests.contract.given import HOUR, START, batch, build_series, hour, list_scopes, total, window

#: Series of a batch, and of a slice: each has a weight of 9.
COUNT, PER_SLICE = 40, 5


class LivingSeries(RatedSeries):
    """A series that counts those that are in memory.

    :cvar alive: their number now
    :cvar peak: the largest number so far
    """

    alive = 0
    peak = 0

    def __post_init__(self) -> None:
        RatedSeries.__post_init__(self)
        LivingSeries.alive += 1
        LivingSeries.peak = max(LivingSeries.peak, LivingSeries.alive)

    def __del__(self) -> None:
        LivingSeries.alive -= 1


@dataclasses.dataclass(frozen=True)
class Spooled:
    """Series of one hour that are built anew each time they are read, as if from a file."""

    price: str

    def __iter__(self) -> Iterator[RatedSeries]:
        for number in range(COUNT):
            rated = build_series("a", [("1", self.price)], labels={"id": f"{number}"})
            yield LivingSeries(rated.series, rated.prices)


@pytest.fixture
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE", 9 * PER_SLICE)
    monkeypatch.setattr(LivingSeries, "peak", 0)


@pytest.mark.usefixtures("_small_slices")
def test_one_slice_of_a_batch_or_swap_is_in_memory(storage: Storage) -> None:
    states = list_scopes(storage, "a", now=hour(2))
    rated_batch = dataclasses.replace(batch(states), series=Spooled("0.5"))
    assert storage.ledger.commit(rated_batch).frames == COUNT
    assert total(storage) == (COUNT, Decimal(COUNT) / 2)
    assert 0 < LivingSeries.peak <= PER_SLICE + 2

    LivingSeries.peak = 0
    order = Order(Scope("a", "name of a"), START, hour(1), HOUR, TaskKind.COLLECT)
    storage.tasks.add([order], TaskNote("", "ann@example", hour(2)))
    (task,) = storage.task_ledger.open_tasks(None)
    repriced = RepricedWindow(window(), {}, Spooled("0.25"), 0, ("instance",))
    assert storage.task_ledger.swap(task, repriced, hour(2)) is not None
    assert total(storage) == (COUNT, Decimal(COUNT) / 4)
    assert 0 < LivingSeries.peak <= PER_SLICE + 2

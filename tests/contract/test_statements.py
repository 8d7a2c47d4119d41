"""A batch takes few statements, whatever its size is, and however long the process has run."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ratekit.domain.period import Window
from ratekit.domain.scope import State
from ratekit.domain.series import RatedSeries
from ratekit.interfaces import Storage
from ratekit.storage.db import bulk
from ratekit.storage.ledger import slices
from tests.contract.conftest import Open
from tests.contract.given import (
    HOUR,
    batch,
    build_series,
    hour,
    list_scopes,
    read_frames,
    statements,
    total,
)

LIMIT = 13
#: Scopes of a batch; all others are series of the first one.
SCOPES = 5


@pytest.fixture
def bulk_writes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tables of the bulk writes, which SQLAlchemy does not see."""
    tables: list[str] = []
    for name in ("insert_texts", "insert_values"):
        insert = getattr(bulk, name)

        def note(
            connection: sa.Connection,
            table: sa.Table,
            *arguments: Any,
            insert: Callable[..., None] = insert,
        ) -> None:
            tables.append(table.name)
            insert(connection, table, *arguments)

        monkeypatch.setattr(bulk, name, note)
    return tables


def usage(size: int, first: int, begin: int, *, shared: bool = False) -> list[RatedSeries]:
    """Return so many series of scopes ``scope 0`` and so on, with labels from ``first`` on."""
    return [
        build_series(
            f"scope {number % SCOPES}",
            [("2", "0.5")],
            begin=hour(begin),
            labels={"id": f"{first + number}"},
            shared={0: ("4", "0.5")} if shared and number == 0 else None,
        )
        for number in range(size)
    ]


def commit(
    storage: Storage, states: list[State], series: list[RatedSeries], bulk_writes: list[str]
) -> int:
    """Commit one hour; return the number of statements."""
    bulk_writes.clear()
    periods = Window(states[0].rated_until, HOUR, 1)
    with statements() as sent_statements:
        result = storage.ledger.commit(batch(states, *series, periods=periods))
    assert (result.frames, result.lost_scopes) == (len(series), ())
    assert sorted(bulk_writes) == ["frames", "totals"]
    return len(sent_statements) + len(bulk_writes)


@pytest.mark.parametrize("size", [10, 1000, 20_000])
def test_a_batch_takes_at_most_13_statements(
    storage: Storage, open_another: Open, bulk_writes: list[str], size: int
) -> None:
    names = [f"scope {number}" for number in range(SCOPES)]
    counts = {}
    # Everything is new: the metrics, the labels, the process.
    counts["first"] = commit(storage, list_scopes(storage, *names), usage(size, 0, 0), bulk_writes)
    states = list_scopes(storage, *names)
    counts["old process"] = commit(storage, states, usage(size, 0, 1), bulk_writes)
    fresh = open_another()
    counts["fresh process"] = commit(
        fresh, list_scopes(fresh, *names), usage(size, 0, 2), bulk_writes
    )
    states = list_scopes(storage, *names)
    half_new = usage(size, size // 2, 3, shared=True)
    counts["half of the labels are new"] = commit(storage, states, half_new, bulk_writes)
    assert {name: count for name, count in counts.items() if count > LIMIT} == {}
    assert total(storage) == (4 * size, Decimal(2 * size))


def test_a_batch_of_several_slices_is_written_once(
    storage: Storage, open_another: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE", 36)
    names = [f"scope {number}" for number in range(SCOPES)]
    for number, ledger_storage in enumerate([storage, storage, open_another()]):
        states = list_scopes(ledger_storage, *names)
        # The same label sets come back in another slice.
        series = usage(11, 3 * number, number, shared=True)
        periods = Window(hour(number), HOUR, 1)
        result = ledger_storage.ledger.commit(batch(states, *series, periods=periods))
        assert result.frames == 11
    assert len(read_frames(storage)) == 33
    assert {price for *_, price in read_frames(storage)} == {total(storage)[1] / 33}

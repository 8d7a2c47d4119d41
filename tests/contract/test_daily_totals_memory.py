"""What a batch adds to daily totals is sent in parts, of which one is in memory."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ratekit.interfaces import Storage
from ratekit.storage import revisions
from ratekit.storage.db.engine import Database
from ratekit.storage.ledger import daily_totals
from ratekit.storage.ledger.sums import DAY, Total
from ratekit.storage.schema import DAILY_TOTALS
from tests.contract.given import START, list_scopes

PART, FEW, MANY = 500, 600, 3000


def read_peak(connection: sa.Connection, days: list[Total]) -> int:
    """Add days; return how many bytes that took at most."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    daily_totals.add(connection, days)
    _, peak = tracemalloc.get_traced_memory()
    return peak - before


def test_memory_does_not_grow_with_the_number_of_days(
    storage: Storage, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_totals, "PART", PART)
    (state,) = list_scopes(storage, "a")
    days = [
        Total(state.scope_pk, START + number * DAY, "cpu", "core", 24, Decimal(1), Decimal("0.1"))
        for number in range(FEW + MANY)
    ]
    database = Database(url, needs=revisions.head())
    tracemalloc.start()
    try:
        with database.writing() as connection:
            peaks = [read_peak(connection, part) for part in (days[:FEW], days[FEW:])]
            # The second time, each row exists.
            daily_totals.add(connection, days)
            columns = sa.func.count(), sa.func.sum(DAILY_TOTALS.c.points)
            count, points = connection.execute(sa.select(*columns)).one()
    finally:
        tracemalloc.stop()
        database.close()
    assert peaks[1] < 2 * peaks[0]
    assert (count, points) == (FEW + MANY, 2 * 24 * (FEW + MANY))

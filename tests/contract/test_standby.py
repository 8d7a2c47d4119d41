"""A hot standby of PostgreSQL: all reports work on it, and nothing writes to it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.interfaces import Storage
from ratekit.storage import migrate, revisions
from tests.contract.given import (
    batch,
    build_series,
    hour,
    list_scopes,
    note,
    read_frames,
    reopen,
    total,
    window,
)
from tests.databases import standby_pair
from tests.databases.postgresql import Postgresql, Standby

Pair = tuple[Postgresql, Standby]


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    """A primary and its standby."""
    with standby_pair() as pair:
        yield pair


@pytest.fixture
def urls(servers: Pair) -> Iterator[tuple[str, str]]:
    """URLs of one migrated database, with an hour of one scope, on both."""
    primary, standby = servers
    with primary.fresh() as url:
        migrate.upgrade(url)
        storage = reopen(url)
        states = list_scopes(storage, "a")
        storage.ledger.commit(batch(states, build_series("a", [("2", "0.5")])))
        standby.wait_for_primary()
        name = url.rpartition("/")[2]
        yield url, standby.root.set(database=name).render_as_string(hide_password=False)


def test_a_standby_has_all_reports(urls: tuple[str, str]) -> None:
    revisions.check(urls[1])
    storage = reopen(urls[1])
    assert read_frames(storage) == [("a", hour(0), Decimal(2), Decimal("0.5"))]
    assert total(storage) == (1, Decimal("0.5"))
    assert [
        row.price
        for row in storage.reports.summary(Selection(scopes=ALL_SCOPES), ("id",), datetime.UTC)
    ]
    assert [row.id for row in storage.reports.scopes(ALL_SCOPES)] == ["a"]


WRITES: dict[str, Callable[[Storage], object]] = {
    "observe": lambda storage: list_scopes(storage, "b"),
    "change rules": lambda storage: storage.rules.change(0, [], [], note()),
    "deactivate": lambda storage: storage.scopes.deactivate("a", hour(1)),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_standby_refuses_writes_and_says_where_to_write(
    urls: tuple[str, str], write: Callable[[Storage], object]
) -> None:
    storage = reopen(urls[1])
    for _ in range(2):
        with pytest.raises(errors.TryLater, match="the server is read-only") as caught:
            write(storage)
        assert "[database] connection must lead to the primary" in str(caught.value)
        # A connection that has read comes back from the pool.
        assert total(storage) == (1, Decimal("0.5"))


def test_a_standby_that_is_promoted_takes_writes_of_processes_that_used_it_before() -> None:
    with standby_pair() as (primary, standby):
        url = primary.url("ratekit")
        migrate.upgrade(url)
        states = list_scopes(reopen(url), "a")
        standby.wait_for_primary()
        storage = reopen(standby.root.set(database="ratekit").render_as_string(hide_password=False))
        assert read_frames(storage) == []
        with pytest.raises(errors.TryLater):
            storage.ledger.commit(batch(states, build_series("a", [("2", "0.5")])))
        primary.kill()
        standby.promote()
        storage.ledger.commit(batch(states, build_series("a", [("2", "0.5")]), periods=window()))
        assert total(storage) == (1, Decimal("0.5"))

"""PostgreSQL behind PgBouncer in transaction mode: no transaction relies on its session."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from ratekit import errors
from ratekit.interfaces import Storage
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database
from tests.contract.given import (
    batch,
    build_series,
    hour,
    list_scopes,
    read_frames,
    reopen,
    run_at_once,
    window,
)
from tests.databases import pgbouncer_of_session

LIMITS = (
    "SELECT setting::int / 1000 FROM pg_settings WHERE name IN"
    " ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')"
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """URL of a migrated database through the pooler."""
    with pgbouncer_of_session() as pooler, pooler.fresh() as database_url:
        migrate.upgrade(database_url)
        yield database_url


def limits(database: Database) -> list[int]:
    """Return how long a transaction of each kind waits at most, in seconds."""
    seconds: list[int] = []
    for work in (database.reading, database.writing):
        with work() as connection:
            seconds.extend(connection.exec_driver_sql(LIMITS).scalars())
    return seconds


def test_every_wait_has_a_limit(url: str) -> None:
    database = Database(url)
    assert all(0 < limit <= 600 for limit in limits(database))
    database.close()


def test_limits_of_one_process_are_not_those_of_another(url: str) -> None:
    hasty, patient = Database(url), Database(url, patient=True)
    for _ in range(4):
        assert all(0 < limit <= 600 for limit in limits(hasty))
        assert set(limits(patient)) == {0}
    hasty.close()


def test_a_statement_beyond_its_limit_is_tried_later(url: str) -> None:
    database = Database(url)
    with pytest.raises(errors.TryLater, match="timeout"), database.writing() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 10; SELECT pg_sleep(5)")
    assert all(0 < limit <= 600 for limit in limits(database))
    database.close()


def test_the_limit_of_a_report_is_not_that_of_another_transaction(url: str) -> None:
    database = Database(url)
    for _ in range(4):
        with pytest.raises(errors.TooSlow), database.reading(0.05) as connection:
            connection.exec_driver_sql("SELECT pg_sleep(5)")
        assert all(30 <= limit <= 600 for limit in limits(database))
    database.close()


def test_processors_that_share_sessions_rate_and_report(url: str) -> None:
    """A statement that is prepared in a session is unknown, or known already, in the next."""
    storages = [reopen(url) for _ in range(3)]

    def rate(storage: Storage) -> None:
        for number in range(12):
            (state,) = list_scopes(storage, "a")
            series = build_series("a", [("1", "0.5")], begin=hour(number))
            storage.ledger.commit(batch([state], series, periods=window(1, begin=hour(number))))

    run_at_once(*(functools.partial(rate, storage) for storage in storages))
    begins = [begin for _, begin, _, _ in read_frames(storages[0])]
    assert len(begins) == len(set(begins)) == 12


def test_several_migrations_at_once_do_no_harm() -> None:
    with pgbouncer_of_session() as pooler, pooler.fresh() as empty:
        run_at_once(*[functools.partial(migrate.upgrade, empty)] * 3)
        revisions.check(empty)

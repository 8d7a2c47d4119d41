"""A migration under a running processor: the processor writes before it, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from ratekit import errors
from ratekit.domain.scope import State
from ratekit.interfaces import Storage
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database
from ratekit.storage.sql import open_storage
from tests.contract.given import START, batch, build_series, list_scopes, note, read_frames

#: A revision that is not this code's.
EARLIER = revisions.revisions()[-2]


@pytest.fixture
def storage(migrated_url: str) -> Storage:
    """What a running processor has."""
    return open_storage(migrated_url, scope_key="project_id", fetcher="static", collector="gnocchi")


@pytest.fixture
def states(storage: Storage) -> list[State]:
    """A scope of the running processor."""
    return list_scopes(storage, "a")


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    """What the parts of a storage share."""
    database = Database(migrated_url, needs=revisions.head())
    yield database
    database.close()


def migrate_to_earlier(url: str) -> None:
    """Migrate to a revision that is not the one that the code needs."""
    database = Database(url, patient=True)
    with database.writing() as connection:
        migrate.move(connection, EARLIER)
    database.close()


def writes(storage: Storage, states: list[State]) -> list[Callable[[], object]]:
    """Return all that a running processor, or an operator beside it, may write."""
    return [
        lambda: storage.ledger.commit(batch(states, build_series("a", [("1", "1")]))),
        lambda: storage.ledger.observe([state.scope for state in states], START, START, START),
        lambda: storage.ledger.postpone(states, "no", START),
        lambda: storage.rules.change(0, [], [], note()),
    ]


def test_nothing_is_written_after_a_migration(
    migrated_url: str, storage: Storage, states: list[State]
) -> None:
    migrate_to_earlier(migrated_url)
    for write in writes(storage, states):
        with pytest.raises(errors.SchemaChanged) as caught:
            write()
        line = str(caught.value)
        assert "\n" not in line
        assert EARLIER in line
        assert revisions.head() in line
    migrate.upgrade(migrated_url)
    assert read_frames(storage) == []
    assert list_scopes(storage, "a") == states
    assert storage.rules.read().version == 0


def test_a_processor_of_an_older_release_cannot_write_after_the_upgrade(url: str) -> None:
    """What it needs is the only thing in which its writing differs."""
    migrate_to_earlier(url)
    older = Database(url, needs=EARLIER)
    with older.writing() as connection:
        connection.exec_driver_sql("UPDATE hashmap_versions SET version = 1")
    migrate.upgrade(url)
    with pytest.raises(errors.SchemaChanged) as caught, older.writing() as connection:
        connection.exec_driver_sql("UPDATE hashmap_versions SET version = 2")
    assert f"needs revision {EARLIER}" in str(caught.value)
    older.close()
    with Database(url).reading() as connection:
        assert connection.exec_driver_sql("SELECT version FROM hashmap_versions").scalar() == 1


def test_nothing_is_written_during_a_migration(
    migrated_url: str, storage: Storage, states: list[State]
) -> None:
    refusals: list[errors.RatekitError] = []

    def commit() -> None:
        with pytest.raises(errors.SchemaChanged) as caught:
            storage.ledger.commit(batch(states, build_series("a", [("1", "1")])))
        refusals.append(caught.value)

    beside = threading.Thread(target=commit)
    migrator = Database(migrated_url, patient=True)
    with migrator.writing() as connection:
        migrate.move(connection, EARLIER)
        beside.start()
        beside.join(0.3)
    beside.join()
    migrator.close()
    assert len(refusals) == 1
    migrate.upgrade(migrated_url)
    assert read_frames(storage) == []


def test_a_migration_waits_for_a_transaction_that_has_begun(
    migrated_url: str, database: Database, states: list[State]
) -> None:
    beside = threading.Thread(target=migrate_to_earlier, args=(migrated_url,))
    with database.writing() as connection:
        beside.start()
        beside.join(0.5)
        assert beside.is_alive()
        # Into what the migration drops.
        connection.exec_driver_sql(
            "INSERT INTO gaps VALUES (1, 1, '2026-03-01 00:30:00.000000', NULL)"
        )
    beside.join()
    assert revisions.current(migrated_url) == EARLIER


def test_several_migrations_at_once_do_no_harm(url: str) -> None:
    failed: list[BaseException] = []

    def upgrade() -> None:
        try:
            migrate.upgrade(url)
        except errors.RatekitError as error:
            failed.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    revisions.check(url)

"""A migration that dies half-way: on MariaDB a part of its changes is there."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import pathlib
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database
from ratekit.storage.sql import open_storage
from tests.contract.given import START, batch, list_scopes
from tests.daily_totals import find_wrong_days
from tests.databases import new_database
from tests.migrations.test_migrations import shape

LAST = revisions.revisions()[-1]
#: A migration that changes a table, which a reader of it can hold up, and the one before.
CHANGING, BEFORE = "0005", "0004"


@pytest.fixture
def mariadb(tmp_path: pathlib.Path) -> Iterator[str]:
    """URL of an empty database that commits each change of a table by itself."""
    with new_database("mariadb", tmp_path) as database_url:
        yield database_url


def change(url: str, statement: str) -> None:
    """Run a statement behind everybody's back."""
    database = Database(url)
    with database.writing() as connection:
        connection.exec_driver_sql(statement)
    database.close()


def test_a_processor_stops_and_the_next_upgrade_ends_what_a_killed_one_began(mariadb: str) -> None:
    migrate.upgrade(mariadb)
    storage = open_storage(mariadb, scope_key="project_id", fetcher="static", collector="gnocchi")
    states = list_scopes(storage, "a")
    patient = Database(mariadb, patient=True)
    with patient.writing() as connection:
        migrate.move(connection, BEFORE)
    process = multiprocessing.get_context("spawn").Process(target=migrate.upgrade, args=(mariadb,))
    reader = Database(mariadb)
    with reader.reading() as connection:
        # Who reads a table keeps it from being changed.
        connection.exec_driver_sql("SELECT count(*) FROM scopes").scalar()
        process.start()
        until = time.monotonic() + 120
        while revisions.current(mariadb) != f"{BEFORE}>{CHANGING}" and time.monotonic() < until:
            time.sleep(0.05)
        process.kill()
        process.join()
    with pytest.raises(errors.SchemaChanged, match=f"{BEFORE}>{CHANGING}"):
        storage.ledger.commit(batch(states))
    with pytest.raises(errors.OperatorError, match="run ratekit-dbsync upgrade again") as caught:
        revisions.check(mariadb)
    assert "\n" not in str(caught.value)
    migrate.upgrade(mariadb)
    revisions.check(mariadb)
    assert storage.ledger.observe([], START, START, START).states == tuple(states)
    for database in (patient, reader):
        database.close()


def test_a_migration_can_be_run_again_from_each_of_its_statements(
    mariadb: str, tmp_path: pathlib.Path
) -> None:
    with new_database("mariadb", tmp_path) as whole_url:
        migrate.upgrade(whole_url)
        whole = shape(whole_url)
    database = Database(mariadb, patient=True)
    stops = 0
    for number in range(2, 200, 5):
        with (
            contextlib.suppress(Stopped),
            stop_at(number),
            database.writing() as connection,
        ):
            migrate.move(connection, LAST)
        if revisions.current(mariadb) == LAST:
            break
        stops += 1
        migrate.upgrade(mariadb)
        assert shape(mariadb) == whole
        with database.writing() as connection:
            migrate.move(connection, None)
    database.close()
    assert stops > 3


def test_a_migration_down_can_be_run_again_from_each_of_its_statements(
    mariadb: str, tmp_path: pathlib.Path
) -> None:
    migrate.upgrade(mariadb)
    whole = shape(mariadb)
    database = Database(mariadb, patient=True)
    stops = 0
    for number in itertools.count(2, 5):
        with (
            contextlib.suppress(Stopped),
            stop_at(number),
            database.writing() as connection,
        ):
            migrate.move(connection, None)
        if revisions.current(mariadb) is None:
            break
        stops += 1
        # Down to the end, or up again: the interrupted step ends first.
        if stops % 2:
            with database.writing() as connection:
                migrate.move(connection, None)
            with database.reading() as connection:
                assert sa.inspect(connection).get_table_names() == ["alembic_version"]
        migrate.upgrade(mariadb)
        assert shape(mariadb) == whole
    database.close()
    assert stops > 5


def test_daily_totals_that_were_filled_in_part_are_filled_again(mariadb: str) -> None:
    database = Database(mariadb, patient=True)
    with database.writing() as connection:
        migrate.move(connection, "0014")
    instant = "'2026-03-01 01:00:00'"
    with database.writing() as connection:
        for number in range(1, 26):
            connection.exec_driver_sql(
                "INSERT INTO scopes (id, scope_key, scope_id, name, fetcher, collector, failures,"
                f" active, rated_until, last_seen) VALUES ({number}, 'project_id', 's{number}', '',"
                f" '', '', 0, true, {instant}, {instant})"
            )
            connection.exec_driver_sql(
                f"INSERT INTO totals VALUES ({number}, {instant}, 'cpu', 'core', 1, '1', '0.1')"
            )
    counts = []
    for number in itertools.count(2):
        with contextlib.suppress(Stopped), stop_at(number), database.writing() as connection:
            migrate.move(connection, "0015")
        revision = revisions.current(mariadb)
        if revision == "0015":
            break
        if revision == "0014>0015":
            # What was written before it was stopped, as if it had been killed after a COMMIT.
            with database.writing() as connection:
                rows = sa.text("INSERT INTO daily_totals SELECT * FROM totals LIMIT :count")
                if sa.inspect(connection).has_table("daily_totals"):
                    connection.execute(rows, {"count": number})
        counts.append(revision)
        migrate.upgrade(mariadb)
        assert find_wrong_days(mariadb) == []
        with database.writing() as connection:
            migrate.move(connection, "0014")
    assert counts.count("0014>0015") > 3
    assert find_wrong_days(mariadb) == []
    database.close()


class Stopped(Exception):
    """The migration was stopped."""


@contextlib.contextmanager
def stop_at(number: int) -> Iterator[None]:
    """Fail instead of the statement of this number that changes something."""
    countdown = [number]

    def count(*arguments: object) -> None:
        if not str(arguments[2]).lstrip().startswith(("SELECT", "SHOW", "DESCRIBE")):
            countdown[0] -= 1
            if countdown[0] == 0:
                raise Stopped

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_where_changes_are_one_transaction_nothing_remains(url: str) -> None:
    database = Database(url, patient=True)
    with (
        pytest.raises(Stopped),
        stop_at(9),
        database.writing() as connection,
    ):
        migrate.move(connection, LAST)
    assert revisions.current(url) is None
    with database.reading() as connection:
        assert sa.inspect(connection).get_table_names() == []
    database.close()


def test_a_table_of_another_program_is_an_error(url: str) -> None:
    change(url, "CREATE TABLE totals (x int)")
    with pytest.raises(errors.OperatorError, match="totals") as caught:
        migrate.upgrade(url)
    assert "\n" not in str(caught.value)


def test_a_migration_that_a_newer_ratekit_started_is_not_continued(url: str) -> None:
    migrate.upgrade(url)
    change(url, f"UPDATE alembic_version SET version_num = '{LAST}>9999'")
    for work in (revisions.check, migrate.upgrade):
        with pytest.raises(errors.OperatorError, match="newer than this ratekit"):
            work(url)

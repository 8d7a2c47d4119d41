"""Which databases are taken, and what their complaints mean."""

from __future__ import annotations

import datetime
import pathlib
import signal
import sqlite3
import sys
import threading

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database, parse
from ratekit.storage.db.types import Instant


class TestUrl:
    @pytest.mark.parametrize(
        "url", ["postgresql://u@h/d", "postgresql+psycopg2://u@h/d", "postgresql+psycopg://u@h/d"]
    )
    def test_postgresql_means_psycopg_3(self, url: str) -> None:
        assert parse(url).render_as_string() == "postgresql+psycopg://u@h/d"

    @pytest.mark.parametrize(
        "url",
        ["mysql://u@h/d", "mariadb://u@h/d", "mysql+pymysql://u@h/d", "mysql+mysqldb://u@h/d"],
    )
    def test_mysql_and_mariadb_mean_pymysql(self, url: str) -> None:
        assert parse(url).render_as_string() == "mysql+pymysql://u@h/d"

    @pytest.mark.parametrize(
        "url",
        ["", "ratekit.sqlite", "sqlite://", "sqlite:///:memory:", "mysql://u@h", "mysql://h:x/d"],
    )
    def test_a_url_without_a_database_is_refused(self, url: str) -> None:
        with pytest.raises(errors.OperatorError, match=r"\[database\] connection"):
            parse(url)

    def test_an_unsupported_database_is_refused(self) -> None:
        with pytest.raises(errors.OperatorError, match="use sqlite, postgresql or mysql"):
            parse("oracle://u:secret@h/d")

    def test_an_option_that_cannot_be_used_is_reported_in_one_line(self) -> None:
        with pytest.raises(errors.OperatorError, match="invalid option") as caught:
            Database("sqlite:////tmp/x.sqlite?colour=red")
        assert "\n" not in str(caught.value)

    def test_a_driver_that_is_not_installed_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "pymysql", None)
        with pytest.raises(errors.OperatorError, match=r"pip install 'ratekit-openstack\[mysql\]'"):
            Database("mysql://u@h/d")


class TestSqlite:
    def test_a_missing_folder_is_reported_in_one_line(self, tmp_path: pathlib.Path) -> None:
        for work in (migrate.upgrade, revisions.current, revisions.check):
            with pytest.raises(errors.OperatorError) as caught:
                work(f"sqlite:///{tmp_path}/missing/ratekit.sqlite")
            line = str(caught.value)
            assert line.startswith(f"[database] connection sqlite:///{tmp_path}/missing/")
            assert f"the folder {tmp_path}/missing does not exist" in line
            assert "\n" not in line

    def test_a_file_that_is_not_a_database_is_reported(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("not a database " * 100)
        with pytest.raises(errors.OperatorError, match="not a database"):
            migrate.upgrade(f"sqlite:///{path}")

    def test_reading_a_missing_file_does_not_create_it(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "ratekit.sqlite"
        with pytest.raises(errors.OperatorError, match="run ratekit-dbsync upgrade"):
            revisions.check(f"sqlite:///{path}")
        assert not path.exists()

    def test_a_writer_that_waits_too_long_tries_later_and_then_succeeds(
        self, tmp_path: pathlib.Path
    ) -> None:
        url = f"sqlite:///{tmp_path}/ratekit.sqlite"
        migrate.upgrade(url)
        database = Database(url + "?timeout=0.05")
        writer = sqlite3.connect(tmp_path / "ratekit.sqlite", isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.TryLater, match="locked"), database.writing():
            pytest.fail("there were two writers")
        with database.reading() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        writer.execute("ROLLBACK")
        with database.writing() as connection:
            connection.exec_driver_sql("UPDATE hashmap_versions SET version = 5")
        with database.reading() as connection:
            query = connection.exec_driver_sql("SELECT version FROM hashmap_versions")
            assert query.scalar() == 5
        writer.close()
        database.close()

    def test_signals_are_handled_while_a_writer_waits(self, tmp_path: pathlib.Path) -> None:
        url = f"sqlite:///{tmp_path}/ratekit.sqlite"
        migrate.upgrade(url)
        database = Database(url + "?timeout=2")
        writer = sqlite3.connect(tmp_path / "ratekit.sqlite", isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        # Only Python's own code can run what a signal asks for, and so let the writer go on.
        before = signal.signal(signal.SIGALRM, lambda *_: writer.execute("ROLLBACK"))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            with database.writing() as connection:
                assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        finally:
            signal.signal(signal.SIGALRM, before)
        writer.close()
        database.close()

    def test_writers_take_turns_from_their_first_statement_on(self, tmp_path: pathlib.Path) -> None:
        url = f"sqlite:///{tmp_path}/ratekit.sqlite"
        migrate.upgrade(url)
        database = Database(url)

        def count_up() -> None:
            for _ in range(20):
                with database.writing() as connection:
                    query = connection.exec_driver_sql("SELECT version FROM hashmap_versions")
                    version = query.scalar_one() + 1
                    connection.exec_driver_sql(f"UPDATE hashmap_versions SET version = {version}")

        threads = [threading.Thread(target=count_up) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with database.reading() as connection:
            query = connection.exec_driver_sql("SELECT version FROM hashmap_versions")
            assert query.scalar() == 80
        database.close()

    def test_references_are_checked(self, tmp_path: pathlib.Path) -> None:
        url = f"sqlite:///{tmp_path}/ratekit.sqlite"
        migrate.upgrade(url)
        with (
            pytest.raises(errors.OperatorError, match="FOREIGN KEY"),
            Database(url).writing() as connection,
        ):
            connection.exec_driver_sql("INSERT INTO hashmap_fields VALUES (1, 1, 'x', false)")


def test_programming_errors_are_not_translated(tmp_path: pathlib.Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.sqlite")
    with pytest.raises(ZeroDivisionError), database.writing():
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="UTC"), database.reading() as connection:
        connection.execute(
            sa.select(sa.literal(datetime.datetime.fromisoformat("2026-03-01"), Instant()))
        )

"""What only a server can do to its clients."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from ratekit import errors
from ratekit.storage import migrate
from ratekit.storage.engine import Database
from ratekit.storage.sql import open_storage
from tests.contract.databases import new_database
from tests.contract.given import Breaking, batch, interrupted, listed, rated, stored


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database without tables."""
    folder: pathlib.Path = tmp_path_factory.mktemp("server")
    with new_database("postgresql", folder) as url:
        database = Database(url)
        yield database
        database.close()


def test_a_statement_that_takes_too_long_is_tried_later(server: Database) -> None:
    slow = "SET LOCAL statement_timeout = 10; SELECT pg_sleep(5)"
    with pytest.raises(errors.TryLater, match="statement timeout"), server.writing() as connection:
        connection.exec_driver_sql(slow)


def test_every_wait_has_an_end(server: Database) -> None:
    with server.reading() as connection:
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() not in ("0", None)


def test_a_lost_connection_is_tried_later_and_replaced(server: Database) -> None:
    with pytest.raises(errors.TryLater) as caught, server.writing() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert "\n" not in str(caught.value)
    with server.writing() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


class Severing(Breaking):
    """Points during which the server is told to end all other connections."""

    def interrupt(self) -> None:
        """End them."""
        other = Database(str(self.series.metadata["url"]))
        with other.writing() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        other.close()


def test_a_connection_lost_while_frames_are_written_leaves_nothing(server: Database) -> None:
    url = server.engine.url.render_as_string(hide_password=False)
    migrate.upgrade(url)
    storage = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
    states = listed(storage, "a")
    whole = rated("a", [("1", "1")], metadata={"url": url})
    with pytest.raises(errors.TryLater):
        storage.ledger.commit(batch(states, interrupted(whole, Severing)))
    assert stored(storage) == []
    assert storage.ledger.commit(batch(states, whole)).frames == 1


def test_a_connection_that_was_lost_while_idle_is_replaced_unseen(server: Database) -> None:
    with server.writing() as connection:
        first = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    other = Database(server.engine.url.render_as_string(hide_password=False))
    with other.writing() as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({first}, 5000)")
    other.close()
    with server.writing() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_reports_cannot_write_as_on_a_server_that_stands_by(server: Database) -> None:
    with pytest.raises(errors.TryLater, match="read-only"), server.reading() as connection:
        connection.exec_driver_sql("CREATE TABLE x (y int)")


def test_text_that_the_server_cannot_hold_is_an_operators_error(server: Database) -> None:
    with pytest.raises(errors.OperatorError), server.reading() as connection:
        connection.exec_driver_sql("SELECT %s::text", ("\x00",))
    with pytest.raises(errors.OperatorError), server.reading() as connection:
        connection.exec_driver_sql("SELECT %s::text", ("\ud800",))

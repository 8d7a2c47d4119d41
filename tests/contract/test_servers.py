"""What only a server can do to its clients."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database
from ratekit.storage.sql import open_storage
from tests.contract.given import (
    Breaking,
    batch,
    build_breaking_series,
    build_series,
    list_scopes,
    read_frames,
)
from tests.databases import SERVERS, new_database, server_of_session

SLOW = {
    "postgresql": "SET LOCAL statement_timeout = 10; SELECT pg_sleep(5)",
    "mariadb": "SET STATEMENT max_statement_time = 0.01 FOR"
    " SELECT count(*) FROM information_schema.columns a, information_schema.columns b",
}
WHO_AM_I = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}
#: One statement and one result to look at: how long this session waits at most, in seconds.
WAITS = {
    "postgresql": "SELECT setting::int / 1000 FROM pg_settings WHERE name IN"
    " ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')",
    "mariadb": "SELECT @@max_statement_time UNION ALL SELECT @@innodb_lock_wait_timeout"
    " UNION ALL SELECT @@lock_wait_timeout UNION ALL SELECT @@wait_timeout",
}


@pytest.fixture(scope="module", params=SERVERS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which server."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database without tables of ratekit."""
    folder: pathlib.Path = tmp_path_factory.mktemp("server")
    with new_database(kind, folder) as url:
        database = Database(url)
        with database.writing() as connection:
            engine = " ENGINE=InnoDB" if kind == "mariadb" else ""
            connection.exec_driver_sql(f"CREATE TABLE places (id int PRIMARY KEY, n int){engine}")
            connection.exec_driver_sql("INSERT INTO places VALUES (1, 0), (2, 0)")
        yield database
        database.close()


def url_of(server: Database) -> str:
    """Return the URL, with the password."""
    return server.engine.url.render_as_string(hide_password=False)


def end(kind: str, session: int) -> None:
    """Have an administrator end a session."""
    kill = {"postgresql": f"SELECT pg_terminate_backend({session}, 5000)"}
    server_of_session(kind).execute(kill.get(kind, f"KILL {session}"))


def session_of(connection: sa.Connection, kind: str) -> int:
    """Return the number by which the server knows a connection."""
    return int(connection.exec_driver_sql(WHO_AM_I[kind]).scalar_one())


def read_refusal(url: sa.URL) -> errors.RatekitError:
    """Return the error that an unreachable database raises."""
    with pytest.raises(errors.RatekitError) as caught:
        revisions.current(url.render_as_string(hide_password=False))
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"[database] connection {url.get_backend_name()}://{url.username}:***@")
    assert str(url.password) not in line
    return caught.value


class TestConnecting:
    def test_a_wrong_password_is_the_operators_mistake(self, server: Database) -> None:
        error = read_refusal(server.engine.url.set(password="s3cret"))
        assert isinstance(error, errors.OperatorError)
        assert "password" in str(error)

    def test_an_unknown_database_is_the_operators_mistake(self, server: Database) -> None:
        error = read_refusal(server.engine.url.set(database="nothing"))
        assert isinstance(error, errors.OperatorError)
        assert "nothing" in str(error)

    def test_an_unknown_option_is_the_operators_mistake(self, server: Database) -> None:
        error = read_refusal(server.engine.url.update_query_dict({"colour": "red"}))
        assert isinstance(error, errors.OperatorError)
        assert "colour" in str(error)

    def test_a_port_without_a_server_is_tried_later(self, server: Database) -> None:
        error = read_refusal(server.engine.url.set(port=1))
        assert isinstance(error, errors.TryLater)
        assert "refused" in str(error)

    def test_an_unknown_host_is_tried_later(self, server: Database) -> None:
        error = read_refusal(server.engine.url.set(host="no.such.host.invalid"))
        assert isinstance(error, errors.TryLater)
        assert "no.such.host.invalid" in str(error)


class TestWaiting:
    def test_a_statement_that_takes_too_long_is_tried_later(
        self, server: Database, kind: str
    ) -> None:
        with (
            pytest.raises(errors.TryLater, match=r"timeout|max_statement_time"),
            server.writing() as connection,
        ):
            connection.exec_driver_sql(SLOW[kind])

    def test_every_wait_has_a_limit(self, server: Database, kind: str) -> None:
        for work in (server.reading, server.writing):
            with work() as connection:
                waits = list(connection.exec_driver_sql(WAITS[kind]).scalars())
            assert len(waits) >= 3
            assert all(0 < limit <= 600 for limit in waits)

    def test_a_migration_waits_without_a_limit(self, server: Database, kind: str) -> None:
        patient = Database(url_of(server), patient=True)
        with patient.writing() as connection:
            waits = list(connection.exec_driver_sql(WAITS[kind]).scalars())
        assert all(limit == 0 or limit > 10**6 for limit in waits)

    def test_a_deadlock_is_a_conflict_for_one_of_two(self, server: Database) -> None:
        barrier = threading.Barrier(2)
        outcomes: list[errors.RatekitError | None] = []

        def change(first: int, second: int) -> None:
            try:
                with server.writing() as connection:
                    connection.exec_driver_sql(f"UPDATE places SET n = n + 1 WHERE id = {first}")
                    barrier.wait()
                    connection.exec_driver_sql(f"UPDATE places SET n = n + 1 WHERE id = {second}")
                outcomes.append(None)
            except errors.RatekitError as error:
                outcomes.append(error)

        threads = [threading.Thread(target=change, args=pair) for pair in ((1, 2), (2, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {type(outcome) for outcome in outcomes} == {type(None), errors.LockConflict}

    def test_a_row_lock_that_takes_too_long_is_a_conflict(
        self, server: Database, kind: str
    ) -> None:
        shorter = {
            "postgresql": "SET LOCAL lock_timeout = 50",
            "mariadb": "SET innodb_lock_wait_timeout = 0",
        }
        change = "UPDATE places SET n = n + 1 WHERE id = 1"
        with server.writing() as first:
            first.exec_driver_sql(change)
            second_database = Database(url_of(server))
            with pytest.raises(errors.Conflict):
                run(second_database, shorter[kind], change)
            second_database.close()


def run(database: Database, *statements: str) -> None:
    """Run statements in one transaction."""
    with database.writing() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def lose_a_connection(server: Database, kind: str) -> None:
    """Have a session ended in the middle of a transaction."""
    with server.writing() as connection:
        end(kind, session_of(connection, kind))
        connection.exec_driver_sql("SELECT 1")


class TestLostConnections:
    def test_a_lost_connection_is_tried_later_and_replaced(
        self, server: Database, kind: str
    ) -> None:
        with pytest.raises(errors.TryLater) as caught:
            lose_a_connection(server, kind)
        assert "\n" not in str(caught.value)
        with server.writing() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1

    def test_a_connection_lost_while_idle_is_replaced_without_an_error(
        self, server: Database, kind: str
    ) -> None:
        with server.writing() as connection:
            first = session_of(connection, kind)
        end(kind, first)
        with server.writing() as connection:
            assert session_of(connection, kind) != first

    def test_a_connection_lost_while_frames_are_written_leaves_nothing(
        self, server: Database, kind: str
    ) -> None:
        url = url_of(server)
        migrate.upgrade(url)
        storage = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
        states = list_scopes(storage, "a")
        whole = build_series("a", [("1", "1")], metadata={"kind": kind, "url": url})
        with pytest.raises(errors.TryLater):
            storage.ledger.commit(batch(states, build_breaking_series(whole, Severing)))
        assert read_frames(storage) == []
        assert storage.ledger.commit(batch(states, whole)).frames == 1


class Severing(Breaking):
    """Points during which an administrator ends all sessions in the database."""

    def interrupt(self) -> None:
        """End them."""
        kind, url = (str(self.series.metadata[name]) for name in ("kind", "url"))
        name = sa.make_url(url).database
        sessions = {
            "postgresql": f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'",
            "mariadb": f"SELECT id FROM information_schema.processlist WHERE db = '{name}'",
        }
        for (session,) in server_of_session(kind).execute(sessions[kind]):
            end(kind, int(str(session)))


class TestRefusals:
    def test_reports_cannot_write(self, server: Database) -> None:
        with (
            pytest.raises(errors.RatekitError, match=r"(?i)read.only"),
            server.reading() as connection,
        ):
            connection.exec_driver_sql("INSERT INTO places VALUES (3, 0)")

    def test_a_table_or_column_that_is_missing_is_the_operators_concern(
        self, server: Database
    ) -> None:
        for query in ("SELECT * FROM nowhere", "SELECT nothing FROM places"):
            with pytest.raises(errors.OperatorError), server.reading() as connection:
                connection.exec_driver_sql(query)

    def test_an_unpaired_surrogate_is_the_operators_concern(self, server: Database) -> None:
        with pytest.raises(errors.OperatorError), server.reading() as connection:
            connection.exec_driver_sql("SELECT %s", ("\ud800",))

    def test_a_user_without_rights_is_the_operators_concern(
        self, server: Database, kind: str
    ) -> None:
        name = server.engine.url.database
        shared = server_of_session(kind)
        make, forget = {
            "postgresql": (
                ["CREATE ROLE guest LOGIN PASSWORD 'guest'"],
                ["DROP ROLE guest"],
            ),
            "mariadb": (
                ["CREATE USER guest IDENTIFIED BY 'guest'", f"GRANT SELECT ON {name}.* TO guest"],
                ["DROP USER guest"],
            ),
        }[kind]
        for statement in make:
            shared.execute(statement)
        guest = Database(
            server.engine.url.set(username="guest", password="guest").render_as_string(
                hide_password=False
            )
        )
        with pytest.raises(errors.OperatorError, match="denied"), guest.writing() as connection:
            connection.exec_driver_sql("INSERT INTO places VALUES (4, 0)")
        guest.close()
        for statement in forget:
            shared.execute(statement)


def test_reports_see_one_snapshot_and_writers_the_latest_data(server: Database) -> None:
    query = "SELECT n FROM places WHERE id = 2"
    with server.reading() as before, server.writing() as beside:
        before_value = before.exec_driver_sql(query).scalar_one()
        assert beside.exec_driver_sql(query).scalar_one() == before_value
        second_database = Database(url_of(server))
        with second_database.writing() as connection:
            connection.exec_driver_sql("UPDATE places SET n = n + 1 WHERE id = 2")
        second_database.close()
        assert before.exec_driver_sql(query).scalar_one() == before_value
        assert beside.exec_driver_sql(query).scalar_one() == before_value + 1


#: Makes new sessions, and those only, read-only, as on a server that was a primary before.
STANDBY = {
    "postgresql": "ALTER DATABASE {} SET default_transaction_read_only = {}",
    "mariadb": "SET GLOBAL tx_read_only = {1}",
}


def test_connections_to_a_server_that_became_a_standby_are_replaced(
    kind: str, tmp_path: pathlib.Path
) -> None:
    with new_database(kind, tmp_path) as url:
        migrate.upgrade(url)
        admin = sa.create_engine(Database(url).engine.url, isolation_level="AUTOCOMMIT")
        storage = open_storage(url, scope_key="project_id", fetcher="f", collector="c")

        def turn(state: str) -> None:
            with admin.connect() as connection:
                connection.exec_driver_sql(STANDBY[kind].format(admin.url.database, state))

        turn("on")
        try:
            with pytest.raises(errors.TryLater, match=r"(?i)read.only"):
                list_scopes(storage, "a")
        finally:
            turn("off")
        # The connection that was open is read-only still, and must not be used again.
        assert [state.scope.id for state in list_scopes(storage, "a")] == ["a"]
        admin.dispose()

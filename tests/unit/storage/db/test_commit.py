"""Without a reply to COMMIT the outcome is verified, and the messages say so."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.storage import migrate
from ratekit.storage.db import commit
from ratekit.storage.db.commit import Outcome
from tests.database_without_reply import DatabaseWithoutReply

_VERSION = sa.text("SELECT version FROM hashmap_versions")


@pytest.fixture
def database(tmp_path: pathlib.Path) -> DatabaseWithoutReply:
    url = f"sqlite:///{tmp_path}/ratekit.sqlite"
    migrate.upgrade(url)
    database = DatabaseWithoutReply(url)
    database.arm()
    return database


def change(connection: sa.Connection) -> int:
    """Change the database; return what the change returns."""
    connection.execute(sa.text("UPDATE hashmap_versions SET version = 7"))
    return 42


def read_outcome(connection: sa.Connection, result: int) -> Outcome:
    """Return what the row shows; it gets what the change returned."""
    assert result == 42
    version = connection.execute(_VERSION).scalar_one()
    return {7: Outcome.WRITTEN, 0: Outcome.PENDING}.get(version, Outcome.LOST)


def never(connection: sa.Connection, result: int) -> Outcome:
    """Fail, because the database has replied."""
    raise AssertionError


def test_a_committed_transaction_is_reported_and_returns_its_result(
    database: DatabaseWithoutReply, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert commit.write(database, change, read_outcome) == 42
    assert [record.getMessage() for record in caplog.records] == [
        f"{database.place}: no reply to COMMIT; verified: the transaction was committed"
    ]


def test_a_transaction_that_was_not_committed_is_tried_later(
    database: DatabaseWithoutReply,
) -> None:
    database.is_committed = False
    with pytest.raises(errors.TryLater) as caught:
        commit.write(database, change, read_outcome)
    assert str(caught.value) == (
        f"{database.place}: no reply to COMMIT; verified: the transaction was not committed"
    )
    assert commit.write(database, change, never) == 42


def test_what_another_processor_wrote_is_not_returned_as_written(
    database: DatabaseWithoutReply, caplog: pytest.LogCaptureFixture
) -> None:
    database.is_committed = False

    def compete() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("UPDATE hashmap_versions SET version = 8")

    database.meanwhile = compete
    with caplog.at_level(logging.WARNING):
        assert commit.write(database, change, read_outcome) is None
    assert "another processor was first" in caplog.text


def test_an_outcome_that_cannot_be_verified_is_tried_later(database: DatabaseWithoutReply) -> None:
    database.is_reachable = False
    with pytest.raises(errors.TryLater) as caught:
        commit.write(database, change, read_outcome)
    assert str(caught.value) == (
        f"{database.place}: no reply to COMMIT; its outcome cannot be verified: connection refused"
    )


@pytest.mark.parametrize("error", [errors.Conflict("locked"), ValueError("programming error")])
def test_an_error_before_commit_is_raised_unchanged(
    database: DatabaseWithoutReply, error: Exception
) -> None:
    def fail(connection: sa.Connection) -> int:
        raise error

    failing: Callable[[sa.Connection], int] = fail
    with pytest.raises(type(error)) as caught:
        commit.write(database, failing, never)
    assert caught.value is error

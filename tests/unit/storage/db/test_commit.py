"""Without a reply to COMMIT the outcome is verified, and the messages say so."""

from __future__ import annotations

import contextlib
import logging
import pathlib
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from ratekit import errors
from ratekit.storage import migrate
from ratekit.storage.db import commit
from ratekit.storage.db.engine import Database
from ratekit.storage.db.errors import CommitUnconfirmed

_VERSION = sa.text("SELECT version FROM hashmap_versions")


class DatabaseWithoutReply(Database):
    """Ends its first transaction without a reply to COMMIT.

    :ivar committed: whether that transaction is committed
    :ivar reachable: whether later transactions can be opened
    """

    committed = True
    reachable = True
    transactions = 0

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        self.transactions += 1
        if self.transactions > 1 and not self.reachable:
            raise errors.TryLater("connection refused")
        with contextlib.suppress(InterruptedError), super().writing() as connection:
            yield connection
            if self.transactions == 1 and not self.committed:
                raise InterruptedError
        if self.transactions == 1:
            raise CommitUnconfirmed(self.place)


@pytest.fixture
def database(tmp_path: pathlib.Path) -> DatabaseWithoutReply:
    url = f"sqlite:///{tmp_path}/ratekit.sqlite"
    migrate.upgrade(url)
    return DatabaseWithoutReply(url)


def change(connection: sa.Connection) -> int:
    """Change the database; return what the change returns."""
    connection.execute(sa.text("UPDATE hashmap_versions SET version = 7"))
    return 42


def is_pending(connection: sa.Connection, result: int) -> bool:
    """Return whether the change is still to be made; it gets what the change returned."""
    assert result == 42
    return bool(connection.execute(_VERSION).scalar_one() != 7)


def never(connection: sa.Connection, result: int) -> bool:
    """Fail, because the database has replied."""
    raise AssertionError


def test_a_committed_transaction_is_reported_and_returns_its_result(
    database: DatabaseWithoutReply, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        committed = commit.write(database, change, is_pending)
    assert committed == commit.Committed(42, acknowledged=False)
    assert [record.getMessage() for record in caplog.records] == [
        f"{database.place}: no reply to COMMIT; verified: the transaction was committed"
    ]


def test_a_transaction_that_was_not_committed_is_tried_later(
    database: DatabaseWithoutReply,
) -> None:
    database.committed = False
    with pytest.raises(errors.TryLater) as caught:
        commit.write(database, change, is_pending)
    assert str(caught.value) == (
        f"{database.place}: no reply to COMMIT; verified: the transaction was not committed"
    )
    assert commit.write(database, change, never) == commit.Committed(42, acknowledged=True)


def test_an_outcome_that_cannot_be_verified_is_tried_later(database: DatabaseWithoutReply) -> None:
    database.reachable = False
    with pytest.raises(errors.TryLater) as caught:
        commit.write(database, change, is_pending)
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

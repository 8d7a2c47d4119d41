"""COMMIT that the database answers with an error, and COMMIT without an answer."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from ratekit import errors
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database
from ratekit.storage.ledger.ledger import SqlLedger
from ratekit.storage.ledger.scopes import ScopeOrigin
from tests.contract.given import batch, build_series, list_scopes, read_frames, reopen
from tests.database_without_reply import DatabaseWithoutReply
from tests.databases import BACKENDS, new_database

#: A trigger that fails when the transaction is committed, as a full disk or a conflict would.
TRIGGER = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'not at this commit' USING ERRCODE = '{state}'; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON totals DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION fail()
"""


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    """URL of a migrated database."""
    with new_database(request.param, tmp_path) as database_url:
        migrate.upgrade(database_url)
        yield database_url


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("state", "error_class"),
    [("40001", errors.LockConflict), ("53100", errors.TryLater), ("23514", errors.HostError)],
)
def test_an_error_in_reply_to_commit_is_told_as_what_it_is(
    state: str, error_class: type[errors.RatekitError], url: str
) -> None:
    storage = reopen(url)
    states = list_scopes(storage, "a")
    database = Database(url)
    with database.writing() as connection:
        connection.exec_driver_sql(TRIGGER.format(state=state))
    series = build_series("a", [("1", "1")])
    with pytest.raises(error_class, match="not at this commit") as caught:
        storage.ledger.commit(batch(states, series))
    assert type(caught.value) is error_class
    assert "\n" not in str(caught.value)
    assert "no reply" not in str(caught.value)
    assert read_frames(storage) == []
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER fail ON totals")
    database.close()
    assert storage.ledger.commit(batch(states, series)).frames == 1


@pytest.fixture
def database(url: str) -> Iterator[DatabaseWithoutReply]:
    """A database that can lose a reply."""
    database = DatabaseWithoutReply(url, needs=revisions.head())
    yield database
    database.close()


@pytest.fixture
def ledger(database: DatabaseWithoutReply) -> SqlLedger:
    """The ledger on it."""
    return SqlLedger(database, ScopeOrigin("project_id", "keystone", "gnocchi"))


def test_frames_of_another_processor_are_reported_as_lost(
    url: str, database: DatabaseWithoutReply, ledger: SqlLedger
) -> None:
    competitor = reopen(url)
    states = list_scopes(competitor, "a", "b")
    others = [build_series(id_, [("1", "1")]) for id_ in ("a", "b")]
    database.is_committed = False
    database.meanwhile = lambda: competitor.ledger.commit(batch(states, *others))
    database.arm()
    result = ledger.commit(batch(states, build_series("a", [("2", "2")])))
    assert result.frames == 0
    assert set(result.lost_scopes) == {state.scope for state in states}
    assert len(read_frames(competitor)) == 2


def test_frames_of_ones_own_are_reported_as_written(
    url: str, database: DatabaseWithoutReply, ledger: SqlLedger
) -> None:
    storage = reopen(url)
    states = list_scopes(storage, "a")
    database.arm()
    result = ledger.commit(batch(states, build_series("a", [("2", "2")])))
    assert (result.frames, result.lost_scopes) == (1, ())
    assert len(read_frames(storage)) == 1

"""An empty storage of each kind for each test."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from ratekit.interfaces import Storage
from ratekit.storage import migrate
from ratekit.storage.db.engine import parse
from ratekit.storage.schema import METADATA, PURGE_MARK, VERSIONS
from tests.contract.fake_storage import open_fake_storage
from tests.contract.given import reopen
from tests.databases import BACKENDS, new_database

Open = Callable[[], Storage]

#: Stands among the names of databases for the storage of the fakes.
FAKE = "fake"


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of this folder."""
    config.addinivalue_line("markers", "with_fake: the test runs over the fakes too")
    config.addinivalue_line("markers", "databases_only: the fakes do not promise this")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run only the tests of marked classes over the fakes.

    A test that opens the storage twice, or reads the database itself, needs a database.
    """
    items[:] = [item for item in items if not _is_fake(item) or _fits_fake(item)]


def _is_fake(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("database") == FAKE


def _fits_fake(item: pytest.Item) -> bool:
    marks = {mark.name for mark in item.iter_markers()}
    fixtures = set(getattr(item, "fixturenames", ()))
    needs_database = "databases_only" in marks or bool(fixtures & {"url", "open_another"})
    return "with_fake" in marks and not needs_database


@pytest.fixture(scope="session", params=(*BACKENDS, FAKE))
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of a database at the newest revision, shared by all tests; or :data:`FAKE`."""
    if request.param == FAKE:
        yield FAKE
        return
    folder: pathlib.Path = tmp_path_factory.mktemp("databases")
    with new_database(request.param, folder) as url:
        migrate.upgrade(url)
        yield url


@pytest.fixture(scope="session")
def cleaning_engine(database: str) -> Iterator[sa.Engine]:
    """An engine that empties the tables before each test."""
    engine = sa.create_engine(parse(database))
    yield engine
    engine.dispose()


@pytest.fixture
def url(database: str, cleaning_engine: sa.Engine) -> str:
    """URL of a database without scopes, frames and rules."""
    clean(cleaning_engine)
    return database


def clean(engine: sa.Engine) -> None:
    """Empty all tables."""
    with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            if table not in (VERSIONS, PURGE_MARK):
                connection.execute(table.delete())
        connection.execute(VERSIONS.update().values(version=0))
        connection.execute(PURGE_MARK.update().values(frames_until=None, totals_until=None))


@pytest.fixture
def open_another(url: str) -> Open:
    """Open the storage once more, as another process would."""
    return lambda: reopen(url)


@pytest.fixture
def storage(request: pytest.FixtureRequest, database: str) -> Storage:
    """An empty storage."""
    if database == FAKE:
        return open_fake_storage()
    open_database: Open = request.getfixturevalue("open_another")
    return open_database()

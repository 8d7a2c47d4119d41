"""A storage of each kind, empty at the begin of each test."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from ratekit.interfaces import Storage
from ratekit.storage import migrate
from ratekit.storage.db.engine import parse
from ratekit.storage.schema import METADATA, VERSIONS
from ratekit.storage.sql import open_storage
from tests.databases import BACKENDS, new_database

Open = Callable[[], Storage]


@pytest.fixture(scope="session", params=BACKENDS)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of a database at the newest revision, shared by all tests."""
    folder: pathlib.Path = tmp_path_factory.mktemp("databases")
    with new_database(request.param, folder) as url:
        migrate.upgrade(url)
        yield url


@pytest.fixture(scope="session")
def broom(database: str) -> Iterator[sa.Engine]:
    """A connection to sweep with."""
    engine = sa.create_engine(parse(database))
    yield engine
    engine.dispose()


@pytest.fixture
def url(database: str, broom: sa.Engine) -> str:
    """URL of a database without scopes, frames and rules."""
    with broom.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            if table is not VERSIONS:
                connection.execute(table.delete())
        connection.execute(VERSIONS.update().values(version=0))
    return database


@pytest.fixture
def open_another(url: str) -> Open:
    """Open the storage once more, as another process would."""
    return lambda: open_storage(
        url, scope_key="project_id", fetcher="keystone", collector="gnocchi"
    )


@pytest.fixture
def storage(open_another: Open) -> Storage:
    """An empty storage."""
    return open_another()

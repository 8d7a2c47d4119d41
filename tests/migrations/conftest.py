"""An empty database of each kind."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from ratekit.storage import migrate
from tests.databases import BACKENDS, new_database


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


@pytest.fixture
def url(backend: str, tmp_path: pathlib.Path) -> Iterator[str]:
    """URL of an empty database."""
    with new_database(backend, tmp_path) as database_url:
        yield database_url


@pytest.fixture
def migrated_url(url: str) -> str:
    """URL of a database at the newest revision."""
    migrate.upgrade(url)
    return url

"""The API over SQLite, without tokens: everybody is an administrator."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from ratekit.storage import migrate
from tests.api_client import Client
from tests.databases import new_database


@pytest.fixture
def client(tmp_path: pathlib.Path) -> Iterator[Client]:
    """Return a client of an API over an empty database."""
    with new_database("sqlite", tmp_path) as url:
        migrate.upgrade(url)
        yield Client(tmp_path, url)

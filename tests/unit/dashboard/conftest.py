"""The pages over SQLite, without tokens: everybody is an administrator."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from ratekit.storage import migrate
from tests.databases import new_database
from tests.page_client import PageClient


@pytest.fixture
def url(tmp_path: pathlib.Path) -> Iterator[str]:
    """Return the address of an empty database."""
    with new_database("sqlite", tmp_path) as address:
        migrate.upgrade(address)
        yield address


@pytest.fixture
def pages(tmp_path: pathlib.Path, url: str) -> PageClient:
    """Return a client of the pages over an empty database."""
    return PageClient(tmp_path, url)

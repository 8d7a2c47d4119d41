"""The API over SQLite, without tokens: everybody is an administrator."""

from __future__ import annotations

import pathlib

import pytest

from tests.api_client import Client
from tests.empty_database import create_empty


@pytest.fixture
def client(tmp_path: pathlib.Path) -> Client:
    """Return a client of an API over an empty database."""
    return Client(tmp_path, create_empty(tmp_path / "ratekit.sqlite"))

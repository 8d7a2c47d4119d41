"""An empty SQLite storage."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.interfaces import Storage
from ratekit.storage import migrate
from tests.contract.given import reopen


@pytest.fixture
def storage(tmp_path: pathlib.Path) -> Storage:
    """An empty storage at the newest revision."""
    url = f"sqlite:///{tmp_path}/ratekit.sqlite"
    migrate.upgrade(url)
    return reopen(url)

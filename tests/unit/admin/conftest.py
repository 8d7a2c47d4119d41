"""An empty SQLite storage."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.interfaces import Storage
from tests.contract.given import reopen
from tests.empty_database import create_empty


@pytest.fixture
def storage(tmp_path: pathlib.Path) -> Storage:
    """An empty storage at the newest revision."""
    return reopen(create_empty(tmp_path / "ratekit.sqlite"))

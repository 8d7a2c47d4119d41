"""The pages over SQLite, without tokens: everybody is an administrator."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3

import pytest

from tests.api_client import NOW
from tests.contract.given import reopen
from tests.empty_database import create_empty
from tests.page_client import PageClient
from tests.unit.cmd.conftest import Shell
from tests.unit.dashboard.cloud import fill


@pytest.fixture
def url(tmp_path: pathlib.Path) -> str:
    """Return the address of an empty database."""
    return create_empty(tmp_path / "ratekit.sqlite")


@pytest.fixture
def pages(tmp_path: pathlib.Path, url: str) -> PageClient:
    """Return a client of the pages over an empty database."""
    return PageClient(tmp_path, url)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return the file of a database of a cloud with all that goes wrong."""
    path = tmp_path_factory.mktemp("cloud") / "cloud.sqlite"
    fill(reopen(create_empty(path)))
    return path


def open_copy(filled: pathlib.Path, folder: pathlib.Path) -> PageClient:
    """Return a client of the pages over a copy of a database, in this folder."""
    path = folder / "cloud.sqlite"
    with (
        contextlib.closing(sqlite3.connect(filled)) as source,
        contextlib.closing(sqlite3.connect(path)) as copy,
    ):
        source.backup(copy)
    return PageClient(folder, f"sqlite:///{path}")


@pytest.fixture
def cloud(tmp_path: pathlib.Path, filled: pathlib.Path) -> PageClient:
    """Return a client of the pages over a copy of that database."""
    return open_copy(filled, tmp_path)


@pytest.fixture
def ratekit(cloud: PageClient, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run commands on the database of that cloud, at the same time."""
    return Shell(tmp_path / "ratekit.conf", capsys, NOW)

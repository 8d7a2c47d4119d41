"""The API over SQLite, without tokens: everybody is an administrator."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Iterator

import pytest

from ratekit.storage import migrate
from tests.api_client import Client
from tests.databases import new_database


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Forget how the API has set up logging."""
    root = logging.getLogger()
    handlers, levels = [*root.handlers], {logger: logger.level for logger in _loggers()}
    yield
    root.handlers[:] = handlers
    for logger in _loggers():
        logger.setLevel(levels.get(logger, logging.NOTSET))


def _loggers() -> list[logging.Logger]:
    loggers = logging.Logger.manager.loggerDict.values()
    named = [logger for logger in loggers if isinstance(logger, logging.Logger)]
    return [logging.getLogger(), *named]


@pytest.fixture
def client(tmp_path: pathlib.Path) -> Iterator[Client]:
    """Return a client of an API over an empty database."""
    with new_database("sqlite", tmp_path) as url:
        migrate.upgrade(url)
        yield Client(tmp_path, url)

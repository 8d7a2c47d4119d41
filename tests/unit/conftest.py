"""What tests of several parts need."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.stub_server import StubServer, run_stub_server


@pytest.fixture(scope="module")
def server() -> Iterator[StubServer]:
    """A server on loopback, for all tests of a module."""
    with run_stub_server() as loopback:
        yield loopback


@pytest.fixture(autouse=True, scope="module")
def logs() -> Iterator[None]:
    """Forget how the tests of a module have set up logging."""
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

"""The stack as a fixture of pytest's.

The conftest.py of each folder that needs it registers this plug-in, so that one session starts
one stack, and other folders import nothing of it.
"""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

from tests.stack.lifecycle import down, up
from tests.stack.stack import Stack, running


def register(config: pytest.Config) -> None:
    """Make the fixture ``cloud`` available in this session."""
    if not config.pluginmanager.has_plugin(__name__):
        config.pluginmanager.register(sys.modules[__name__], __name__)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Yield the running stack in the folder RATEKIT_TEST_STACK, or start one of default size."""
    folder = os.environ.get("RATEKIT_TEST_STACK")
    if folder:
        yield running(pathlib.Path(folder))
        return
    directory = tmp_path_factory.mktemp("cloud")
    try:
        yield up(directory)
    finally:
        down(directory)

"""What all tests share: one real cloud, started when first needed, and hypothesis.

Property tests are the same each time, and few enough to be quick.

``pytest --hypothesis-profile=thorough`` looks for new counterexamples.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import stack

settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    """The stack at its default size; RATEKIT_TEST_STACK names the folder of a running one."""
    running = os.environ.get("RATEKIT_TEST_STACK")
    if running:
        yield stack.running(pathlib.Path(running))
        return
    folder = tmp_path_factory.mktemp("cloud")
    try:
        yield stack.up(folder)
    finally:
        stack.down(folder)

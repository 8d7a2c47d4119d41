"""What tests of several parts need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stub_server import StubServer, run_stub_server


@pytest.fixture(scope="module")
def server() -> Iterator[StubServer]:
    """A server on loopback, for all tests of a module."""
    with run_stub_server() as loopback:
        yield loopback

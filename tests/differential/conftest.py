"""One process of CloudKitty for all comparisons."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential import cloudkitty_client
from tests.differential.cloudkitty_client import Cloudkitty


@pytest.fixture(scope="session")
def cloudkitty() -> Iterator[Cloudkitty]:
    """Run CloudKitty's hashmap."""
    with cloudkitty_client.start() as client:
        yield client

"""One CloudKitty for all comparisons."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential import peer


@pytest.fixture(scope="session")
def cloudkitty() -> Iterator[peer.Cloudkitty]:
    """CloudKitty's hashmap."""
    with peer.running() as found:
        yield found

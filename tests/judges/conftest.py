"""What judges share: a Keystone, and what only the long profile runs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.judges.identity import Cloud, run_keystone

#: Judges that take minutes.
FULL = os.environ.get("RATEKIT_TEST_FULL") == "1"


@pytest.fixture(scope="session")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Run a real Keystone with two projects."""
    with run_keystone(tmp_path_factory.mktemp("keystone")) as cloud:
        yield cloud

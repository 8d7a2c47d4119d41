"""A socket that stands for systemd."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.unit.daemon.fake_systemd import Systemd


@pytest.fixture
def address(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    listening = Systemd(address)
    yield listening
    listening.close()

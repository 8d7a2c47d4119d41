"""Configurations that are loaded as the commands load them."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ratekit import errors
from ratekit.cmd import configuration

#: Enough to rate with.
GOOD = """\
[fetcher_keystone]
auth_section = ratekit_auth
[collector_gnocchi]
auth_section = ratekit_auth
[ratekit_auth]
auth_type = password
auth_url = https://keystone.example/v3
username = ratekit
password = geheim
project_name = service
user_domain_name = Default
project_domain_name = Default
"""

Load = Callable[..., Any]
Refusals = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def load(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a configuration of one file, r.conf in the current folder."""
    monkeypatch.chdir(tmp_path)

    def load(text: str, *argv: str, **options: Any) -> Any:
        pathlib.Path("r.conf").write_text(text, encoding="utf-8")
        return configuration.load_for_rating(
            "ratekit-test", ["--config-file", "r.conf", *argv], **options
        )

    return load


@pytest.fixture
def refusals(load: Load) -> Refusals:
    """Return the lines with which a configuration is refused; none if it is not."""

    def refusals(text: str, *argv: str, **options: Any) -> list[str]:
        try:
            load(text, *argv, **options)
        except errors.OperatorError as error:
            return str(error).splitlines()
        return []

    return refusals

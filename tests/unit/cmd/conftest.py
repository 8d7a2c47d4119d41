"""Run commands in this process, on a real SQLite file that is filled through the interfaces."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from ratekit.api.parts import Parts
from ratekit.cmd import ratekit as command
from ratekit.interfaces import Storage
from ratekit.storage.sql import open_storage
from tests.api_client import Client
from tests.api_server import serve
from tests.contract import given
from tests.empty_database import create_empty

#: A day and a half after the scopes started.
NOW = given.hour(36.5)


class Terminal(io.StringIO):
    """Standard input from a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@dataclasses.dataclass(frozen=True)
class Answer:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Parse the output."""
        return json.loads(self.out)


def configure(config: pathlib.Path, section: str, *lines: str) -> None:
    """Add a section to a configuration file."""
    config.write_text("\n".join([config.read_text(), f"[{section}]", *lines, ""]))


@dataclasses.dataclass
class Shell:
    """Runs ``ratekit`` at an instant.

    :ivar width: columns of the terminal
    :ivar configured: use the configuration
    """

    config: pathlib.Path
    captured: pytest.CaptureFixture[str]
    now: datetime.datetime = NOW
    width: int = 400
    configured: bool = True

    def __call__(
        self, *argv: str, typed: str | None = None, stdin: io.StringIO | None = None
    ) -> Answer:
        """Run a command, on a terminal if something is typed there."""
        if stdin is None:
            stdin = io.StringIO() if typed is None else Terminal(typed)
        tool = command.Ratekit(clock=lambda: self.now, stdin=stdin)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", str(self.width))
            files = ["--config-file", str(self.config)] if self.configured else []
            code = command.main([*files, *argv], tool)
        return Answer(code, *self.captured.readouterr())


@pytest.fixture
def database(tmp_path: pathlib.Path) -> str:
    """URL of a database with tables and nothing in them."""
    return create_empty(tmp_path / "ratekit.sqlite")


@pytest.fixture
def config(database: str, tmp_path: pathlib.Path) -> pathlib.Path:
    """A configuration file."""
    path = tmp_path / "ratekit.conf"
    metrics = tmp_path / "metrics.yml"
    path.write_text(f"[database]\nconnection = {database}\n[collect]\nmetrics_conf = {metrics}\n")
    return path


@pytest.fixture
def storage(database: str) -> Storage:
    """The storage that the commands use."""
    return open_storage(database, scope_key="project_id", fetcher="static", collector="gnocchi")


@pytest.fixture
def ratekit(config: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command."""
    return Shell(config, capsys)


@pytest.fixture
def usage(storage: Storage) -> None:
    """Two scopes, two hours, two metrics; prices that no binary number can hold."""
    states = given.list_scopes(storage, "a1", "b2")
    storage.ledger.commit(
        given.batch(
            states,
            given.build_series(
                "a1",
                [("1", "0.1"), ("1", "0.2")],
                metadata={"flavor_name": "m1.small", "image": None},
            ),
            given.build_series(
                "a1", [("40", "0.0000000000000000000000000001")], metric="volume", unit="GiB"
            ),
            given.build_series(
                "b2", [("0.5", "12345678901234567890.5")], metadata={"flavor_name": "big"}
            ),
            periods=given.window(2),
        )
    )


# The API in place of the database ---------------------------------------------------------------


@pytest.fixture
def parts(config: pathlib.Path, database: str, usage: None, tmp_path: pathlib.Path) -> Parts:
    """The parts of an API over the database of the commands, at their time."""
    folder = tmp_path / "api"
    folder.mkdir()
    section = f"[collect]\nmetrics_conf = {config.with_name('metrics.yml')}"
    return dataclasses.replace(Client(folder, database, section).parts, clock=lambda: NOW)


@pytest.fixture
def url(parts: Parts) -> Iterator[str]:
    """An API to whose users all is visible."""
    with serve(parts) as address:
        yield address


def ask(ratekit: Shell, url: str, words: str) -> Answer:
    """Run a command over the API, on a host without a configuration."""
    elsewhere = dataclasses.replace(ratekit, configured=False)
    return elsewhere("--os-auth-type", "none", "--os-endpoint", url, *words.split())

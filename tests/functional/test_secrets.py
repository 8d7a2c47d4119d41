"""No secret is ever printed, logged or stored, even with all logs and after failures."""

from __future__ import annotations

import pathlib
import re

import pytest

from tests import stack
from tests.functional.test_commands import CommandRunner, commands

__all__ = ["commands"]  # a fixture

SECRET = "plantedsecret7"
#: All logs of the libraries.
VERBOSE = (
    "debug = true\ndefault_log_levels = keystoneauth=DEBUG,urllib3=DEBUG,requests=DEBUG,"
    "sqlalchemy=DEBUG,alembic=DEBUG,eventlet=DEBUG,gnocchiclient=DEBUG,stevedore=DEBUG\n"
)
#: The start of Keystone's tokens.
TOKEN = re.compile(r"gAAAA[\w-]{20}")


class VerboseShell:
    """ratekit's commands with all logs, and their output."""

    def __init__(self, commands: CommandRunner, folder: pathlib.Path) -> None:
        self._shell = commands
        self._path = folder / "ratekit.conf"
        self.text = f"[DEFAULT]\n{VERBOSE}{self._path.read_text(encoding='utf-8')}"

    def prepare(self) -> None:
        """Create the database."""
        assert self._shell.run("ratekit-dbsync", "upgrade").returncode == 0

    def rate(self, text: str) -> tuple[int, str]:
        """Rate once; return the exit code and the output."""
        self._path.write_text(text, encoding="utf-8")
        result = self._shell.run("ratekit-processor", "--debug", "--once")
        return result.returncode, result.stdout + result.stderr

    def list_scopes(self, text: str) -> str:
        """List scopes; return the output."""
        self._path.write_text(text, encoding="utf-8")
        result = self._shell.run("ratekit", "--debug", "scope", "list", "--all")
        return result.stdout + result.stderr

    def database_content(self) -> bytes:
        """Return the bytes of the SQLite database."""
        return b"".join(path.read_bytes() for path in self._path.parent.glob("ratekit.sqlite*"))


@pytest.fixture
def verbose(commands: CommandRunner, tmp_path: pathlib.Path) -> VerboseShell:
    """Return commands on the real cloud with all logs."""
    return VerboseShell(commands, tmp_path)


def test_rating_shows_neither_password_nor_token(cloud: stack.Stack, verbose: VerboseShell) -> None:
    verbose.prepare()
    code, output = verbose.rate(verbose.text)
    assert code == 0, output[-2000:]
    assert "REQ: curl" in output  # all logs are on
    assert cloud.user.password not in output
    assert not TOKEN.search(output)
    assert cloud.user.password.encode() not in verbose.database_content()


@pytest.mark.parametrize(
    "where",
    ["password", "keystone url", "gnocchi url", "application credential", "gnocchi user"],
)
def test_a_failing_back_end_shows_no_secret(
    cloud: stack.Stack, verbose: VerboseShell, where: str
) -> None:
    verbose.prepare()
    url = f"auth_url = {cloud.keystone_url}\n"
    gnocchi = "[collector_gnocchi]\n"
    old, new = {
        "password": (cloud.user.password, SECRET),
        "keystone url": (url, f"auth_url = http://joe:{SECRET}@127.0.0.1:1/v3\n"),
        "gnocchi url": (gnocchi, f"{gnocchi}gnocchi_endpoint = http://joe:{SECRET}@127.0.0.1:1\n"),
        "application credential": (
            "auth_type = password\n",
            "auth_type = v3applicationcredential\napplication_credential_id = x\n"
            f"application_credential_secret = {SECRET}\n",
        ),
        "gnocchi user": (
            gnocchi,
            f"{gnocchi}gnocchi_auth_type = basic\ngnocchi_user = {SECRET}\n"
            f"gnocchi_endpoint = {cloud.gnocchi_url}\n",
        ),
    }[where]
    assert old in verbose.text
    text = verbose.text.replace(old, new)
    if where == "application credential":
        # The credential implies user and project.
        unused = ("username", "password", "project_name", "user_domain", "project_domain")
        text = "\n".join(line for line in text.split("\n") if not line.startswith(unused))
    code, output = verbose.rate(text)
    assert code == 1, output[-2000:]
    assert SECRET not in output
    assert not TOKEN.search(output)
    assert SECRET.encode() not in verbose.database_content()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://joe:{SECRET}@127.0.0.1:1/ratekit",
        f"postgresql://joe:{SECRET}@127.0.0.1:one/ratekit",
        f"mysql://joe:{SECRET}@127.0.0.1:1/ratekit",
        f"joe:{SECRET}@127.0.0.1/ratekit",
        f"postgresql://joe:pass@{SECRET}@127.0.0.1:1/ratekit",
        f"postgresql://127.0.0.1:1/ratekit?user=joe&password={SECRET}",
        f"postgresql://joe:${SECRET}@127.0.0.1:1/ratekit",
    ],
)
def test_a_database_that_cannot_be_used_shows_no_secret(verbose: VerboseShell, url: str) -> None:
    text = re.sub(r"(?m)^connection = .*$", lambda _: f"connection = {url}", verbose.text)
    assert SECRET in text
    code, output = verbose.rate(text)
    assert code in (1, 2), output[-2000:]
    assert SECRET not in output + verbose.list_scopes(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("password = ", f"password = {SECRET}$x"),
        ("password = ", f"password {SECRET}"),
        ("password = ", f"password = {SECRET}\n  "),
        ("auth_url = ", f"auth_url = joe:{SECRET}@"),
        ("auth_type = password", f"auth_type = v3oidcpassword\nclient_secret = {SECRET}"),
        ("username = ", f"pasword = {SECRET}\nusr = "),
    ],
)
def test_a_mistake_beside_a_secret_shows_no_secret(
    verbose: VerboseShell, old: str, new: str
) -> None:
    assert old in verbose.text
    text = verbose.text.replace(old, new)
    code, output = verbose.rate(text)
    assert code == 2, output[-2000:]
    assert SECRET not in output

"""No secret is shown to anybody, however loud the logs and whatever fails."""

from __future__ import annotations

import pathlib
import re

import pytest

from tests import stack
from tests.functional.test_commands import Shell, shell

__all__ = ["shell"]  # a fixture

SECRET = "plantedsecret7"
#: Everything that libraries have to tell.
LOUD = (
    "debug = true\ndefault_log_levels = keystoneauth=DEBUG,urllib3=DEBUG,requests=DEBUG,"
    "sqlalchemy=DEBUG,alembic=DEBUG,eventlet=DEBUG,gnocchiclient=DEBUG,stevedore=DEBUG\n"
)
#: How Keystone's tokens begin.
TOKEN = re.compile(r"gAAAA[\w-]{20}")


class Loud:
    """ratekit's commands with all logs on, and all that they left behind."""

    def __init__(self, shell: Shell, folder: pathlib.Path) -> None:
        self._shell = shell
        self._path = folder / "ratekit.conf"
        self.text = f"[DEFAULT]\n{LOUD}{self._path.read_text(encoding='utf-8')}"

    def prepare(self) -> None:
        """Make the database."""
        assert self._shell.run("ratekit-dbsync", "upgrade").returncode == 0

    def rate(self, text: str) -> tuple[int, str]:
        """Rate once; return the exit code and all that was said."""
        self._path.write_text(text, encoding="utf-8")
        done = self._shell.run("ratekit-processor", "--debug", "--once")
        return done.returncode, done.stdout + done.stderr

    def ask(self, text: str) -> str:
        """List scopes; return all that was said."""
        self._path.write_text(text, encoding="utf-8")
        done = self._shell.run("ratekit", "--debug", "scope", "list", "--all")
        return done.stdout + done.stderr

    def stored(self) -> bytes:
        """Return what the SQLite database holds."""
        return b"".join(path.read_bytes() for path in self._path.parent.glob("ratekit.sqlite*"))


@pytest.fixture
def loud(shell: Shell, tmp_path: pathlib.Path) -> Loud:
    """Commands on the real cloud with all logs on."""
    return Loud(shell, tmp_path)


def test_rating_shows_neither_password_nor_token(cloud: stack.Stack, loud: Loud) -> None:
    loud.prepare()
    code, said = loud.rate(loud.text)
    assert code == 0, said[-2000:]
    assert "REQ: curl" in said  # so it was loud
    assert cloud.user.password not in said
    assert not TOKEN.search(said)
    assert cloud.user.password.encode() not in loud.stored()


@pytest.mark.parametrize(
    "where",
    ["password", "keystone url", "gnocchi url", "application credential", "gnocchi user"],
)
def test_a_failing_back_end_shows_no_secret(cloud: stack.Stack, loud: Loud, where: str) -> None:
    loud.prepare()
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
    assert old in loud.text
    text = loud.text.replace(old, new)
    if where == "application credential":
        # Neither user nor project: the credential knows both.
        kept = ("username", "password", "project_name", "user_domain", "project_domain")
        text = "\n".join(line for line in text.split("\n") if not line.startswith(kept))
    code, said = loud.rate(text)
    assert code == 1, said[-2000:]
    assert SECRET not in said
    assert not TOKEN.search(said)
    assert SECRET.encode() not in loud.stored()


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
def test_a_database_that_cannot_be_used_shows_no_secret(loud: Loud, url: str) -> None:
    text = re.sub(r"(?m)^connection = .*$", lambda _: f"connection = {url}", loud.text)
    assert SECRET in text
    code, said = loud.rate(text)
    assert code in (1, 2), said[-2000:]
    assert SECRET not in said + loud.ask(text)


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
def test_a_mistake_beside_a_secret_shows_no_secret(loud: Loud, old: str, new: str) -> None:
    assert old in loud.text
    text = loud.text.replace(old, new)
    code, said = loud.rate(text)
    assert code == 2, said[-2000:]
    assert SECRET not in said

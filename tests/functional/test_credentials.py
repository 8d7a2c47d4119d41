"""What the processor prints when Keystone or Gnocchi refuses it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from tests import stack
from tests.functional.test_commands import CommandRunner, commands
from tests.private_ca import PrivateAuthority
from tests.stub_server import run_stub_server

__all__ = ["commands"]  # a fixture

#: Takes a line of the configuration and its replacement; returns the lines of the complaint.
Complain = Callable[[str, str], list[str]]


@pytest.fixture
def complain(commands: CommandRunner, tmp_path: pathlib.Path) -> Complain:
    """Rate with one line of the configuration replaced; return what is printed.

    Nothing is rated, and the exit code is 1. INFO lines are left out of the list.
    """
    path = tmp_path / "ratekit.conf"
    correct = path.read_text(encoding="utf-8")
    assert commands.run("ratekit-dbsync", "upgrade").returncode == 0

    def rate(old: str, new: str) -> list[str]:
        assert old in correct
        path.write_text(correct.replace(old, new), encoding="utf-8")
        result = commands.run("ratekit-processor", "--once")
        assert result.returncode == 1, result.stderr
        assert "Traceback" not in result.stderr
        assert commands.json("frame", "list", "--limit", "0") == []
        return [line for line in result.stderr.splitlines() if " INFO " not in line]

    return rate


def missing(line: str, *facts: str) -> list[str]:
    """Return the facts that a line of the processor's does not name."""
    return [fact for fact in ("ratekit-processor: ", *facts) if fact not in line]


@pytest.mark.parametrize("wrong", ["password", "user", "project"])
def test_wrong_credentials_name_the_section(
    cloud: stack.Stack, complain: Complain, wrong: str
) -> None:
    old, new = {
        "password": (f"password = {cloud.user.password}\n", "password = geheim\n"),
        "user": (f"username = {cloud.user.name}\n", "username = nobody\n"),
        "project": (f"project_name = {cloud.user.project}\n", "project_name = nowhere\n"),
    }[wrong]
    [line] = complain(old, new)
    facts = (cloud.keystone_url, "[ratekit_auth]", "user name", "password", "domain", "project")
    assert missing(line, *facts) == []
    assert "geheim" not in line


def test_a_wrong_application_credential_is_named_as_such(
    cloud: stack.Stack, complain: Complain, tmp_path: pathlib.Path
) -> None:
    text = (tmp_path / "ratekit.conf").read_text(encoding="utf-8")
    start = text.index("auth_type = password")
    end = text.find("\n\n", start)
    old = text[start:end] if end > 0 else text[start:]
    new = (
        f"auth_type = v3applicationcredential\nauth_url = {cloud.keystone_url}\n"
        "application_credential_id = nobody\napplication_credential_secret = geheim\n"
    )
    [line] = complain(old, new)
    assert missing(line, cloud.keystone_url, "[ratekit_auth]", "application credential") == []
    assert "geheim" not in line


def test_a_url_of_another_service_than_keystone_is_reported(
    cloud: stack.Stack, complain: Complain
) -> None:
    url = f"auth_url = {cloud.keystone_url}\n"
    for wrong in (cloud.keystone_url.replace("/v3", "/nowhere"), cloud.gnocchi_url):
        [line] = complain(url, f"auth_url = {wrong}\n")
        assert missing(line, f"Keystone at {wrong}", "/v3", "auth_url", "[ratekit_auth]") == []


@pytest.mark.parametrize("path", ["/v3", "", "/identity/v3"])
def test_a_keystone_that_refuses_connections_is_reported(
    cloud: stack.Stack, complain: Complain, path: str
) -> None:
    dead = f"http://127.0.0.1:1{path}"
    [line] = complain(f"auth_url = {cloud.keystone_url}\n", f"auth_url = {dead}\n")
    assert missing(line, f"Keystone at {dead}", "[Errno 111]") == []


@pytest.mark.parametrize(
    ("group", "kind", "interface"),
    [("fetcher_keystone", "identity", "public"), ("collector_gnocchi", "metric", "internalURL")],
)
def test_an_endpoint_that_the_catalogue_lacks_is_reported_with_those_it_has(
    cloud: stack.Stack, complain: Complain, group: str, kind: str, interface: str
) -> None:
    *_, line = complain(f"[{group}]\n", f"[{group}]\nregion_name = RegionTwo\n")
    absent = (f"[{group}]", f"'{kind}'", f"'{interface}'", "'RegionTwo'")
    present = ("admin in RegionOne", "internal in RegionOne", "public in RegionOne")
    assert missing(line, cloud.keystone_url, *absent, *present) == []


def test_an_untrusted_certificate_is_reported(
    cloud: stack.Stack, complain: Complain, tmp_path: pathlib.Path
) -> None:
    with run_stub_server(PrivateAuthority(tmp_path).server_context()) as server:
        [line] = complain(f"auth_url = {cloud.keystone_url}\n", f"auth_url = {server.url}/v3\n")
    facts = (f"Keystone at {server.url}/v3", "certificate verify failed", "cafile", "insecure")
    assert missing(line, *facts, "[fetcher_keystone]") == []

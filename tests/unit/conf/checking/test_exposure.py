"""Secrets in files that every user of the host can read."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Iterator

import pytest

from ratekit.cmd import configuration, dbsync
from ratekit.conf.checking import exposure, source
from tests.unit.conf.conftest import GOOD

_TEXT = "[database]\nconnection = {connection}\n[ratekit_auth]\nusername = u\n{secret}\n"


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A folder that other users can enter, unlike those of tmp_path."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def write(folder: pathlib.Path, mode: int, text: str = GOOD) -> pathlib.Path:
    path = folder / "ratekit.conf"
    path.write_text(text)
    path.chmod(mode)
    return path


def exposed(*paths: pathlib.Path) -> list[str]:
    return [str(mistake) for mistake in exposure.find_exposed(source.read(map(str, paths)))]


@pytest.mark.parametrize(
    ("connection", "secret", "key"),
    [
        ("sqlite://", "password = p", "5: [ratekit_auth] password"),
        ("sqlite://", "application_credential_secret = p", "5: [ratekit_auth] application_"),
        ("sqlite://", "token = p", "5: [ratekit_auth] token"),
        ("sqlite://", "[api]\ndashboard_keys = p", "6: [api] dashboard_keys"),
        ("postgresql://u:p@h/d", "password = p", "2: [database] connection"),
        ("postgresql://u:p@h/d", "", "2: [database] connection"),
    ],
)
def test_the_first_secret_of_an_open_file_is_named(
    folder: pathlib.Path, connection: str, secret: str, key: str
) -> None:
    path = write(folder, 0o644, _TEXT.format(connection=connection, secret=secret))
    (line,) = exposed(path)
    assert line.startswith(f"{path}:{key}")
    assert f"chmod o-r {path}" in line


@pytest.mark.parametrize(
    ("connection", "secret"),
    [
        ("sqlite:////a/b", ""),
        ("postgresql://u@h/d", "password ="),
        ("postgresql://h/d", "access_token_endpoint = https://h/token"),
    ],
)
def test_a_file_without_secrets_may_be_open(
    folder: pathlib.Path, connection: str, secret: str
) -> None:
    assert exposed(write(folder, 0o644, _TEXT.format(connection=connection, secret=secret))) == []


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o642])
def test_a_file_that_only_owner_and_group_can_read_is_well(folder: pathlib.Path, mode: int) -> None:
    assert exposed(write(folder, mode)) == []


def test_a_file_in_a_folder_that_others_cannot_enter_is_well(folder: pathlib.Path) -> None:
    folder.chmod(0o750)
    assert exposed(write(folder, 0o644)) == []


def test_each_file_is_judged_by_what_a_link_leads_to(folder: pathlib.Path) -> None:
    path = write(folder, 0o644)
    inner = folder / "inner"
    inner.mkdir(0o700)
    link = inner / "link.conf"
    link.symlink_to(path)
    assert [line.partition(":")[0] for line in exposed(link, path)] == [str(link), str(path)]


def test_commands_and_the_daemon_warn(
    folder: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(folder, 0o644, f"[database]\nconnection = sqlite:///{folder}/r.sqlite\n{GOOD}")
    assert dbsync.main(["--config-file", str(path), "upgrade"]) == 0
    assert f"ratekit-dbsync: warning: {path}:11: [ratekit_auth] password" in capsys.readouterr().err
    configuration.load_for_rating("ratekit-test", ["--config-file", str(path)])
    assert f"{path}:11: [ratekit_auth] password" in caplog.text
    caplog.clear()
    path.chmod(0o640)
    assert dbsync.main(["--config-file", str(path), "version"]) == 0
    configuration.load_for_rating("ratekit-test", ["--config-file", str(path)])
    assert (capsys.readouterr().err, caplog.text) == ("", "")

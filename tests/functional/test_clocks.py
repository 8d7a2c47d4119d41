"""The processor on a host with a wrong clock, beside a Keystone and a Gnocchi with right ones."""

from __future__ import annotations

import datetime
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests import stack
from tests.functional.conftest import postgresql_url
from tests.functional.test_commands import RULES, CommandRunner, commands

__all__ = ["commands"]  # a fixture


def run_at(
    offset: str, conf: pathlib.Path, command: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with a clock that differs from the other hosts'."""
    faketime = shutil.which("faketime")
    if faketime is None:
        reason = "faketime is not installed (a package of the system)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    program = pathlib.Path(sys.executable).with_name(command)
    return subprocess.run(
        [faketime, "-m", "-f", offset, program, "--config-file", conf, *arguments],
        env={**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    ("fetcher", "offset"), [("keystone", "+5h"), ("static", "+5h"), ("static", "-90")]
)
def test_a_wrong_clock_moves_no_state(
    cloud: stack.Stack,
    commands: CommandRunner,
    tmp_path: pathlib.Path,
    fetcher: str,
    offset: str,
) -> None:
    """The static fetcher asks nobody, so that only Gnocchi knows better."""
    conf = tmp_path / "ratekit.conf"
    if fetcher == "static":
        text = conf.read_text(encoding="utf-8").replace("backend = keystone", "backend = static")
        section = f"[fetcher_static]\nscopes = {cloud.project_ids['demo-01']}\n"
        conf.write_text(f"{text}\n{section}", encoding="utf-8")
    assert commands.run("ratekit-dbsync", "upgrade").returncode == 0
    assert commands.run("ratekit", "hashmap", "apply", str(RULES), "--yes").returncode == 0

    wrong = run_at(offset, conf, "ratekit-processor", "--once")
    assert wrong.returncode == 1, wrong.stderr
    assert "Traceback" not in wrong.stderr
    [line] = [line for line in wrong.stderr.splitlines() if line.startswith("ratekit-processor:")]
    assert "max_clock_skew" in line
    assert "this host has" in line
    assert ("the clock of this host is" in line) == (fetcher == "keystone")
    assert commands.json("scope", "list") == []

    right = commands.run("ratekit-processor", "--once")
    assert right.returncode == 0, right.stderr
    now = datetime.datetime.now(datetime.UTC)
    for row in commands.json("scope", "list"):
        assert datetime.datetime.fromisoformat(row["Rated until"]) <= now
    assert commands.json("frame", "list", "--limit", "0") != []


def test_no_rule_starts_by_a_wrong_clock(cloud: stack.Stack, tmp_path: pathlib.Path) -> None:
    conf = tmp_path / "prices.conf"
    url = postgresql_url(cloud, tmp_path)
    conf.write_text(f"[database]\nconnection = {url}\n", encoding="utf-8")
    apply = ("ratekit", "hashmap", "apply", str(RULES), "--yes")
    for offset in ("+5h", "-5h"):
        refused = run_at(offset, conf, *apply)
        assert refused.returncode == 2, refused.stderr
        assert "the clocks of this host, the database differ: " in refused.stderr
    applied = run_at("+0", conf, *apply)
    assert applied.returncode == 0, applied.stderr

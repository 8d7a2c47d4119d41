"""The demo's steps, with the commands that operators use."""

from __future__ import annotations

import configparser
import datetime
import json
import pathlib
import signal
import subprocess
import sys
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests import stack
from tests.functional.conftest import METRICS, RATED, REPO
from tests.functional.oracle import BillOracle

RULES = REPO / "etc/ratekit/hashmap.yml"


class CommandRunner:
    """Runs ratekit's commands with one configuration."""

    def __init__(self, conf: pathlib.Path) -> None:
        self._conf = conf

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; return its output and exit code."""
        program = pathlib.Path(sys.executable).with_name(command)
        return subprocess.run(
            [program, "--config-file", self._conf, *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """Return the rows of a listing of ``ratekit``, which must succeed."""
        result = self.run("ratekit", *arguments, "-f", "json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture
def commands(cloud: stack.Stack, tmp_path: pathlib.Path) -> CommandRunner:
    """Return commands on the real cloud with an empty SQLite file."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(cloud.conf_path)
    parser["database"]["connection"] = f"sqlite:///{tmp_path}/ratekit.sqlite"
    # Not every test applies rules.
    parser["rating"] = {"without_rules": "free"}
    path = tmp_path / "ratekit.conf"
    with path.open("w", encoding="utf-8") as file:
        parser.write(file)
    return CommandRunner(path)


def test_the_summary_of_the_demo_equals_independently_computed_figures(
    cloud: stack.Stack, commands: CommandRunner
) -> None:
    plan = cloud.plan()
    assert commands.run("ratekit-processor", "--once").returncode == 2
    assert commands.run("ratekit-dbsync", "upgrade").returncode == 0
    assert commands.run("ratekit", "hashmap", "apply", str(RULES), "--yes").returncode == 0
    rated = commands.run("ratekit-processor", "--once")
    assert rated.returncode == 0, rated.stderr
    assert "Traceback" not in rated.stderr
    assert "Deprecat" not in rated.stderr

    scopes = commands.json("scope", "list")
    assert {row["Name"] for row in scopes} == RATED
    # Another hour may become due while the test runs.
    until = min(datetime.datetime.fromisoformat(row["Rated until"]) for row in scopes)
    range_options = ("--begin", plan.begin.isoformat(), "--end", until.isoformat())
    ids = {name: id_ for name, id_ in cloud.project_ids.items() if name in RATED}
    bill = BillOracle.read(plan, ids, str(METRICS), str(RULES)).bill()
    expected: dict[tuple[str, str], list[Fraction]] = {}
    for (scope, begin, metric, _), (quantity, price) in bill.items():
        if begin < until:
            sums = expected.setdefault((scope, metric), [Fraction(0)] * 3)
            sums[0] += 1
            sums[1] += Fraction(quantity)
            sums[2] += Fraction(price)
    summary = commands.json("summary", *range_options)
    assert {
        (row["Scope"], row["Metric"]): [
            Fraction(row["Frames"]),
            Fraction(Decimal(row["Quantity"])),
            Fraction(Decimal(row["Price"])),
        ]
        for row in summary
    } == expected

    frames = commands.json("frame", "list", *range_options, "--limit", "0")
    second = commands.run("ratekit-processor", "--once")
    assert second.returncode == 0
    assert commands.json("frame", "list", *range_options, "--limit", "0") == frames


def test_a_wrong_password_is_one_line_that_names_the_service(
    cloud: stack.Stack, commands: CommandRunner, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "ratekit.conf"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(cloud.user.password, "wrong-password"), encoding="utf-8")
    assert commands.run("ratekit-dbsync", "upgrade").returncode == 0
    result = commands.run("ratekit-processor", "--once")
    assert result.returncode != 0
    assert "Keystone" in result.stderr
    assert "Traceback" not in result.stderr
    assert "wrong-password" not in result.stderr


def test_an_absent_gnocchi_is_reported_in_lines_and_nothing_is_lost(
    cloud: stack.Stack, commands: CommandRunner, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "ratekit.conf"
    correct = path.read_text(encoding="utf-8")
    wrong = "[collector_gnocchi]\ngnocchi_endpoint = http://127.0.0.1:1\n"
    path.write_text(correct.replace("[collector_gnocchi]\n", wrong), encoding="utf-8")
    assert commands.run("ratekit-dbsync", "upgrade").returncode == 0
    result = commands.run("ratekit-processor", "--once")
    assert result.returncode == 1
    assert "Gnocchi" in result.stderr
    assert "127.0.0.1" in result.stderr
    assert "[Errno 111]" in result.stderr
    for noise in ("Traceback", "Removing descriptor", "Max retries"):
        assert noise not in result.stderr
    path.write_text(correct, encoding="utf-8")
    starts = {row["Rated until"] for row in commands.json("scope", "list")}
    assert {datetime.datetime.fromisoformat(start) for start in starts} == {cloud.plan().begin}
    assert commands.run("ratekit-processor", "--once").returncode == 0
    assert commands.json("summary", "--begin", cloud.plan().begin.isoformat())


def test_an_idle_daemon_stops_at_once(commands: CommandRunner, tmp_path: pathlib.Path) -> None:
    assert commands.run("ratekit-dbsync", "upgrade").returncode == 0
    assert commands.run("ratekit-processor", "--once").returncode == 0
    log = tmp_path / "daemon.log"
    with log.open("w", encoding="utf-8") as output:
        daemon = subprocess.Popen(
            [
                pathlib.Path(sys.executable).with_name("ratekit-processor"),
                "--config-file",
                tmp_path / "ratekit.conf",
            ],
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 60
            while "worker 1 of 1" not in log.read_text() and time.monotonic() < deadline:
                time.sleep(0.1)
            # It looks for other daemons for some seconds, and its first cycle finds nothing to do.
            # Then it waits for most of an hour.
            time.sleep(6)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(timeout=30) == 0
        finally:
            daemon.kill()
            daemon.wait()
    # It says once that it has started and once that it has stopped.
    assert log.read_text().count("worker 1 of 1") == 2

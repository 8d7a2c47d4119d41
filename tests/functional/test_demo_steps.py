"""The steps that tools/demo.sh prints, run as they are printed."""

from __future__ import annotations

import os
import pathlib
import pty
import shutil
import subprocess
import sys
from decimal import Decimal

from tests import stack
from tests.functional.conftest import REPO
from tests.functional.test_commands import RULES, CommandRunner, commands

__all__ = ["commands"]


def printed_commands(begin: str, end: str) -> str:
    """Return the indented lines of the steps."""
    text = (REPO / "tools/demo.txt").read_text().replace("BEGIN", begin).replace("END", end)
    return "".join(line for line in text.splitlines(keepends=True) if line.startswith("    "))


def type_in_a_shell(
    script: str, answers: str, folder: pathlib.Path
) -> subprocess.CompletedProcess[str]:
    """Run commands in the shell of the demo, at whose terminal questions are answered."""
    programs = pathlib.Path(sys.executable).parent
    environment = os.environ | {
        "RATEKIT_CONFIG": str(folder / "ratekit.conf"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
    }
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, answers.encode())
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_the_printed_steps_raise_a_price_explain_it_and_charge_it(
    cloud: stack.Stack, commands: CommandRunner, tmp_path: pathlib.Path
) -> None:
    assert commands.run("ratekit-dbsync", "upgrade").returncode == 0
    applied = commands.run("ratekit", "hashmap", "apply", str(RULES), "--yes")
    assert (applied.returncode, applied.stderr) == (0, "")
    assert commands.run("ratekit-processor", "--once").returncode == 0
    begin = f"{cloud.plan().begin:%Y-%m-%dT%H:%M}"
    end = min(row["Rated until"] for row in commands.json("scope", "list"))
    selection = ("--begin", begin, "--end", end, "--groupby", "metric")
    before = {row["Metric"]: row for row in commands.json("summary", *selection)}
    shutil.copy(RULES, tmp_path / "hashmap.yml")

    shell = type_in_a_shell(printed_commands(begin, end), "y\ny\n", tmp_path)
    assert shell.returncode == 0, shell.stderr
    assert "- instance.flavor_name=m1.large flat 0.08" in shell.stdout
    assert "+ instance.flavor_name=m1.large flat 0.1 " in shell.stdout
    tables = [line for line in shell.stdout.splitlines() if line.startswith(("|", "+-"))]
    assert 0 < max(map(len, tables)) <= 80

    after = {row["Metric"]: row for row in commands.json("summary", *selection)}
    large = commands.json("summary", *selection[:4], "--groupby", "flavor_name")
    (quantity,) = (row["Quantity"] for row in large if row["flavor_name"] == "m1.large")
    raised = Decimal(after["instance"]["Price"]) - Decimal(before["instance"]["Price"])
    assert raised == Decimal(quantity) * Decimal("0.02")
    assert {name for name in after if after[name] != before[name]} == {"instance"}

"""The steps that tools/demo.sh prints, run as they are printed."""

from __future__ import annotations

import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
from decimal import Decimal

import bs4
import requests

from ratekit.domain.reporting.bill import add_up
from tests import stack
from tests.functional.conftest import REPO
from tests.functional.test_commands import RULES, CommandRunner, commands
from tests.stack import pages, processes
from tests.stack.folder import Folder

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


def log_in(address: str, user: str, password: str, project: str) -> bs4.BeautifulSoup:
    """Log in as somebody who types what the demo prints; return the first page."""
    browser = requests.Session()
    form = bs4.BeautifulSoup(browser.get(address, timeout=60).text, "html.parser")
    fields = {
        str(field["name"]): str(field.get("value", "")) for field in form.select("input[name]")
    }
    del fields["token"]
    fields |= {"user": user, "password": password, "project": project}
    answer = browser.post(f"{address}/login", data=fields, timeout=60)
    assert answer.status_code == 200, answer.text
    return bs4.BeautifulSoup(answer.text, "html.parser")


def amounts(page: bs4.BeautifulSoup) -> set[Decimal]:
    """Return the amounts of money of a page, with all digits."""
    return {Decimal(str(cell["value"])) for cell in page.select("data.money")}


def test_the_bill_and_the_pages_that_it_names_show_the_costs_of_summary(
    cloud: stack.Stack, commands: CommandRunner, tmp_path: pathlib.Path
) -> None:
    for command in (
        ("ratekit-dbsync", "upgrade"),
        ("ratekit", "hashmap", "apply", str(RULES), "--yes"),
        ("ratekit-processor", "--once"),
    ):
        assert commands.run(*command).returncode == 0
    begin = f"{cloud.plan().begin:%Y-%m-%dT%H:%M}"
    path = tmp_path / "bill.html"
    written = commands.run("ratekit", "report", "--begin", begin, "-o", str(path))
    assert (written.returncode, written.stdout, written.stderr) == (0, "", "")
    bill = bs4.BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    costs = commands.json("summary", "--begin", begin, "--groupby", "scope")
    prices = {Decimal(row["Price"]) for row in costs}
    assert prices | {add_up(Decimal(row["Price"]) for row in costs)} <= amounts(bill)

    folder = Folder.at(tmp_path / "pages")
    folder.create()
    folder.prepare()
    try:
        text = str(pages.start(cloud, "demo-01", folder, tmp_path / "ratekit.conf"))
        [address] = re.findall(r"http://\S+", text)
        readers = re.findall(r"as (\w+): user (\S+), password (\S+), project (\S+)", text)
        first_pages = {title: log_in(address, *reader) for title, *reader in readers}
    finally:
        processes.stop_all(folder)
    # Of this month only, which is all of the data unless a month has just started.
    this_month = commands.json("summary", "--groupby", "scope", "--scope", "demo-01")
    [price] = [Decimal(row["Price"]) for row in this_month] or [Decimal(0)]
    assert price in amounts(first_pages["tenant"])
    for title, project in (("tenant", "demo-01"), ("operator", "admin")):
        words = " ".join(first_pages[title].get_text(" ").split())
        assert f"Project {project}" in words
        # The part of the menu that only operators have.
        assert ("Operation" in words) == (title == "operator")

"""The examples of the page for accountants, as they are written there."""

from __future__ import annotations

import pathlib
import shlex
import subprocess
import sys

import pytest

from ratekit.export.focus.columns import COLUMNS
from tests.unit.cmd import test_cookbook
from tests.unit.cmd.conftest import Shell, configure
from tests.unit.test_docs import PAGES, blocks

PAGE = PAGES["accounting"]
cloud = test_cookbook.cloud


@pytest.fixture(autouse=True)
def currency(config: pathlib.Path) -> None:
    """What an export needs."""
    configure(config, "rating", "currency = EUR")
    (config.parent / "metrics.yml").write_text(
        "metrics: {instance: {unit: instance, extra_args: {resource_type: instance}}}\n"
    )


def run_python(text: str) -> str:
    """Return what a program prints."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout


@pytest.mark.usefixtures("cloud")
def test_commands_print_what_the_page_says_and_programs_read_the_files(ratekit: Shell) -> None:
    for block in blocks(PAGE, "console"):
        lines = [line.removeprefix("   ") for line in block.rstrip().splitlines()]
        program, *arguments = shlex.split(lines[0].removeprefix("$ "))
        answer = ratekit(*arguments)
        assert (program, answer.code) == ("ratekit", 0)
        assert (answer.err + answer.out).splitlines() == lines[1:]
    programs = [
        "\n".join(line.removeprefix("   ") for line in block.splitlines())
        for block in blocks(PAGE, "python")
    ]
    assert list(map(run_python, programs)) == [
        "59.52\n",
        "customer-17 45.12\ncustomer-18 14.4\n",
    ]


def test_every_column_is_described() -> None:
    table = PAGE[PAGE.index(".. list-table::") :]
    assert [column.name for column in COLUMNS if column.name not in table] == []

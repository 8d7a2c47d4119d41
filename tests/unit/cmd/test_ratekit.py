"""ratekit as a whole: help, wrong arguments, exit codes."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import NoReturn

import pytest

from ratekit.cmd import ratekit as command
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

LINE = "import sys; from ratekit.cmd.ratekit import main; sys.exit(main())"


@pytest.mark.parametrize("argv", [[], ["--help"], ["help"]])
def test_without_a_command_it_prints_help(argv: list[str], ratekit: Shell) -> None:
    answer = ratekit(*argv)
    assert (answer.code, answer.err) == (0, "")
    for name in ("scope list", "summary", "frame list", "hashmap apply", "hashmap export"):
        assert name in answer.out


def test_a_command_has_its_own_help(ratekit: Shell) -> None:
    answer = ratekit("hashmap", "apply", "--help")
    assert answer.code == 0
    assert "--yes" in answer.out


def test_it_prints_its_version(ratekit: Shell) -> None:
    assert ratekit("--version").out.startswith("ratekit 0.")


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["scope"], "incomplete command 'scope'; expected one of: scope activate, scope"),
        (["scope", "--all"], "incomplete command 'scope'; expected one of: scope activate, scope"),
        (["scope", "lst"], "unknown command 'scope lst'; did you mean 'scope activate'"),
        (["summmary"], "did you mean 'summary'?"),
        (["help", "nonsense"], "unknown command 'nonsense'"),
        (["--colour", "summary"], "unknown option --colour"),
        (["summary", "-c", "Cost"], "no column 'Cost'; columns: Scope, Name"),
        (["scope", "list", "--sort-column", "x"], "no column 'x'"),
    ],
)
def test_a_mistake_is_one_line_and_2(argv: list[str], hint: str, ratekit: Shell) -> None:
    answer = ratekit(*argv)
    assert answer.code == 2
    assert hint in answer.err
    assert (answer.out, answer.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    "argv",
    [
        ["summary", "--colour"],
        ["summary", "--decimals", "two"],
        ["summary", "--decimals", "29"],
        ["frame", "list", "--limit", "-1"],
        ["scope", "list", "-f", "xml"],
        ["hashmap", "apply"],
    ],
)
def test_a_wrong_or_missing_option_is_short_and_2(argv: list[str], ratekit: Shell) -> None:
    answer = ratekit(*argv)
    assert answer.code == 2
    assert answer.err.count("\n") == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[collect]\nperiod = often\n", "period"),
        ("[database]\nconnection = nonsense\n", "[database] connection"),
        ("[rating]\nmodules =\n", "[rating] modules: expected at least one module"),
        ("[database]\nconnection = sqlite:////nowhere/at/all\n", "[database] connection"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_line_and_2(
    text: str, hint: str, ratekit: Shell
) -> None:
    ratekit.config.write_text(text)
    answer = ratekit("scope", "list")
    assert answer.code == 2
    assert hint in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["summary"],
        ["scope", "list", "--all"],
        ["status"],
        ["frame", "list"],
        ["hashmap", "export"],
        ["reprocess", "list"],
    ],
)
def test_each_command_warns_of_a_misspelt_option_once(argv: list[str], ratekit: Shell) -> None:
    ratekit.config.write_text(ratekit.config.read_text() + "[databse]\nconnection = x\n")
    line = ratekit.config.read_text().splitlines().index("[databse]") + 1
    warning = f"ratekit: warning: {ratekit.config}:{line}: [databse]: unknown section"
    assert ratekit(*argv).err.count(warning) == 1


def test_a_missing_configuration_file_is_one_line_and_2(
    ratekit: Shell, tmp_path: pathlib.Path
) -> None:
    ratekit.config = tmp_path / "missing.conf"
    answer = ratekit("summary")
    assert answer.code == 2
    assert "missing.conf" in answer.err
    assert answer.err.count("\n") == 1


def test_a_traceback_is_shown_only_with_debug(ratekit: Shell) -> None:
    ratekit.config.write_text("[database]\nconnection = nonsense\n")
    answer = ratekit("--debug", "scope", "list")
    assert answer.code == 2
    assert "Traceback" in answer.err


def test_an_interrupt_is_quiet_and_130(ratekit: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> NoReturn:
        raise KeyboardInterrupt

    argv = ["--config-file", str(ratekit.config), "scope", "list"]
    assert command.main(argv, command.Ratekit(clock=interrupt)) == 130
    assert capsys.readouterr() == ("", "")


def test_a_closed_pipe_is_no_error_and_libraries_are_silent(
    ratekit: Shell, storage: Storage
) -> None:
    states = given.list_scopes(storage, "a1")
    series = given.build_series("a1", [("1", "1")] * 24, labels={"id": "x" * 1000})
    storage.ledger.commit(given.batch(states, series, periods=given.window(24)))
    argv = [sys.executable, "-c", LINE, "--config-file", str(ratekit.config), "frame", "list"]
    argv += ["--begin", "2026-03-01", "-f", "csv"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141

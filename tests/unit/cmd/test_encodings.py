"""Terminals that lack letters: commands show ``?`` for them, and no traceback."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Shell

NAME = "Caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{SNOWMAN}"
RULES = f"""\
services:
  instance:
    fields:
      flavor_name:
        mappings:
          - {{value: "{NAME}", cost: "1", type: flat}}
"""


@pytest.fixture
def scope(storage: Storage) -> None:
    """A scope whose name has letters that neither ASCII nor all of Latin-1 has."""
    storage.ledger.observe(
        [Scope("a1", NAME)], given.hour(0), start=given.hour(0), resume=given.hour(0)
    )


def run(config: pathlib.Path, encoding: str, *words: str) -> tuple[int, bytes, bytes]:
    """Run ``ratekit`` whose streams have an encoding; return its exit code and output."""
    process = subprocess.run(
        [pathlib.Path(sys.executable).with_name("ratekit"), "--config-file", config, *words],
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "200"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return process.returncode, process.stdout, process.stderr


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("ascii", b"Caf? ?"), ("latin-1", b"Caf\xe9 ?"), ("utf-8", NAME.encode())],
)
@pytest.mark.parametrize("format_", ["table", "value", "csv", "shell"])
def test_a_letter_that_a_terminal_lacks_is_a_question_mark(
    config: pathlib.Path, scope: None, encoding: str, name: bytes, format_: str
) -> None:
    command = "show a1" if format_ == "shell" else "list"
    code, out, err = run(config, encoding, "scope", *command.split(), "-f", format_)
    assert (code, err) == (0, b"")
    assert name in out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_and_yaml_lose_no_letter_on_any_terminal(
    config: pathlib.Path, scope: None, encoding: str
) -> None:
    for format_, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        code, out, err = run(config, encoding, "scope", "list", "-f", format_)
        assert (code, err) == (0, b"")
        assert read(out.decode(encoding))[0]["Name"] == NAME


def test_errors_show_question_marks_too(config: pathlib.Path) -> None:
    code, out, err = run(config, "ascii", "scope", "show", "Caf\xe9")
    assert (code, out) == (2, b"")
    assert err == b"ratekit: no scope 'Caf?'; see ratekit scope list --all\n"


def test_exported_rules_are_utf_8_on_every_terminal(
    ratekit: Shell, config: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(RULES, encoding="utf-8")
    assert ratekit("hashmap", "apply", str(path), "--yes", "--allow-unknown").code == 0
    # A question mark would be another price when the file is applied.
    code, out, err = run(config, "ascii", "hashmap", "export")
    assert (code, err) == (0, b"")
    assert NAME in out.decode("utf-8")

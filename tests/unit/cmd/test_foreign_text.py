"""Names that a cloud's users have chosen cannot act on a terminal, a shell, a sheet or a reader."""

from __future__ import annotations

import csv
import io
import re
import subprocess

import pytest
import yaml

from ratekit.domain.scope import Scope
from ratekit.interfaces import Storage
from tests.contract import given
from tests.unit.cmd.conftest import Answer, Shell

#: A forged line, a window title, a reversed direction, other line breaks, an unpaired surrogate.
NAME = "a\nratekit: forged\r\x1b]0;owned\x07\u202etxt\u2028\x85\u2066"
ESCAPED = r"a\nratekit: forged\r\x1b]0;owned\x07\u202etxt\u2028\x85\u2066"
FORMULAS = ["=1+1", "+cmd", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\uff1d1"]
TEXT_FORMATS = ["table", "value", "csv"]


def add_scopes(storage: Storage, *names: str) -> None:
    """Store scopes s0, s1, … with these names."""
    scopes = [Scope(f"s{number}", name) for number, name in enumerate(names)]
    storage.ledger.observe(scopes, given.START, given.START, given.START)


def read_csv(answer: Answer) -> list[list[str]]:
    """Parse a sheet as cliff writes it, which doubles backslashes."""
    return list(csv.reader(io.StringIO(answer.out), escapechar="\\"))


def has_only_text(answer: Answer) -> bool:
    """Whether nothing but line breaks is unprintable, in both streams."""
    return (answer.out + answer.err).replace("\n", "").isprintable()


@pytest.mark.parametrize("form", TEXT_FORMATS)
def test_a_hostile_name_is_escaped_in_listings(ratekit: Shell, storage: Storage, form: str) -> None:
    add_scopes(storage, NAME)
    answer = ratekit("scope", "list", "-f", form)
    assert has_only_text(answer)
    assert ESCAPED in answer.out.replace(r"\\", "\\")
    assert not re.search("^ratekit: forged", answer.out, re.MULTILINE)


@pytest.mark.parametrize("form", ["table", "value"])
def test_a_hostile_name_is_escaped_in_records(ratekit: Shell, storage: Storage, form: str) -> None:
    add_scopes(storage, NAME)
    answer = ratekit("scope", "show", "s0", "-f", form)
    assert has_only_text(answer)
    assert ESCAPED in answer.out


def test_programs_read_the_name_as_it_is(ratekit: Shell, storage: Storage) -> None:
    add_scopes(storage, NAME)
    answer = ratekit("scope", "list", "-f", "json")
    assert has_only_text(answer)
    assert answer.json()[0]["Name"] == NAME
    answer = ratekit("scope", "list", "-f", "yaml")
    assert has_only_text(answer)
    assert yaml.safe_load(answer.out)[0]["Name"] == NAME


def test_a_hostile_name_is_escaped_in_lines_and_questions(ratekit: Shell, storage: Storage) -> None:
    add_scopes(storage, NAME)
    for words in (["deactivate", "s0"], ["activate", "s0"], ["activate", "s0"]):
        answer = ratekit("scope", *words)
        assert answer.code == 0
        assert has_only_text(answer)
        assert ESCAPED in answer.out


def test_a_hostile_argument_is_one_escaped_line(ratekit: Shell, storage: Storage) -> None:
    answer = ratekit("scope", "show", NAME)
    assert answer.code == 2
    assert has_only_text(answer)
    assert len(answer.err.splitlines()) == 1


def test_a_cell_of_a_sheet_is_no_formula(ratekit: Shell, storage: Storage) -> None:
    add_scopes(storage, *FORMULAS)
    answer = ratekit("scope", "list", "-f", "csv", "-c", "Name", "--sort-column", "Scope")
    assert [row[0] for row in read_csv(answer)[1:]] == [
        "'=1+1", "'+cmd", "'-2+3", "'@SUM(1)", r"\t=1", r"\r=1", "'\uff1d1",
    ]  # fmt: skip


def test_a_negative_price_in_a_sheet_is_a_number(ratekit: Shell, storage: Storage) -> None:
    states = given.list_scopes(storage, "a1")
    series = given.build_series("a1", [("1", "-0.5")])
    storage.ledger.commit(given.batch(states, series))
    answer = ratekit("frame", "list", "-f", "csv", "-c", "Price")
    assert read_csv(answer) == [["Price"], ["-0.5"]]


def test_a_listing_is_sorted_by_what_was_there_before_it_was_escaped(
    ratekit: Shell, storage: Storage
) -> None:
    add_scopes(storage, "b", "=a", "\x1bc")
    answer = ratekit("scope", "list", "-f", "csv", "-c", "Name", "--sort-column", "Name")
    assert read_csv(answer) == [["Name"], [r"\x1bc"], ["'=a"], ["b"]]


@pytest.mark.parametrize("name", ["$(echo owned)", "`echo owned`", '"; echo owned; "', "a\\", NAME])
def test_a_shell_reads_a_name_as_a_value(ratekit: Shell, storage: Storage, name: str) -> None:
    add_scopes(storage, name)
    script = ratekit("scope", "show", "s0", "-f", "shell", "-c", "Name").out
    script += '\nprintf "%s" "$name"'
    output = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    assert output.stdout == (ESCAPED if name == NAME else name)
    assert output.stderr == ""

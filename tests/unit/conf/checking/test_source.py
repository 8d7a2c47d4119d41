"""Configuration files that cannot be read, and where things stand in those that can."""

from __future__ import annotations

import os
import pathlib

import pytest

from ratekit import errors
from ratekit.cmd import configuration
from ratekit.conf.checking import source
from tests.unit.conf.conftest import Refusals


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (
            "[collect]\nperiod 3600\n",
            2,
            "expected 'option = value', '[section]' or '# comment'",
        ),
        ("[collect]\n= 3600\n", 2, "expected the name of an option before '='"),
        (
            "[collect]\n  period = 3600\n",
            2,
            "starts with white space but continues no option; remove the white space",
        ),
        ("\n[collect\n", 2, "expected '[section]' and nothing after it"),
        ("[]\n", 1, "expected the name of a section between the brackets"),
        ("# x\nperiod = 3600\n\n[collect]\n", 2, "expected a [section] before the first option"),
    ],
)
def test_a_malformed_file_is_reported_with_its_line(
    text: str, line: int, expected: str, refusals: Refusals
) -> None:
    assert refusals(text) == [f"r.conf:{line}: {expected}"]


def test_a_malformed_line_is_not_shown_because_it_may_be_a_secret(refusals: Refusals) -> None:
    (line,) = refusals("[ratekit_auth]\npassword geheim\n")
    assert "geheim" not in line


def test_all_unreadable_files_are_reported_together(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "latin", "good"):
        path = tmp_path / name
        path.mkdir() if name == "folder" else path.write_bytes(b"[collect]\n")
    (tmp_path / "latin").write_bytes(b"[a]\nb = \xff\n")
    names = ["missing", "folder", "good", "latin", "pipe"]
    with pytest.raises(errors.BadInput) as caught:
        source.read([str(tmp_path / name) for name in names], [str(tmp_path / "none")])
    assert [str(mistake).removeprefix(f"{tmp_path}/") for mistake in caught.value.mistakes] == [
        "none: cannot be read: no such folder",
        "missing: cannot be read: No such file or directory",
        "folder: cannot be read: Is a directory",
        "latin: is not UTF-8 text: invalid start byte at byte 9",
        "pipe: is a pipe; expected a file",
    ]


def test_a_device_without_an_end_is_reported() -> None:
    with pytest.raises(errors.BadInput, match="/dev/zero: is larger than 4 MiB"):
        source.read(["/dev/zero"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_reported(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "r.conf"
    path.write_text("[collect]\n")
    path.chmod(0)
    with pytest.raises(errors.BadInput, match="cannot be read: Permission denied"):
        source.read([str(path)])


def test_the_last_of_several_options_with_one_name_applies(tmp_path: pathlib.Path) -> None:
    first, second = tmp_path / "one.conf", tmp_path / "two.conf"
    first.write_text("[collect]\nperiod = 1\nperiod = 2\n\n[COLLECT]\nperiod = 3\n")
    second.write_text("[collect]\nwait_periods = 4\n")
    content = source.read([str(first), str(second)])
    entry = content.find("collect", "period")
    assert entry == source.OptionEntry(str(first), 6, "COLLECT", "period", "3")
    mistake = content.mistake("collect", "start", "is wrong")
    assert str(mistake) == f"{second}:1: [collect] start: is wrong"
    assert (
        str(content.mistake("nosuch", "start", "is wrong")) == f"{second}: [nosuch] start: is wrong"
    )


def test_a_value_of_several_lines_has_the_number_of_the_first(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "r.conf"
    path.write_text("[a]\n# c\nb: 1,\n  2\nd = 'x = y'\n")
    first, second = source.read([str(path)]).entries
    assert (first.line, first.text) == (3, "1,\n2")
    assert (second.line, second.name, second.text) == (5, "d", "x = y")


def test_files_and_folders_are_those_of_the_command_line(tmp_path: pathlib.Path) -> None:
    assert source.find_files(["--once", "--config-file=a", "--config-file", "b"], "x") == (
        ["a", "b"],
        [],
    )
    assert source.find_files(["--config-dir", "d"], "x") == ([], ["d"])
    assert source.find_files(["--config-file"], "x") == ([], [])
    for name in ("2.conf", "1.conf", "3.txt"):
        (tmp_path / name).write_text("[a]\n")
    files = source.read([], [str(tmp_path)]).files
    assert [pathlib.Path(file).name for file in files] == ["1.conf", "2.conf"]


def test_the_environment_names_the_file_where_the_command_line_does_not(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEKIT_CONFIG", "from/environment.conf")
    assert source.find_files(["--once"], "x") == (["from/environment.conf"], [])
    assert source.find_files(["--config-file", "a"], "x") == (["a"], [])
    assert source.find_files(["--config-dir", "d"], "x") == ([], ["d"])


def test_a_file_of_the_environment_that_is_missing_is_not_replaced_by_a_default(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ratekit.conf").write_text("[collect]\n")
    monkeypatch.setenv("RATEKIT_CONFIG", str(tmp_path / "missing.conf"))
    with pytest.raises(errors.BadInput, match=r"missing\.conf: cannot be read"):
        configuration.load("x", [])


def test_the_users_own_file_is_read_before_that_of_the_host(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RATEKIT_CONFIG", "")
    path = tmp_path / ".ratekit" / "ratekit.conf"
    path.parent.mkdir()
    path.write_text("[collect]\nperiod = 7200\n")
    assert source.find_files([], "x") == ([str(path)], [])
    assert configuration.load("x", []).collect.period == 7200

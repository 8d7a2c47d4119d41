"""ratekit sample-config: the files that an installation starts with."""

from __future__ import annotations

import os
import pathlib
import shlex
import stat

import pytest

from tests.unit.cmd.conftest import Shell


def test_files_of_an_operator_are_not_overwritten(ratekit: Shell, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    for name in ("metrics.yml", "hashmap.yml"):
        (folder / name).write_text("mine")
    answer = ratekit("sample-config", str(folder))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"ratekit: {folder}: metrics.yml, hashmap.yml already there; use --force to overwrite\n"
    )
    assert sorted(path.name for path in folder.iterdir()) == ["hashmap.yml", "metrics.yml"]
    assert (folder / "metrics.yml").read_text() == "mine"


def test_force_overwrites_files_and_replaces_links(ratekit: Shell, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    target = tmp_path / "elsewhere"
    target.write_text("mine")
    (folder / "metrics.yml").symlink_to(target)
    (folder / "ratekit.conf").write_text("mine")
    (folder / "ratekit.conf").chmod(0o666)
    answer = ratekit("sample-config", "--force", str(folder))
    assert (answer.code, answer.err) == (0, "")
    assert "metrics:" in (folder / "metrics.yml").read_text()
    assert target.read_text() == "mine"
    assert stat.S_IMODE((folder / "ratekit.conf").stat().st_mode) == 0o640


def test_files_have_the_group_of_the_folder(ratekit: Shell, tmp_path: pathlib.Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder to any group")
    folder = tmp_path / "etc"
    folder.mkdir()
    os.chown(folder, -1, 12345)
    assert ratekit("sample-config", str(folder)).code == 0
    assert {path.stat().st_gid for path in folder.iterdir()} == {12345}


def test_no_configuration_is_needed(ratekit: Shell, tmp_path: pathlib.Path) -> None:
    ratekit.config.unlink()
    assert ratekit("sample-config", str(tmp_path / "new")).code == 0


def test_a_folder_that_cannot_be_made_is_one_line_and_2(
    ratekit: Shell, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").write_text("")
    answer = ratekit("sample-config", str(tmp_path / "file" / "etc"))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"ratekit: {tmp_path}/file/etc: cannot be written: Not a directory\n"


def test_the_units_run_only_programs_that_a_minimal_system_has(
    ratekit: Shell, tmp_path: pathlib.Path
) -> None:
    # Debian's base system has no /bin/kill.
    assert ratekit("sample-config", str(tmp_path / "etc")).code == 0
    for name, expected in (
        ("ratekit-processor", ["ratekit-processor", "sh"]),
        ("ratekit-api", ["ratekit-api"]),
    ):
        unit = (tmp_path / "etc" / f"{name}.service").read_text()
        lines = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("Exec")]
        programs = [shlex.split(line)[0] for line in lines]
        assert [os.path.basename(program) for program in programs] == expected

"""ratekit-dbsync: upgrade, version, check."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.cmd import dbsync
from ratekit.conf import database
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database


@pytest.fixture
def new(tmp_path: pathlib.Path) -> pathlib.Path:
    """A configuration whose database does not exist."""
    path = tmp_path / "new.conf"
    path.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/new.sqlite\n")
    return path


def test_upgrade_creates_the_tables_and_reports_it_once(
    new: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"sqlite:///{new.with_suffix('.sqlite')}"
    assert dbsync.main(["--config-file", str(new), "upgrade"]) == 0
    assert capsys.readouterr() == (
        f"{place}: upgraded from no tables to revision {revisions.head()}\n",
        "",
    )
    assert dbsync.main(["upgrade", "--config-file", str(new)]) == 0
    assert capsys.readouterr().out == (
        f"{place}: nothing to do: at revision {revisions.head()}, the newest\n"
    )


def test_version_prints_the_databases_revision_and_the_newest(
    new: pathlib.Path, config: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dbsync.main(["version", "--config-file", str(new)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"database: sqlite:///{new.with_suffix('.sqlite')}",
        "current: no tables",
        f"newest: revision {revisions.head()}",
    ]
    assert dbsync.main(["version", "--config-file", str(config)]) == 0
    assert f"\ncurrent: revision {revisions.head()}\n" in capsys.readouterr().out


def test_check_tells_by_its_exit_code_whether_the_database_is_current(
    new: pathlib.Path, config: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dbsync.main(["check", "--config-file", str(config)]) == 0
    assert capsys.readouterr().err == ""
    assert dbsync.main(["check", "--config-file", str(new)]) == 1
    line = capsys.readouterr().err
    assert "new.sqlite" in line
    assert line.endswith("run ratekit-dbsync upgrade\n")
    assert line.count("\n") == 1


def test_an_unfinished_migration_is_reported_and_finished_by_upgrade(
    config: pathlib.Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    head = revisions.head()
    with Database(database).writing() as connection:
        migrate.move(connection, None)
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('>0001')")
    unfinished = "an unfinished migration from no tables to revision 0001"
    assert dbsync.main(["version", "--config-file", str(config)]) == 0
    assert f"\ncurrent: {unfinished}\n" in capsys.readouterr().out
    assert dbsync.main(["check", "--config-file", str(config)]) == 1
    assert capsys.readouterr().err.endswith("run ratekit-dbsync upgrade again\n")
    assert dbsync.main(["upgrade", "--config-file", str(config)]) == 0
    assert capsys.readouterr().out == f"{database}: upgraded from {unfinished} to revision {head}\n"


@pytest.mark.parametrize("action", ["upgrade", "version", "check"])
def test_a_configuration_that_cannot_be_used_is_one_line_and_2(
    action: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dbsync.main(["--config-file", str(tmp_path / "missing.conf"), action]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    wrong = tmp_path / "wrong.conf"
    wrong.write_text("[database]\nconnection = oracle://scott:tiger@host/name\n")
    assert dbsync.main(["--config-file", str(wrong), action]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "tiger" not in line


def test_a_misspelt_connection_is_a_warning_and_the_default_database_is_named(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whatever the host has in the default's folder.
    place = f"sqlite:///{tmp_path}/default.sqlite"
    [connection] = database.OPTS
    monkeypatch.setattr(connection, "default", place)
    path = tmp_path / "ratekit.conf"
    path.write_text("[database]\nconection = postgresql://u:secret@h/d\n")
    dbsync.main(["--config-file", str(path), "version"])
    answer = capsys.readouterr()
    assert answer.err.splitlines()[0] == (
        f"ratekit-dbsync: warning: {path}:2: [database] conection: unknown option "
        "(did you mean 'connection'?)"
    )
    assert place in answer.out + answer.err
    assert "secret" not in answer.out + answer.err


def test_passwords_are_not_printed(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ratekit.conf"
    path.write_text("[database]\nconnection = postgresql://u:secret@127.0.0.1:1/d\n")
    assert dbsync.main(["--config-file", str(path), "upgrade"]) == 1
    answer = capsys.readouterr()
    assert "postgresql://127.0.0.1:1/d" in answer.err
    assert "secret" not in answer.out + answer.err


def test_an_unknown_action_ends_with_2() -> None:
    with pytest.raises(SystemExit) as end:
        dbsync.main(["downgrade"])
    assert end.value.code == 2

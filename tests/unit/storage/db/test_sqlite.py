"""The file of an SQLite database: who may read it, and that it stays the same file."""

from __future__ import annotations

import os
import pathlib
import shutil
import stat
from collections.abc import Callable, Iterator

import pytest

from ratekit import errors
from ratekit.storage import migrate, revisions
from ratekit.storage.db.engine import Database

COUNT = "SELECT count(*) FROM scopes"
CHANGE = "UPDATE hashmap_versions SET version = version + 1"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """A database at the newest revision."""
    path = tmp_path / "ratekit.sqlite"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(path: pathlib.Path) -> Iterator[Database]:
    """What a running processor has: it has read, and keeps a connection."""
    database = Database(f"sqlite:///{path}", needs=revisions.head())
    with database.reading() as connection:
        connection.exec_driver_sql(COUNT)
    yield database
    database.close()


@pytest.fixture
def umask() -> Iterator[Callable[[int], object]]:
    """Set the umask until the test ends."""
    before = os.umask(0)
    yield os.umask
    os.umask(before)


def delete(path: pathlib.Path) -> None:
    """Delete the file."""
    path.unlink()


def restore(path: pathlib.Path) -> None:
    """Move a copy into the file's place."""
    copy = path.with_suffix(".backup")
    shutil.copy(path, copy)
    copy.rename(path)


def restore_with_journal(path: pathlib.Path) -> None:
    """Move copies of all files into their places."""
    for name in ("-wal", "-shm", ""):
        file = path.with_name(path.name + name)
        if file.exists():
            restore(file)


CHANGES = [delete, restore, restore_with_journal]


@pytest.mark.parametrize("change", CHANGES)
def test_a_process_whose_file_is_gone_neither_reads_nor_writes(
    change: Callable[[pathlib.Path], None], path: pathlib.Path, database: Database
) -> None:
    change(path)
    content = path.read_bytes() if path.exists() else None
    for work in (database.writing, database.reading):
        with (
            pytest.raises(errors.DatabaseReplaced, match=str(path)) as caught,
            work() as connection,
        ):
            connection.exec_driver_sql(CHANGE)
        assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.exists() else None) == content


@pytest.mark.parametrize("change", CHANGES)
def test_a_new_connection_does_not_open_what_took_the_place_of_the_file(
    change: Callable[[pathlib.Path], None], path: pathlib.Path, database: Database
) -> None:
    database.close()
    change(path)
    existed = path.exists()
    with pytest.raises(errors.DatabaseReplaced), database.writing() as connection:
        connection.exec_driver_sql(CHANGE)
    assert path.exists() is existed


@pytest.mark.parametrize("change", CHANGES)
def test_a_transaction_does_not_commit_into_a_file_that_was_replaced_meanwhile(
    change: Callable[[pathlib.Path], None], path: pathlib.Path, database: Database
) -> None:
    def change_meanwhile() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql(CHANGE)
            change(path)

    with pytest.raises(errors.DatabaseReplaced):
        change_meanwhile()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_new_files_are_the_owners_alone_whatever_the_umask(
    mask: int, tmp_path: pathlib.Path, umask: Callable[[int], object]
) -> None:
    path = tmp_path / "new.sqlite"
    umask(mask)
    database = Database(f"sqlite:///{path}")
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE bills (x int)")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    database.close()
    assert modes == dict.fromkeys(["new.sqlite", "new.sqlite-shm", "new.sqlite-wal"], 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_what_root_creates_belongs_to_the_owner_of_the_folder(tmp_path: pathlib.Path) -> None:
    """``ratekit-dbsync upgrade`` is run by root; the daemon owns the folder."""
    os.chown(tmp_path, 12345, 23456)
    path = tmp_path / "new.sqlite"
    migrate.upgrade(f"sqlite:///{path}")
    database = Database(f"sqlite:///{path}")
    with database.writing() as connection:
        connection.exec_driver_sql(CHANGE)
        files = list(tmp_path.iterdir())
        owners = {(file.stat().st_uid, file.stat().st_gid) for file in files}
    database.close()
    assert (len(files), owners) == (3, {(12345, 23456)})


def test_permissions_of_a_file_that_exists_stay(path: pathlib.Path) -> None:
    path.chmod(0o640)
    Database(f"sqlite:///{path}").close()
    migrate.upgrade(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_that_cannot_be_written_names_the_remedy(path: pathlib.Path) -> None:
    database = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    with (
        pytest.raises(errors.OperatorError, match="write permission for the file and its folder"),
        database.writing() as connection,
    ):
        connection.exec_driver_sql(CHANGE)
    database.close()


@pytest.mark.parametrize("connections", [1, 8, 256])
def test_connections_that_stay_open_share_the_memory_for_pages(
    path: pathlib.Path, connections: int
) -> None:
    """Each has a cache of its own, which it fills and keeps."""
    database = Database(f"sqlite:///{path}", connections=connections)
    with database.reading() as connection:
        size = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    database.close()
    # Negative: KiB.
    assert 0 < connections * -size <= 64000

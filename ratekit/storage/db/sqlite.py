"""SQLite: one file, one writer at a time."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import sqlite3
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from ratekit import errors
from ratekit.storage.db.dialects import TextSum
from ratekit.storage.db.lists import DIGEST_OF
from ratekit.storage.db.timeouts import Engines, pool_options, report_milliseconds
from ratekit.storage.db.types import add_texts

#: Seconds to wait for another writer of the file: longer than a large batch takes.
BUSY_SECONDS = 30.0
#: KiB of the file that a process keeps in memory: a batch's pages, so that inserts do not re-read
#: them. Connections that stay open share it.
CACHE_KIB = 64000

# Seconds that SQLite itself may wait: it blocks the whole process, signals and green threads.
_BLOCKING_SECONDS = 1.0
# Permissions of a new file, whatever the umask is.
_OWNER_ONLY = 0o600
# Seconds to sleep between two attempts to get the writers' lock.
_RETRY_SECONDS = 0.01
# Steps of SQLite's machine, some hundred microseconds, between two looks at the clock.
_CHECKED_STEPS = 10_000


def connect(url: sa.URL, connections: int | None = None) -> Engines:
    """Return engines for a file; no file is opened yet.

    The option ``timeout`` of the URL replaces :data:`BUSY_SECONDS`. A connection serves one thread
    at a time.

    :param connections: how many stay open; None: SQLAlchemy's default
    :raises ValueError: an option of the URL is invalid
    """
    patience = float(str(url.query.get("timeout", BUSY_SECONDS)))
    engine = sa.create_engine(
        url.difference_update_query(["timeout"]),
        # Messages must not quote parameters: they are customers' labels and prices.
        hide_parameters=True,
        # Otherwise the driver begins transactions by rules of its own.
        connect_args={"isolation_level": None, "timeout": min(_BLOCKING_SECONDS, patience)},
        **pool_options(connections),
    )
    cache_kib = CACHE_KIB // (connections or 1)
    prepare = functools.partial(_prepare, patience=patience, cache_kib=cache_kib)
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", functools.partial(_begin, patience=patience))
    event.listen(engine, "before_cursor_execute", _limit)
    if not str(url.database).startswith("file:"):
        _File(str(url.database)).watch(engine)
    return Engines(reader=engine, writer=engine.execution_options(writes=True))


def file_exists(url: sa.URL) -> bool:
    """Return whether the file exists; do not create it.

    :raises ratekit.errors.HostError: its folder does not exist
    """
    path = pathlib.Path(url.database or "")
    if str(url.database).startswith("file:") or path.exists():
        return True
    folder = path.absolute().parent
    if not folder.is_dir():
        raise errors.HostError(
            f"[database] connection {url.set(drivername='sqlite', query={})}: the folder {folder} "
            "does not exist; create it and give this user write permission"
        )
    return False


class _File:
    """The file of a database, which must stay the same file while a process uses it.

    Connections go on with a file that was deleted or replaced, and what they commit is lost.

    :param path: of the file
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None

    def watch(self, engine: sa.Engine) -> None:
        """Look at the file before each connection is opened, at each begin and each commit."""
        event.listen(engine, "do_connect", self._create)
        event.listen(engine, "connect", self._remember)
        event.listen(engine, "begin", self._require)
        event.listen(engine, "commit", self._require)

    def _create(self, *_: object) -> None:
        """Create a missing file that only its owner may read, since it holds customers' bills.

        SQLite gives its two other files the same permissions.
        """
        if self._identity is not None:
            self._require()
        # SQLite reports what is wrong with the path.
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
            # The umask may have taken the owner's permissions, too.
            os.fchmod(descriptor, _OWNER_ONLY)
            _hand_to_owner(descriptor, pathlib.Path(self._path).absolute().parent)
            os.close(descriptor)

    def _remember(self, *_: object) -> None:
        if self._identity is None:
            self._identity = self._read_identity()
        self._require()

    def _require(self, *_: object) -> None:
        """:raises ratekit.errors.DatabaseReplaced: it is not the file that was opened first."""
        if self._read_identity() != self._identity:
            raise errors.DatabaseReplaced(
                f"the database {self._path} was deleted or replaced while this process used it; "
                "nothing was written: stop all processes before you move its files, then start "
                "them again"
            )

    def _read_identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def _hand_to_owner(descriptor: int, folder: pathlib.Path) -> None:
    """Give a file that root has created to the owner of its folder.

    The daemon owns the folder, and could not write a file of root's.
    """
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _prepare(connection: Any, _record: object, *, patience: float, cache_kib: int) -> None:
    connection.create_aggregate("exact_sum", 1, TextSum)
    connection.create_function("exact_add", 3, add_texts, deterministic=True)
    connection.create_function(DIGEST_OF, 1, bytes.fromhex, deterministic=True)
    for pragma in (
        "foreign_keys=ON",
        "journal_mode=WAL",
        # With WAL a power failure may lose the last commits, each as a whole, state and frames
        # together: these periods are rated again.
        "synchronous=NORMAL",
        f"cache_size=-{cache_kib}",
    ):
        # The first process that sets WAL on a new file locks it for a moment.
        _execute_patiently(connection, f"PRAGMA {pragma}", time.monotonic() + patience)


def _limit(connection: sa.Connection, *_: object) -> None:
    """Have SQLite interrupt a report's statement that takes too long; time between rows counts."""
    driver: Any = connection.connection.driver_connection
    milliseconds = report_milliseconds(connection.get_execution_options())
    if milliseconds is None:
        driver.set_progress_handler(None, 0)
        return
    deadline = time.monotonic() + milliseconds / 1000
    driver.set_progress_handler(lambda: time.monotonic() > deadline, _CHECKED_STEPS)


def _begin(connection: sa.Connection, patience: float) -> None:
    driver: Any = connection.connection.driver_connection
    if not connection.get_execution_options().get("writes", False):
        driver.execute("BEGIN").close()
        return
    (busy_timeout,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute("PRAGMA busy_timeout=0").close()
    try:
        # A transaction that began as a reader cannot wait for another writer.
        _execute_patiently(driver, "BEGIN IMMEDIATE", time.monotonic() + patience)
    finally:
        driver.execute(f"PRAGMA busy_timeout={busy_timeout}").close()


def _execute_patiently(driver: Any, statement: str, deadline: float) -> None:
    """Execute a statement that may wait for other writers; other green threads run meanwhile.

    :raises sqlite3.OperationalError: the database is still locked at ``deadline``
    """
    while True:
        try:
            driver.execute(statement).close()
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
            if not busy or time.monotonic() >= deadline:
                raise
        # Looked up at each call, because eventlet replaces it.
        time.sleep(_RETRY_SECONDS)

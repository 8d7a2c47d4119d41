"""SQLite: one file, one writer at a time."""

from __future__ import annotations

import functools
import pathlib
import sqlite3
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from ratekit import errors
from ratekit.storage.db.dialects import TextSum
from ratekit.storage.db.timeouts import Engines

#: Seconds to wait for another writer of the file: longer than a large batch takes.
BUSY_SECONDS = 30.0
#: KiB of the file kept in memory: a batch's pages, so that inserts do not re-read them.
CACHE_KIB = 64000

# Seconds that SQLite itself waits, which stops the whole process, signals and green threads.
_BLOCKED = 1.0
# Seconds to sleep between two looks at the writers' lock.
_PAUSE = 0.01


def connect(url: sa.URL) -> Engines:
    """Return engines for a file; no file is opened yet.

    The option ``timeout`` of the URL takes the place of :data:`BUSY_SECONDS`.

    :raises ValueError: an option of the URL is none
    """
    patience = float(str(url.query.get("timeout", BUSY_SECONDS)))
    engine = sa.create_engine(
        url.difference_update_query(["timeout"]),
        # Parameters stay out of messages: they are somebody's labels and prices.
        hide_parameters=True,
        # The driver would begin transactions by its own ideas.
        connect_args={"isolation_level": None, "timeout": min(_BLOCKED, patience)},
    )
    event.listen(engine, "connect", functools.partial(_prepare, patience=patience))
    event.listen(engine, "begin", functools.partial(_begin, patience=patience))
    return Engines(reader=engine, writer=engine.execution_options(writes=True))


def is_there(url: sa.URL) -> bool:
    """Tell whether the file exists, which looking at a database must not change.

    :raises ratekit.errors.OperatorError: not even its folder does
    """
    path = pathlib.Path(url.database or "")
    if str(url.database).startswith("file:") or path.exists():
        return True
    folder = path.absolute().parent
    if not folder.is_dir():
        raise errors.OperatorError(
            f"[database] connection {url.set(drivername='sqlite', query={})}: the folder {folder} "
            "does not exist: make it, and let this user write there"
        )
    return False


def _prepare(connection: Any, _record: object, *, patience: float) -> None:
    connection.create_aggregate("exact_sum", 1, TextSum)
    for pragma in (
        "foreign_keys=ON",
        "journal_mode=WAL",
        # With WAL a power cut may take the last commits whole, state and frames together:
        # they are rated again.
        "synchronous=NORMAL",
        f"cache_size=-{CACHE_KIB}",
    ):
        # Who makes a new file one with WAL has it alone for a moment.
        _patiently(connection, f"PRAGMA {pragma}", time.monotonic() + patience)


def _begin(connection: sa.Connection, patience: float) -> None:
    driver: Any = connection.connection.driver_connection
    if not connection.get_execution_options().get("writes", False):
        driver.execute("BEGIN").close()
        return
    (usual,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute("PRAGMA busy_timeout=0").close()
    try:
        # A writer that began as a reader could not wait for another.
        _patiently(driver, "BEGIN IMMEDIATE", time.monotonic() + patience)
    finally:
        driver.execute(f"PRAGMA busy_timeout={usual}").close()


def _patiently(driver: Any, statement: str, deadline: float) -> None:
    """Execute a statement that has to wait for others, in a way that lets green threads run.

    :raises sqlite3.OperationalError: somebody is in the way at ``deadline`` still
    """
    while True:
        try:
            driver.execute(statement).close()
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
            if not busy or time.monotonic() >= deadline:
                raise
        # Looked up at each call: green once eventlet has patched it.
        time.sleep(_PAUSE)

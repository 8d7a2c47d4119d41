"""Connections to the database, and the two kinds of transaction."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc, pool

from ratekit import errors
from ratekit.storage.dialects import TextSum
from ratekit.storage.failures import explained

#: Seconds to wait for another writer of the SQLite file: longer than a large batch takes.
BUSY_SECONDS = 30
#: KiB of the SQLite file kept in memory: a batch's pages, so that inserts do not re-read them.
CACHE_KIB = 64000
#: Seconds to wait for PostgreSQL to take a connection.
CONNECT_SECONDS = 10
#: Seconds to wait for another transaction's row locks: a few batches.
LOCK_SECONDS = 30
#: Seconds that one statement may take: reports over years of frames need minutes.
STATEMENT_SECONDS = 600
#: Values in one IN list; SQLite takes 32,766 a statement, PostgreSQL 65,535.
SLICE = 5000

# libpq's own: a server that vanished is noticed in about a minute.
_KEEPALIVE = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60000,
}

T = TypeVar("T")


def slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut into pieces that fit into one IN list."""
    for start in range(0, len(items), SLICE):
        yield items[start : start + SLICE]


def parse(url: str) -> sa.URL:
    """Return the URL with the one driver that ratekit uses for its database.

    :raises ratekit.errors.OperatorError: no such database is supported
    """
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise errors.OperatorError(
            "[database] connection is no URL such as sqlite:////var/lib/ratekit/ratekit.sqlite"
        ) from None
    match parsed.get_backend_name():
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return parsed.set(drivername="sqlite+pysqlite")
        case "sqlite":
            raise errors.OperatorError("[database] connection: an SQLite URL names a file")
        case other:
            raise errors.OperatorError(
                f"[database] connection: {other!r} is not supported; use sqlite or postgresql"
            )


class Database:
    """One database: reads in one snapshot, writes one after another where need be.

    Connections are opened when they are needed, so a process may fork after building one.

    :param url: SQLAlchemy URL
    :param patient: wait for locks and statements without end, as migrations must
    :raises ratekit.errors.OperatorError: the URL cannot be used
    """

    def __init__(self, url: str, *, patient: bool = False) -> None:
        parsed = parse(url)
        backend = parsed.get_backend_name()
        self.place = parsed.set(drivername=backend, query={}).render_as_string(hide_password=True)
        # Parameters stay out of messages: they are somebody's labels and prices.
        if backend == "sqlite":
            self.engine = sa.create_engine(
                parsed,
                hide_parameters=True,
                # The driver would begin transactions by its own ideas.
                connect_args={"isolation_level": None, **_unsaid(parsed, timeout=BUSY_SECONDS)},
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            self._writer = self.engine.execution_options(writes=True)
            self._reader = self.engine
        else:
            self.engine = sa.create_engine(
                parsed,
                hide_parameters=True,
                pool_pre_ping=True,
                poolclass=pool.NullPool if patient else pool.QueuePool,
                connect_args=_unsaid(parsed, **_postgresql_limits(patient)),
            )
            self._writer = self.engine.execution_options(isolation_level="READ COMMITTED")
            # Reports and rules are read with several statements that must agree.
            self._reader = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        # A storage has no end that anybody announces: connections go with its last part.
        weakref.finalize(self, self.engine.dispose)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one state of the database throughout.

        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.OperatorError: it refuses, and will again
        """
        with explained(self.place, self.engine.dialect.dbapi), self._reader.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that is committed at the end, or undone by any exception.

        On SQLite it waits here until it is the only writer.

        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.OperatorError: it refuses, and will again
        """
        with explained(self.place, self.engine.dialect.dbapi), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.create_aggregate("exact_sum", 1, TextSum)
    for pragma in (
        "foreign_keys=ON",
        "journal_mode=WAL",
        # With WAL a power cut may take the last commits whole, state and frames together:
        # they are rated again.
        "synchronous=NORMAL",
        f"cache_size=-{CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer that began as a reader could not wait for another: SQLite would fail at once.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_limits(patient: bool) -> dict[str, Any]:
    """Return what bounds every wait."""
    milliseconds = {
        "lock_timeout": LOCK_SECONDS * 1000,
        "statement_timeout": STATEMENT_SECONDS * 1000,
        # A process that was stopped in a transaction may not lock others out for ever.
        "idle_in_transaction_session_timeout": STATEMENT_SECONDS * 1000,
    }
    limits: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, **_KEEPALIVE}
    if not patient:
        limits["options"] = " ".join(f"-c {name}={value}" for name, value in milliseconds.items())
    return limits


def _unsaid(url: sa.URL, **arguments: Any) -> dict[str, Any]:
    """Return ``arguments`` less those that the operator's URL gives itself."""
    return {name: value for name, value in arguments.items() if name not in url.query}

"""Connections to the database, and the two kinds of transaction."""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from ratekit import errors
from ratekit.storage.db import alembic_version, mysql, postgresql, sqlite
from ratekit.storage.db.errors import CommitUnconfirmed, explained, leave_standby
from ratekit.storage.db.timeouts import Engines

#: Values in one IN list; SQLite takes 32,766 a statement, PostgreSQL 65,535.
SLICE = 5000

#: What an operator has to install for a database that needs more than ratekit alone.
_EXTRAS = {"postgresql": "postgresql", "mysql": "mysql"}

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
    except (exc.ArgumentError, ValueError):
        raise errors.OperatorError(
            "[database] connection is no URL such as sqlite:////var/lib/ratekit/ratekit.sqlite"
        ) from None
    match parsed.get_backend_name():
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case "mysql" | "mariadb" if parsed.database:
            # One name for both: the driver finds out which of them answers.
            return parsed.set(drivername="mysql+pymysql")
        case "mysql" | "mariadb":
            raise errors.OperatorError(
                "[database] connection: a MariaDB or MySQL URL names a database: "
                "mysql://user:password@host/name"
            )
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return parsed.set(drivername="sqlite+pysqlite")
        case "sqlite":
            raise errors.OperatorError("[database] connection: an SQLite URL names a file")
        case other:
            raise errors.OperatorError(
                f"[database] connection: {other!r} is not supported; use sqlite, postgresql or "
                "mysql"
            )


class Database:
    """One database: reads in one snapshot, writes one after another where need be.

    Connections are opened when they are needed, so a process may fork after building one.

    :param url: SQLAlchemy URL
    :param patient: wait for locks and statements without end, as migrations must
    :param needs: the revision at which alone this code may write; None: any
    :ivar place: the URL as given, without password and options
    :raises ratekit.errors.OperatorError: the URL cannot be used
    """

    def __init__(self, url: str, *, patient: bool = False, needs: str | None = None) -> None:
        parsed = parse(url)
        self._given = sa.make_url(url)
        shown = self._given.set(drivername=self._given.get_backend_name(), query={})
        self.place = shown.render_as_string(hide_password=True)
        self._engines = _engines(parsed, self.place, patient)
        self._needs = needs
        self.engine = self._engines.reader
        for engine in self._engines:
            sa.event.listen(engine, "handle_error", leave_standby)
        self._dbapi: Any = self.engine.dialect.dbapi
        # A storage has no end that anybody announces: connections go with its last part.
        weakref.finalize(self, self.engine.dispose)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one state of the database throughout.

        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.OperatorError: it refuses, and will again
        """
        with self._begun(self._engines.reader) as transaction:
            yield transaction.connection
            transaction.rollback()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that is committed at the end, or undone by any exception.

        On SQLite it waits here until it is the only writer.

        :raises ratekit.storage.db.errors.Unknown: the database did not answer to COMMIT:
            all was written, or nothing
        :raises ratekit.errors.TryLater: the database did not answer; nothing was written
        :raises ratekit.errors.Outdated: it is no longer at the revision that this code needs;
            nothing was written
        :raises ratekit.errors.OperatorError: it refuses, and will again; nothing was written
        """
        with self._begun(self._engines.writer) as transaction:
            if self._needs is not None:
                alembic_version.require(transaction.connection, self._needs, self.place)
            yield transaction.connection
            try:
                transaction.commit()
            except (exc.DBAPIError, self._dbapi.Error) as error:
                raise CommitUnconfirmed(
                    f"{self.place}: no answer to COMMIT, so it is not known whether the changes "
                    "were written"
                ) from error

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _connected(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Take a connection out of the pool, and explain what goes wrong until it is back."""
        with contextlib.ExitStack() as stack:
            # As long as there is no connection, the place may be what is wrong.
            with explained(f"[database] connection {self.place}", self._dbapi):
                if engine.dialect.name == "sqlite":
                    sqlite.is_there(engine.url)
                try:
                    connection = stack.enter_context(engine.connect())
                except TypeError as error:
                    # From the driver, which got the options of the URL as they are.
                    raise errors.OperatorError(
                        f"[database] connection {self.place}: an option cannot be used: {error}"
                    ) from error
            with explained(self.place, self._dbapi):
                yield connection

    @contextlib.contextmanager
    def _begun(self, engine: sa.Engine) -> Iterator[sa.RootTransaction]:
        """Begin a transaction, and roll it back if anything is raised."""
        with self._connected(engine) as connection:
            try:
                yield connection.begin()
            except BaseException as error:
                if not self._rolled_back(connection, error):
                    connection.invalidate()
                raise

    def _rolled_back(self, connection: sa.Connection, error: BaseException) -> bool:
        """Roll back after ``error``, if the connection is still good for that."""
        # What ends a green thread may have come in the middle of an answer; and where none came
        # to COMMIT there is nothing left to say on this connection.
        if not isinstance(error, Exception | GeneratorExit) or isinstance(error, CommitUnconfirmed):
            return False
        try:
            connection.rollback()
        except (exc.DBAPIError, self._dbapi.Error):
            return False
        return True


def _engines(url: sa.URL, place: str, patient: bool) -> Engines:
    """:raises ratekit.errors.OperatorError: a driver is missing, or an option is none."""
    backend = url.get_backend_name()
    try:
        # SQLAlchemy ignores some options that it does not know, with a warning.
        with warnings.catch_warnings():
            warnings.simplefilter("error", exc.SAWarning)
            match backend:
                case "sqlite":
                    return sqlite.connect(url)
                case "postgresql":
                    return postgresql.connect(url, patient)
                case _:
                    return mysql.connect(url, patient)
    except ModuleNotFoundError as error:
        raise errors.OperatorError(
            f"[database] connection {place}: its driver is not installed ({error.name}): "
            f"pip install 'ratekit[{_EXTRAS.get(backend, backend)}]'"
        ) from error
    except (exc.ArgumentError, exc.SAWarning, TypeError, ValueError) as error:
        (line, *_) = str(error).splitlines()
        raise errors.OperatorError(
            f"[database] connection {place}: an option cannot be used: {line}"
        ) from error

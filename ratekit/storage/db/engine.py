"""Connections to the database, and the two kinds of transaction."""

from __future__ import annotations

import contextlib
import datetime
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from ratekit import errors
from ratekit.domain.schedule.clocks import ClockReading
from ratekit.storage.db import alembic_version, galera, mysql, postgresql, sqlite
from ratekit.storage.db.errors import (
    CommitUnconfirmed,
    commit_reply,
    is_time_limit,
    leave_standby,
    translate,
)
from ratekit.storage.db.timeouts import REPORT_SECONDS, Engines

#: Statements that return the server's time, by dialect.
_CLOCKS = {"postgresql": "SELECT clock_timestamp()", "mysql": "SELECT utc_timestamp(6)"}
#: Extra of ratekit's package that installs the driver, by database.
_EXTRAS = {"postgresql": "postgresql", "mysql": "mysql"}


def parse(url: str) -> sa.URL:
    """Return the URL with the driver that ratekit uses for this database.

    :raises ratekit.errors.HostError: this database is not supported
    """
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        raise errors.HostError(
            "[database] connection: expected a URL such as "
            "sqlite:////var/lib/ratekit/ratekit.sqlite"
        ) from None
    match parsed.get_backend_name():
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case "mysql" | "mariadb" if parsed.database:
            # The same driver serves both: it detects which server answers.
            return parsed.set(drivername="mysql+pymysql")
        case "mysql" | "mariadb":
            raise errors.HostError(
                "[database] connection: a MariaDB or MySQL URL must name a database: "
                "mysql://user:password@host/name"
            )
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return parsed.set(drivername="sqlite+pysqlite")
        case "sqlite":
            raise errors.HostError("[database] connection: an SQLite URL must name a file")
        case backend:
            raise errors.HostError(
                f"[database] connection: {backend!r} is not supported; use sqlite, postgresql or "
                "mysql"
            )


class Database:
    """One database: each read sees one snapshot, writes wait for each other where they must.

    Connections are opened on demand, so a process may fork after creating this object.

    :param url: SQLAlchemy URL
    :param patient: wait for locks and statements without limit, as migrations must
    :param needs: the only revision at which this code may write; None: any
    :param connections: how many stay open; None: SQLAlchemy's default, of five
    :ivar place: the URL as configured, without password and options
    :raises ratekit.errors.HostError: the URL cannot be used
    """

    def __init__(
        self,
        url: str,
        *,
        patient: bool = False,
        needs: str | None = None,
        connections: int | None = None,
    ) -> None:
        parsed = parse(url)
        configured_url = sa.make_url(url)
        public_url = configured_url.set(drivername=configured_url.get_backend_name(), query={})
        self.place = public_url.render_as_string(hide_password=True)
        self._engines = _engines(parsed, self.place, patient, connections)
        self._needs = needs
        self.engine = self._engines.reader
        for engine in self._engines:
            sa.event.listen(engine, "handle_error", leave_standby)
        self._dbapi: Any = self.engine.dialect.dbapi
        # No caller closes a storage: connections are closed with its last reference.
        weakref.finalize(self, self.engine.dispose)

    @contextlib.contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[sa.Connection]:
        """Open a transaction that sees one snapshot of the database throughout.

        :param seconds: that each of its statements may take; None: as many as any other
        :raises ratekit.errors.TooSlow: a statement took more than ``seconds``
        :raises ratekit.errors.TryLater: the database did not answer
        :raises ratekit.errors.HostError: the database refuses, and will refuse again
        """
        engine = self._engines.reader
        if seconds is not None:
            engine = engine.execution_options(**{REPORT_SECONDS: seconds})
        with _naming_time_limit(seconds), self._transaction(engine) as transaction:
            yield transaction.connection
            transaction.rollback()

    @contextlib.contextmanager
    def reading_on(
        self, connection: sa.Connection, seconds: float | None = None
    ) -> Iterator[sa.Connection]:
        """Go on in a transaction of :meth:`reading`, so that its errors are caught here.

        After an error the transaction can only end.

        :param seconds: as of the transaction
        :raises ratekit.errors.RatekitError: as of :meth:`reading`
        """
        with _naming_time_limit(seconds), translate(self.place, self._dbapi):
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that is committed at the end, or rolled back by any exception.

        On SQLite this waits until the transaction is the only writer.

        :raises ratekit.storage.db.errors.CommitUnconfirmed: the database did not reply to
            COMMIT, or replied with an error that does not tell the outcome: everything was
            written, or nothing; :mod:`ratekit.storage.db.commit` verifies
        :raises ratekit.errors.Conflict: another transaction was in the way; nothing was written
        :raises ratekit.errors.TryLater: the database did not answer; nothing was written
        :raises ratekit.errors.SchemaChanged: it is no longer at the revision that this code
            needs; nothing was written
        :raises ratekit.errors.HostError: the database refuses, and will refuse again;
            nothing was written
        """
        with self._transaction(self._engines.writer) as transaction:
            if self._needs is not None:
                alembic_version.require(transaction.connection, self._needs, self.place)
                galera.share_rules(transaction.connection)
            yield transaction.connection
            try:
                transaction.commit()
            except (exc.DBAPIError, self._dbapi.Error) as error:
                reply = commit_reply(getattr(error, "orig", None) or error, self._dbapi)
                if reply.is_refusal:
                    raise
                raise CommitUnconfirmed(self.place, reply.text) from error

    def read_clock(self) -> ClockReading | None:
        """Return the reading of the server's clock; None: the database has no server.

        :raises ratekit.errors.TryLater: the database did not answer
        """
        query = _CLOCKS.get(self.engine.dialect.name)
        if query is None:
            return None
        with self.reading() as connection:
            before = datetime.datetime.now(datetime.UTC)
            instant: datetime.datetime = connection.exec_driver_sql(query).scalar_one()
            after = datetime.datetime.now(datetime.UTC)
        # MariaDB returns UTC without a zone.
        aware = instant if instant.tzinfo else instant.replace(tzinfo=datetime.UTC)
        return ClockReading.between("the database", before, aware, after)

    def close(self) -> None:
        """Close all idle connections."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _connection(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Take a connection from the pool; translate its errors until it is returned."""
        with contextlib.ExitStack() as stack:
            # Until there is a connection, the configured URL may be the cause.
            with translate(f"[database] connection {self.place}", self._dbapi):
                if engine.dialect.name == "sqlite":
                    sqlite.file_exists(engine.url)
                try:
                    connection = stack.enter_context(engine.connect())
                except TypeError as error:
                    # The driver raised it: it gets the URL's options unchecked.
                    raise errors.HostError(
                        f"[database] connection {self.place}: invalid option in the URL: {error}"
                    ) from error
            with translate(self.place, self._dbapi):
                yield connection

    @contextlib.contextmanager
    def _transaction(self, engine: sa.Engine) -> Iterator[sa.RootTransaction]:
        """Begin a transaction; roll it back on any exception."""
        with self._connection(engine) as connection:
            try:
                yield connection.begin()
            except BaseException as error:
                if not self._roll_back(connection, error):
                    connection.invalidate()
                raise

    def _roll_back(self, connection: sa.Connection, error: BaseException) -> bool:
        """Roll back after ``error``; return False if the connection can no longer be used."""
        # An exception that kills a green thread may have interrupted a reply; without a reply to
        # COMMIT the connection is useless, too.
        if not isinstance(error, Exception | GeneratorExit) or isinstance(error, CommitUnconfirmed):
            return False
        try:
            connection.rollback()
            # If the transaction has not begun, nothing happened; the pool would roll back, and
            # log a traceback where a node of a cluster refuses even that.
            if not connection.invalidated:
                connection.connection.rollback()
        except (exc.DBAPIError, self._dbapi.Error):
            return False
        return True


@contextlib.contextmanager
def _naming_time_limit(seconds: float | None) -> Iterator[None]:
    """Raise TooSlow in place of the error of a statement that took more than ``seconds``."""
    try:
        yield
    except errors.RatekitError as error:
        if seconds is not None and is_time_limit(error.__cause__):
            raise errors.TooSlow(seconds) from error
        raise


def _engines(url: sa.URL, place: str, patient: bool, connections: int | None) -> Engines:
    """:raises ratekit.errors.HostError: the driver is missing, or an option is invalid."""
    backend = url.get_backend_name()
    try:
        # SQLAlchemy ignores some unknown options with a warning.
        with warnings.catch_warnings():
            warnings.simplefilter("error", exc.SAWarning)
            match backend:
                case "sqlite":
                    return sqlite.connect(url, connections)
                case "postgresql":
                    return postgresql.connect(url, patient, connections)
                case _:
                    return mysql.connect(url, patient, connections)
    except ModuleNotFoundError as error:
        raise errors.HostError(
            f"[database] connection {place}: the driver is not installed ({error.name}); run: "
            f"pip install 'ratekit-openstack[{_EXTRAS.get(backend, backend)}]'"
        ) from error
    except (exc.ArgumentError, exc.SAWarning, TypeError, ValueError) as error:
        (line, *_) = str(error).splitlines()
        raise errors.HostError(
            f"[database] connection {place}: invalid option in the URL: {line}"
        ) from error

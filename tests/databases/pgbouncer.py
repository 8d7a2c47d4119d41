"""PgBouncer before a PostgreSQL server: each transaction may get another session."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Sequence

from tests.databases.postgresql import PostgresqlDatabases
from tests.databases.process import HOST
from tests.databases.server import Databases, Missing, Server

_CONF = """
[databases]
* = host={server_host} port={server_port}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = 3
server_round_robin = 1
"""


class Pgbouncer(PostgresqlDatabases, Server):
    """A pooler in transaction mode; its few sessions serve all clients in turn.

    :param server: a PostgreSQL server that is reached by TCP
    """

    DRIVER = "postgresql+psycopg"
    ROOT = "postgres"

    def __init__(self, server: Databases) -> None:
        super().__init__()
        self.USER = str(server.root.username)
        self.password = str(server.root.password)
        self._server = server.root

    def find(self) -> None:
        """Look for pgbouncer."""
        path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
        program = shutil.which("pgbouncer", path=path)
        if program is None:
            raise Missing("no PgBouncer: install pgbouncer")
        self._program = program

    def prepare(self) -> None:
        """Write the users that it knows; the server asks it for the same passwords."""
        users = self.folder / "users.txt"
        users.write_text(f'"{self.USER}" "{self.password}"\n')
        users.chmod(0o644)

    def command(self) -> Sequence[str | pathlib.Path]:
        """Write its configuration; return the command that starts it."""
        conf = self.folder / "pgbouncer.ini"
        conf.write_text(
            _CONF.format(
                host=HOST,
                port=self.port,
                server_host=self._server.host or HOST,
                server_port=self._server.port or 5432,
                users=self.folder / "users.txt",
            )
        )
        conf.chmod(0o644)
        return [self._program, conf]

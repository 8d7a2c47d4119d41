"""Real databases for tests: SQLite files, and private PostgreSQL and MariaDB servers.

For a test that needs a database on any server::

    from tests.databases import BACKENDS, new_database

    @pytest.fixture(params=BACKENDS)
    def database_url(request, tmp_path):
        with new_database(request.param, tmp_path) as url:
            yield url

For a test that stops, kills or freezes a server::

    from tests.databases import private_server

    with private_server("mariadb") as server:
        url = server.url("ratekit")
        server.kill()
        server.start()
"""

from tests.databases.choice import (
    BACKENDS,
    SERVERS,
    galera_cluster,
    new_database,
    pgbouncer_of_session,
    private_server,
    server_of_session,
    standby_pair,
)
from tests.databases.server import Databases, Server

__all__ = [
    "BACKENDS",
    "SERVERS",
    "Databases",
    "Server",
    "galera_cluster",
    "new_database",
    "pgbouncer_of_session",
    "private_server",
    "server_of_session",
    "standby_pair",
]

"""Real databases for tests: SQLite files, and PostgreSQL and MariaDB servers of their own.

For a test that needs a database, whichever server has it::

    from tests.databases import BACKENDS, new_database

    @pytest.fixture(params=BACKENDS)
    def url(request, tmp_path):
        with new_database(request.param, tmp_path) as found:
            yield found

For a test that stops, kills or freezes a server, one of its own::

    from tests.databases import own_server

    with own_server("mariadb") as server:
        url = server.url("ratekit")
        server.kill()
        server.start()
"""

from tests.databases.choice import BACKENDS, SERVERS, new_database, own_server, shared_server
from tests.databases.server import Databases, Server

__all__ = [
    "BACKENDS",
    "SERVERS",
    "Databases",
    "Server",
    "new_database",
    "own_server",
    "shared_server",
]

"""A Galera cluster: MariaDB servers that certify one another's transactions."""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import exc

from tests.databases.mariadb import Mariadb
from tests.databases.process import HOST, LIMIT, free_port
from tests.databases.server import Missing

_PROVIDERS = (
    pathlib.Path("/usr/lib/galera/libgalera_smm.so"),
    pathlib.Path("/usr/lib64/galera-4/libgalera_smm.so"),
)


class Node(Mariadb):
    """One server of a cluster; the first one starts it.

    :param first: a node that runs; None: this is the first one
    """

    def __init__(self, first: Node | None = None) -> None:
        super().__init__()
        self._first = first
        # Group communication, incremental and full transfers of the data.
        self._ports = [free_port() for _ in range(3)]
        if first is not None:
            # The data comes from the first node, users included.
            self.password = first.password

    @property
    def address(self) -> str:
        """Where other nodes reach it."""
        return f"{HOST}:{self._ports[0]}"

    def find(self) -> None:
        """Look for MariaDB and the library of Galera."""
        super().find()
        providers = [path for path in _PROVIDERS if path.exists()]
        if not providers:
            raise Missing("no Galera: install galera-4")
        self._provider = providers[0]

    def command(self) -> Sequence[str | pathlib.Path]:
        """Return the command that starts the server as a node."""
        group, incremental, full = self._ports
        options = {
            "base_port": str(group),
            "ist.recv_addr": f"{HOST}:{incremental}",
            "gcache.size": "32M",
            "gcache.dir": str(self.folder / "data"),
            "pc.recovery": "no",
        }
        text = ";".join(f"{name}={value}" for name, value in options.items())
        return [
            *super().command(),
            "--wsrep-on=ON",
            f"--wsrep-provider={self._provider}",
            f"--wsrep-provider-options={text}",
            f"--wsrep-node-address={self.address}",
            f"--wsrep-cluster-address=gcomm://{self._first.address if self._first else ''}",
            "--wsrep-sst-method=rsync",
            f"--wsrep-sst-receive-address={HOST}:{full}",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            # The other engine is not replicated.
            "--default-storage-engine=InnoDB",
        ]

    def status(self, name: str) -> str:
        """Return a variable of the node's status."""
        rows = self.execute(f"SHOW GLOBAL STATUS LIKE '{name}'")
        return str(rows[0][1]) if rows else ""

    def isolate(self, state: bool) -> None:
        """Cut it off from the other nodes, or bring it back."""
        # An engine rolls back on each new connection, which a node without others refuses.
        dialect = sa.create_engine(self.root).dialect
        arguments, options = dialect.create_connect_args(self.root)
        connection = dialect.connect(*arguments, **options)
        with contextlib.closing(connection), contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(f"SET GLOBAL wsrep_provider_options = 'gmcast.isolate={int(state)}'")

    def wait_until_ready(self) -> None:
        """Return when it is in sync with the cluster.

        :raises RuntimeError: it takes too long
        """
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            with contextlib.suppress(exc.DBAPIError):
                if self.status("wsrep_ready") == "ON":
                    return
            time.sleep(0.1)
        raise RuntimeError("the node does not become ready")

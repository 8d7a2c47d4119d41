"""MariaDB: the system's programs, with private data and sockets."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Sequence

from tests.databases.process import HOST, account, run
from tests.databases.server import Databases, Missing, Server

_OPTIONS = (
    f"--bind-address={HOST}",
    "--skip-name-resolve",
    # An acknowledged commit is in the kernel's memory, which survives the server's end.
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=128M",
    # Defaults that ratekit must not depend on.
    "--character-set-server=latin1",
    "--collation-server=latin1_swedish_ci",
    "--default-storage-engine=Aria",
    "--default-time-zone=+05:00",
    "--sql-mode=",
)


class MariadbDatabases(Databases):
    """Databases on MariaDB or MySQL."""


class Mariadb(MariadbDatabases, Server):
    """A MariaDB server with the least suitable defaults that it has."""

    DRIVER = "mysql+pymysql"
    USER = "ratekit"
    ROOT = "mysql"

    def find(self) -> None:
        """Look for mariadbd and mariadb-install-db."""
        self._server, self._install = _program("mariadbd"), _program("mariadb-install-db")

    def prepare(self) -> None:
        """Run mariadb-install-db; write the statements that the first start runs for the user."""
        users = self.folder / "users.sql"
        users.write_text(
            f"CREATE USER IF NOT EXISTS '{self.USER}'@'%' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO '{self.USER}'@'%' WITH GRANT OPTION;\n"
        )
        if user := account():
            shutil.chown(users, user)
        run(
            self.folder,
            *(self._install, "--no-defaults", f"--datadir={self.folder / 'data'}"),
            *("--auth-root-authentication-method=socket", "--skip-test-db"),
            f"--auth-root-socket-user={account() or os.environ.get('USER', 'nobody')}",
        )

    def command(self) -> Sequence[str | pathlib.Path]:
        """Return the command that starts the server."""
        return [
            self._server,
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'users.sql'}",
            f"--port={self.port}",
            *_OPTIONS,
        ]


def _program(name: str) -> str:
    path = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if path is None:
        raise Missing(f"no MariaDB ({name}): set RATEKIT_TEST_MARIADB or install mariadb-server")
    return path

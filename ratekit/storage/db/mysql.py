"""MariaDB and MySQL, by PyMySQL."""

from __future__ import annotations

import functools
import socket
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, pool

from ratekit.storage.db import galera
from ratekit.storage.db.timeouts import (
    CONNECT_SECONDS,
    LOCK_SECONDS,
    STATEMENT_SECONDS,
    VANISHED_SECONDS,
    Engines,
    pool_options,
    report_milliseconds,
    without_url_options,
)

# Seconds for a migration's locks and statements; servers take a year at most.
_YEAR = 31_536_000

# A value that does not fit is an error: it is never cut or rounded.
_STRICT = (
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "NO_ENGINE_SUBSTITUTION"
)

# MariaDB turns a list of more than 1,000 values into a table to join with. To lock the rows of a
# long list, it then reads all rows, and waits for those that others have locked. Instead, it looks
# each value up, in order, however many there are. A comment for MySQL, and before MariaDB 10.5.9.
_PLAIN_LISTS = (
    "/*M!100509 , in_predicate_conversion_threshold = 0, optimizer_max_sel_arg_weight = 0 */"
)

_KEEPALIVE = {
    socket.TCP_KEEPIDLE: VANISHED_SECONDS // 2,
    socket.TCP_KEEPINTVL: VANISHED_SECONDS // 6,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: VANISHED_SECONDS * 1000,
    socket.TCP_NODELAY: 1,
}


def connect(url: sa.URL, patient: bool, connections: int | None = None) -> Engines:
    """Return engines for a server; no connection is opened yet.

    :param patient: wait for locks and statements without limit
    :raises ModuleNotFoundError: PyMySQL is not installed
    """
    # The server's own limit is shorter, and its message says more.
    answer = _YEAR if patient else STATEMENT_SECONDS + VANISHED_SECONDS
    limits = without_url_options(
        url,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=answer,
        write_timeout=VANISHED_SECONDS,
    )
    engine = sa.create_engine(
        url.update_query_dict({"charset": "utf8mb4"}),
        # Messages must not quote parameters: they are customers' labels and prices.
        hide_parameters=True,
        pool_pre_ping=True,
        **({"poolclass": pool.NullPool} if patient else pool_options(connections)),
        connect_args=limits,
    )
    event.listen(engine, "do_connect", _open)
    event.listen(engine, "connect", functools.partial(_prepare, patient=patient))
    event.listen(engine, "connect", galera.recognize)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", _limit, retval=True)
    return Engines(reader=engine, writer=engine.execution_options(writes=True))


def is_mariadb(connection: Any) -> bool:
    """Return whether the server is MariaDB, not MySQL.

    :param connection: the driver's connection
    """
    return "mariadb" in str(connection.get_server_info()).lower()


def _open(
    dialect: sa.Dialect, _record: object, arguments: list[Any], options: dict[str, Any]
) -> Any:
    """Connect by TCP with limits that the driver does not set; None: the driver connects."""
    if options.get("unix_socket"):
        return None
    driver: Any = dialect.dbapi
    connection = driver.Connection(*arguments, **options, defer_connect=True)
    limit = options["connect_timeout"]
    try:
        stream = socket.create_connection((connection.host, connection.port), limit)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            stream.setsockopt(socket.IPPROTO_TCP, option, value)
        # The server sends the first byte. The driver would wait for it as long as for a report.
        stream.recv(1, socket.MSG_PEEK)
    except OSError as error:
        place = f"{connection.host}:{connection.port}"
        raise driver.OperationalError(2003, f"cannot connect to {place}: {error}") from error
    connection.connect(stream)
    return connection


def _prepare(connection: Any, _record: object, patient: bool) -> None:
    """Set the session's variables, so that the server's defaults do not matter."""
    lock, statement = (_YEAR, 0) if patient else (LOCK_SECONDS, STATEMENT_SECONDS)
    session: dict[str, str | int] = {
        "sql_mode": f"'{_STRICT}'",
        "time_zone": "'+00:00'",
        "innodb_lock_wait_timeout": lock,
        "lock_wait_timeout": lock,
        # A process that is suspended in a transaction must not lock others out forever.
        "wait_timeout": _YEAR if patient else STATEMENT_SECONDS,
        # A reader of a long report may pause between pages.
        "net_write_timeout": STATEMENT_SECONDS,
    }
    if is_mariadb(connection):
        session["max_statement_time"] = statement
    else:
        # MySQL limits only queries, in milliseconds.
        session["max_execution_time"] = statement * 1000
    with connection.cursor() as cursor:
        values = ", ".join(f"{key} = {value}" for key, value in session.items())
        cursor.execute(f"SET {values} {_PLAIN_LISTS}")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        # For the next transaction only. REPEATABLE READ would lock gaps between rows, too.
        begin = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
    else:
        # Reports and rules are read by several statements that must see the same data.
        begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(begin)


def _limit(
    connection: sa.Connection,
    _cursor: object,
    statement: str,
    parameters: Any,
    _context: object,
    _executemany: bool,
) -> tuple[str, Any]:
    """Limit a report's statement by its own text, since a session serves others later."""
    milliseconds = report_milliseconds(connection.get_execution_options())
    if milliseconds is None:
        return statement, parameters
    if getattr(connection.dialect, "is_mariadb", False):
        limit = f"SET STATEMENT max_statement_time = {milliseconds / 1000:.3f} FOR"
        return f"{limit} {statement}", parameters
    hint = f"/*+ MAX_EXECUTION_TIME({milliseconds}) */"
    return statement.replace("SELECT", f"SELECT {hint}", 1), parameters

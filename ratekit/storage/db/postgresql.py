"""PostgreSQL, by psycopg 3."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, pool

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

# Options of libpq: they detect a server that vanished.
_KEEPALIVE = {
    "keepalives_idle": VANISHED_SECONDS // 2,
    "keepalives_interval": VANISHED_SECONDS // 6,
    "keepalives_count": 3,
    "tcp_user_timeout": VANISHED_SECONDS * 1000,
}


# A process that is suspended in a transaction must not lock others out forever.
_LIMITS = {
    "lock_timeout": LOCK_SECONDS,
    "statement_timeout": STATEMENT_SECONDS,
    "idle_in_transaction_session_timeout": STATEMENT_SECONDS,
}

# Reports add up short numbers: machine code takes longer to compile, up to half a second, than it
# saves.
_READING = {"jit": "off"}


def connect(url: sa.URL, patient: bool, connections: int | None = None) -> Engines:
    """Return engines for a server; no connection is opened yet.

    Nothing is left in a session between two transactions: a pooler such as PgBouncer may give
    each transaction another session.

    :param patient: wait for locks and statements without limit; keep no connection
    :param connections: how many stay open; None: SQLAlchemy's default
    :raises ModuleNotFoundError: psycopg is not installed
    """
    options = {"connect_timeout": CONNECT_SECONDS, **_KEEPALIVE, "prepare_threshold": None}
    engine = sa.create_engine(
        url,
        # Messages must not quote parameters: they are customers' labels and prices.
        hide_parameters=True,
        pool_pre_ping=True,
        **({"poolclass": pool.NullPool} if patient else pool_options(connections)),
        connect_args=without_url_options(url, **options),
    )
    limits = {name: 0 if patient else seconds * 1000 for name, seconds in _LIMITS.items()}
    # The operator's own session options may contain limits.
    if "options" in url.query:
        event.listen(engine, "begin", functools.partial(_begin, limits={}, reading={}))
    else:
        event.listen(engine, "begin", functools.partial(_begin, limits=limits, reading=_READING))
    return Engines(
        # Reports and rules are read by several statements that must see the same data.
        reader=engine.execution_options(isolation_level="REPEATABLE READ", read_only=True),
        writer=engine.execution_options(isolation_level="READ COMMITTED"),
    )


def _begin(
    connection: sa.Connection, *, limits: Mapping[str, int], reading: Mapping[str, str]
) -> None:
    """Limit every wait of the transaction that begins; forbid it to write if it only reads.

    SQLAlchemy's ``postgresql_readonly`` is not used: the driver would then begin the next
    transaction of this connection with READ WRITE, which a standby refuses with another error
    than it has for writes, and which overrules a server or a role that is set to read-only.

    :param limits: settings of all transactions, in ms
    :param reading: settings of those that only read
    """
    statements = [f"SET LOCAL {name} = {value}" for name, value in limits.items()]
    options = connection.get_execution_options()
    milliseconds = report_milliseconds(options)
    if milliseconds is not None:
        statements.append(f"SET LOCAL statement_timeout = {milliseconds}")
    if options.get("read_only"):
        statements += (f"SET LOCAL {name} = {value}" for name, value in reading.items())
        statements.append("SET TRANSACTION READ ONLY")
    if statements:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            cursor.execute("; ".join(statements))

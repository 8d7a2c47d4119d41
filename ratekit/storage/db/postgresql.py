"""PostgreSQL, by psycopg 3."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import pool

from ratekit.storage.db.timeouts import (
    CONNECT_SECONDS,
    LOCK_SECONDS,
    STATEMENT_SECONDS,
    VANISHED_SECONDS,
    Engines,
    without_url_options,
)

# Options of libpq: they detect a server that vanished.
_KEEPALIVE = {
    "keepalives_idle": VANISHED_SECONDS // 2,
    "keepalives_interval": VANISHED_SECONDS // 6,
    "keepalives_count": 3,
    "tcp_user_timeout": VANISHED_SECONDS * 1000,
}


def connect(url: sa.URL, patient: bool) -> Engines:
    """Return engines for a server; no connection is opened yet.

    :param patient: wait for locks and statements without limit
    :raises ModuleNotFoundError: psycopg is not installed
    """
    engine = sa.create_engine(
        url,
        # Messages must not quote parameters: they are customers' labels and prices.
        hide_parameters=True,
        pool_pre_ping=True,
        poolclass=pool.NullPool if patient else pool.QueuePool,
        connect_args=without_url_options(url, **_limits(patient)),
    )
    return Engines(
        # Reports and rules are read by several statements that must see the same data.
        reader=engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        ),
        writer=engine.execution_options(isolation_level="READ COMMITTED"),
    )


def _limits(patient: bool) -> dict[str, Any]:
    """Return options that limit every wait."""
    milliseconds = {
        "lock_timeout": LOCK_SECONDS * 1000,
        "statement_timeout": STATEMENT_SECONDS * 1000,
        # A process that is suspended in a transaction must not lock others out forever.
        "idle_in_transaction_session_timeout": STATEMENT_SECONDS * 1000,
    }
    limits: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, **_KEEPALIVE}
    if not patient:
        limits["options"] = " ".join(f"-c {name}={value}" for name, value in milliseconds.items())
    return limits

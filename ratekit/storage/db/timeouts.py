"""How long anything may take that a database is asked for; one set for all databases."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

#: Seconds to wait for a server to take a connection.
CONNECT_SECONDS = 10
#: Seconds to wait for another transaction's row locks: a few batches.
LOCK_SECONDS = 30
#: Seconds that one statement may take: reports over years of frames need minutes.
STATEMENT_SECONDS = 600
#: Seconds after which a server that vanished is noticed while it owes an answer.
VANISHED_SECONDS = 60


class Engines(NamedTuple):
    """Two ways to use one pool of connections.

    :ivar reader: its transactions see one state of the database throughout and cannot write
    :ivar writer: its transactions see what others have committed, and lock rows
    """

    reader: sa.Engine
    writer: sa.Engine


def unsaid(url: sa.URL, **arguments: Any) -> dict[str, Any]:
    """Return ``arguments`` less those that the operator's URL gives itself."""
    return {name: value for name, value in arguments.items() if name not in url.query}

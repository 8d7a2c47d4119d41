"""Time limits of connections, locks and statements; the same for all databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

#: Seconds to wait for a server to accept a connection.
CONNECT_SECONDS = 10
#: Seconds to wait for another transaction's row locks: several batches.
LOCK_SECONDS = 30
#: Seconds that one statement may take: reports over years of frames need minutes.
STATEMENT_SECONDS = 600
#: Seconds after which a server that vanished before it replied is detected.
VANISHED_SECONDS = 60


class Engines(NamedTuple):
    """Two engines over one pool of connections.

    :ivar reader: its transactions see one snapshot throughout and cannot write
    :ivar writer: its transactions see what others have committed, and lock rows
    """

    reader: sa.Engine
    writer: sa.Engine


#: Execution option of an engine: seconds that each statement of a report may take.
REPORT_SECONDS = "report_seconds"


def report_milliseconds(options: Mapping[str, Any]) -> int | None:
    """Return the limit of a report's statements, at least 1, since 0 means none; None: none."""
    seconds = options.get(REPORT_SECONDS)
    return None if seconds is None else max(round(seconds * 1000), 1)


def without_url_options(url: sa.URL, **arguments: Any) -> dict[str, Any]:
    """Return ``arguments`` without those that are options of the operator's URL."""
    return {name: value for name, value in arguments.items() if name not in url.query}


def pool_options(connections: int | None) -> dict[str, int]:
    """Return SQLAlchemy's options of a pool that keeps ``connections`` open; None: its default.

    A request that streams may need a second one for a moment.
    """
    return {} if connections is None else {"pool_size": connections, "max_overflow": connections}

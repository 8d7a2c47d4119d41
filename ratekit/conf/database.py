"""[database]: where frames, totals, rules and states are stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

GROUP = "database"

OPTS = [
    cfg.StrOpt(
        "connection",
        default="sqlite:////var/lib/ratekit/ratekit.sqlite",
        secret=True,
        help="SQLAlchemy URL of the database: sqlite:////path/to/file, "
        "postgresql://user:password@host/name or mysql://user:password@host/name (MariaDB or "
        "MySQL).",
    ),
]


def check(conf: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (section, option, what is expected) where valid values do not fit together."""
    authority = str(conf[GROUP].connection).partition("://")[2].partition("/")[0]
    if authority.count("@") > 1:
        # SQLAlchemy would take a part of the password for the host, which errors show.
        yield GROUP, "connection", "has an '@' in its user name or password; write it as %40"

"""[storage], [database]: where frames, totals and states are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

GROUP = "database"
STORAGE = "storage"

STORAGE_OPTS = [
    cfg.StrOpt(
        "backend",
        default="sql",
        help="Name of the storage plug-in (namespace ratekit.storage).",
    ),
]

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


def register_opts(conf: Any) -> None:
    """Register the sections' options."""
    conf.register_opts(STORAGE_OPTS, group=STORAGE)
    conf.register_opts(OPTS, group=GROUP)


def refusals(conf: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (section, option, what is expected) where valid values do not fit together."""
    place = str(conf[GROUP].connection).partition("://")[2].partition("/")[0]
    if place.count("@") > 1:
        # It would be taken for a part of the host's name, and shown as such.
        yield GROUP, "connection", "has an '@' in its user name or password; write it as %40"


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the sections' options for the sample generator."""
    return [(STORAGE, STORAGE_OPTS), (GROUP, OPTS)]

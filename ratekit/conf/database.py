"""[storage], [database]: where frames, totals and states are kept."""

from __future__ import annotations

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
        help="SQLAlchemy URL of the database: sqlite:////path/to/file or "
        "postgresql://user:password@host/name.",
    ),
]


def register_opts(conf: Any) -> None:
    """Register the sections' options."""
    conf.register_opts(STORAGE_OPTS, group=STORAGE)
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the sections' options for the sample generator."""
    return [(STORAGE, STORAGE_OPTS), (GROUP, OPTS)]

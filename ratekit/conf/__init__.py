"""Every option of ratekit: one file a section, registered on a ConfigOpts that is passed in."""

from __future__ import annotations

from typing import Any

from ratekit.conf import (
    collect,
    collector_gnocchi,
    database,
    fetcher,
    orchestrator,
    rating,
)

SECTIONS = (collect, fetcher, collector_gnocchi, rating, orchestrator, database)


def register_opts(conf: Any) -> None:
    """Register the options of all sections on ``conf``, an ``oslo_config.cfg.ConfigOpts``."""
    for section in SECTIONS:
        section.register_opts(conf)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return (section, options) pairs for ``oslo-config-generator``."""
    return [pair for section in SECTIONS for pair in section.list_opts()]

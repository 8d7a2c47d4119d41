"""The options of ratekit's core: one file a section, registered on a ConfigOpts.

Plug-ins declare their own options: see :class:`ratekit.interfaces.Configurable`.
"""

from __future__ import annotations

from typing import Any

from ratekit.conf import api, collect, database, export, fetcher, orchestrator, rating, storage

SECTIONS = (collect, fetcher, rating, orchestrator, database, storage, api, export)


def register_opts(conf: Any) -> None:
    """Register the core's options on ``conf``, an ``oslo_config.cfg.ConfigOpts``."""
    for section in SECTIONS:
        conf.register_opts(section.OPTS, group=section.GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the core's options by section."""
    return [(section.GROUP, section.OPTS) for section in SECTIONS]

"""[fetcher]: which plug-in lists the scopes to rate."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "fetcher"

OPTS = [
    cfg.StrOpt(
        "backend",
        default="keystone",
        help="Name of the fetcher plug-in (namespace ratekit.fetchers).",
    ),
]

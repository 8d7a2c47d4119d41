"""[collector_gnocchi]: how Gnocchi is reached."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from ratekit.conf import keystone_auth

GROUP = "collector_gnocchi"

OPTS = [
    cfg.StrOpt(
        "gnocchi_auth_type",
        default="keystone",
        choices=[
            ("keystone", "a token from Keystone, by the section's auth options"),
            ("basic", "HTTP basic authentication as gnocchi_user; needs gnocchi_endpoint"),
        ],
        help="How ratekit shows Gnocchi who it is.",
    ),
    cfg.StrOpt(
        "gnocchi_user",
        default="",
        help="User name for gnocchi_auth_type = basic.",
    ),
    cfg.StrOpt(
        "gnocchi_endpoint",
        help="URL of Gnocchi's API; taken from the service catalogue when not set.",
    ),
    cfg.StrOpt(
        "interface",
        default="internalURL",
        help="Which of the catalogue's endpoints to use: internalURL, publicURL or adminURL.",
    ),
]


def register_opts(conf: Any) -> None:
    """Register the section's options."""
    keystone_auth.register_opts(conf, GROUP)
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the section's options for the sample generator."""
    return [(GROUP, OPTS + keystone_auth.list_opts())]

"""[collector_gnocchi]: how to reach Gnocchi."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from ratekit import keystone

GROUP = "collector_gnocchi"

OPTS = [
    cfg.StrOpt(
        "gnocchi_auth_type",
        default="keystone",
        choices=[
            ("keystone", "a token from Keystone; the auth options of this section apply"),
            ("basic", "HTTP basic authentication as gnocchi_user; requires gnocchi_endpoint"),
        ],
        help="How ratekit authenticates to Gnocchi.",
    ),
    cfg.StrOpt(
        "gnocchi_user",
        default="",
        help="User name for gnocchi_auth_type = basic.",
    ),
    cfg.StrOpt(
        "gnocchi_endpoint",
        help="URL of Gnocchi's API. If not set, ratekit takes it from the service catalogue.",
    ),
    keystone.interface_option("internalURL"),
    cfg.IntOpt(
        "max_backlog",
        min=0,
        metavar="MEASURES",
        help="Do not rate while more than this number of measures wait for gnocchi-metricd, "
        "because measures that are processed after their period was rated are not charged. If "
        "not set, ratekit does not wait. By default, Gnocchi's policy 'get status' lets only "
        "administrators read the number.",
    ),
    cfg.FloatOpt(
        "max_backlog_wait",
        default=3600.0,
        min=0.0,
        max=604800.0,
        metavar="SECONDS",
        help="Seconds after which rating continues regardless of max_backlog.",
    ),
]


def list_opts() -> list[Any]:
    """Return the section's options."""
    return [*OPTS, *keystone.connection_options()]


def check(conf: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (section, option, what is expected) where valid values do not fit together."""
    section = conf[GROUP]
    if section.gnocchi_auth_type == "basic":
        for name in ("gnocchi_endpoint", "gnocchi_user"):
            if not section[name]:
                yield GROUP, name, "is required by gnocchi_auth_type = basic"
    if section.gnocchi_endpoint and not keystone.is_web_url(section.gnocchi_endpoint):
        yield GROUP, "gnocchi_endpoint", "expected a URL such as http://gnocchi.example:8041"


def credential_sections(conf: Any) -> list[str]:
    """Return the section if ratekit authenticates to Keystone with it."""
    return [GROUP] if conf[GROUP].gnocchi_auth_type == "keystone" else []

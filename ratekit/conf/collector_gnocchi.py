"""[collector_gnocchi]: how Gnocchi is reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from ratekit.conf import keystone_auth

GROUP = "collector_gnocchi"

OPTS = [
    cfg.BoolOpt(
        "allow_expired",
        default=False,
        help="Rate what is there of data older than Gnocchi keeps in full. Meant for one run: "
        "ratekit-processor --once --allow-expired. Without it, scopes that have such data to "
        "come are held, with an error.",
    ),
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
        choices=[
            ("internalURL", "for services of the same cloud"),
            ("publicURL", "for everybody"),
            ("adminURL", "for administrators"),
            ("internal", "the same as internalURL"),
            ("public", "the same as publicURL"),
            ("admin", "the same as adminURL"),
        ],
        help="Which of the catalogue's endpoints to use.",
    ),
    cfg.IntOpt(
        "max_backlog",
        min=0,
        metavar="MEASURES",
        help="Rate nothing while more measures than this wait for Gnocchi's metricd: what it "
        "processes after its period was rated is not charged. Off when not set. Gnocchi tells "
        "the number to administrators only, unless its policy allows 'get status'.",
    ),
    cfg.FloatOpt(
        "max_backlog_wait",
        default=3600.0,
        min=0.0,
        max=604800.0,
        metavar="SECONDS",
        help="Seconds after which rating goes on however many measures wait.",
    ),
]


def register_opts(conf: Any) -> None:
    """Register the section's options."""
    keystone_auth.register_opts(conf, GROUP)
    conf.register_opts(OPTS, group=GROUP)


def authenticated(conf: Any) -> list[str]:
    """Return the sections whose credentials are used."""
    used = conf.collect.collector == "gnocchi" and conf[GROUP].gnocchi_auth_type == "keystone"
    return [GROUP] if used else []


def refusals(conf: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (section, option, what is expected) where valid values do not fit together."""
    section = conf[GROUP]
    if conf.collect.collector != "gnocchi":
        return
    if section.gnocchi_auth_type == "basic":
        for name in ("gnocchi_endpoint", "gnocchi_user"):
            if not section[name]:
                yield GROUP, name, "is required by gnocchi_auth_type = basic"
    if section.gnocchi_endpoint and not keystone_auth.is_web(section.gnocchi_endpoint):
        yield GROUP, "gnocchi_endpoint", "expected a URL such as http://gnocchi.example:8041"


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the section's options for the sample generator."""
    return [(GROUP, OPTS + keystone_auth.list_opts())]

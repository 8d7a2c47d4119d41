"""[fetcher], [fetcher_keystone], [fetcher_static]: who is rated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from ratekit.conf import keystone_auth

GROUP = "fetcher"
KEYSTONE = "fetcher_keystone"
STATIC = "fetcher_static"

OPTS = [
    cfg.StrOpt(
        "backend",
        default="keystone",
        help="Name of the fetcher plug-in (namespace ratekit.fetchers).",
    ),
]

KEYSTONE_OPTS = [
    cfg.StrOpt(
        "role_name",
        default="rating",
        help="A project is rated when ratekit's own user has this role on it, be it granted "
        "directly, through a group or by inheritance.",
    ),
    cfg.BoolOpt(
        "ignore_rating_role",
        default=False,
        help="Rate every project, whatever roles there are on it.",
    ),
    cfg.BoolOpt(
        "ignore_disabled_tenants",
        default=False,
        help="Do not rate disabled projects. They still hold volumes and addresses, so they "
        "are rated by default.",
    ),
]

STATIC_OPTS = [
    cfg.ListOpt(
        "scopes",
        default=[],
        help="Ids of the scopes to rate, separated by commas.",
    ),
]


def register_opts(conf: Any) -> None:
    """Register the sections' options."""
    conf.register_opts(OPTS, group=GROUP)
    conf.register_opts(KEYSTONE_OPTS, group=KEYSTONE)
    keystone_auth.register_opts(conf, KEYSTONE)
    conf.register_opts(STATIC_OPTS, group=STATIC)


def authenticated(conf: Any) -> list[str]:
    """Return the sections whose credentials are used."""
    return [KEYSTONE] if conf[GROUP].backend == "keystone" else []


def refusals(conf: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (section, option, what is expected) where valid values do not fit together."""
    if conf[GROUP].backend == "static" and not conf[STATIC].scopes:
        yield STATIC, "scopes", "is empty; expected ids separated by commas"


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the sections' options for the sample generator."""
    return [
        (GROUP, OPTS),
        (KEYSTONE, KEYSTONE_OPTS + keystone_auth.list_opts()),
        (STATIC, STATIC_OPTS),
    ]

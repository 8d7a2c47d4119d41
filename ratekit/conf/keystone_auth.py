"""Options that every section has whose driver talks to a service behind Keystone."""

from __future__ import annotations

import urllib.parse
from typing import Any

from keystoneauth1 import loading
from oslo_config import cfg

_SESSION = {"cafile", "certfile", "keyfile", "insecure"}

OPTS = [
    cfg.StrOpt(
        "region_name",
        help="Region whose endpoint is used, as the service catalogue names it.",
    ),
    cfg.FloatOpt(
        "timeout",
        default=60.0,
        min=0.1,
        max=3600.0,
        metavar="SECONDS",
        help="Seconds to wait for a connection, and for each answer, before giving up.",
    ),
]


def register_opts(conf: Any, group: str) -> None:
    """Register keystoneauth's and ratekit's own connection options in ``group``."""
    loading.register_auth_conf_options(conf, group)
    conf.register_opts(_session_opts() + OPTS, group=group)


def list_opts() -> list[Any]:
    """Return the options that every such section has."""
    auth = loading.get_auth_common_conf_options()
    return [*auth, *loading.get_auth_plugin_conf_options("password"), *_session_opts(), *OPTS]


def _session_opts() -> list[Any]:
    return [opt for opt in loading.get_session_conf_options() if opt.name in _SESSION]


def is_web(url: str) -> bool:
    """Tell whether ``url`` is one that HTTP clients can use."""
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False

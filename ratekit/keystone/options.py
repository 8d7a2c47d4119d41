"""Options of a section that says how to reach and authenticate to a service."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from typing import Any

from keystoneauth1 import loading
from oslo_config import cfg

#: Those of keystoneauth's options for sessions that ratekit reads.
_SESSION_OPTIONS = {"cafile", "certfile", "keyfile", "insecure"}

_CONNECTION_OPTIONS = [
    cfg.StrOpt(
        "region_name",
        help="Region of the endpoint, as the service catalogue names it. Required if the "
        "catalogue has the service in several regions.",
    ),
    cfg.FloatOpt(
        "timeout",
        default=60.0,
        min=0.1,
        max=3600.0,
        metavar="SECONDS",
        help="Seconds to wait for a connection, and for each response.",
    ),
]


def connection_options() -> list[Any]:
    """Return the options of a section that says how to reach and authenticate to a service.

    What else a section has depends on its ``auth_type``.
    """
    common = loading.get_auth_common_conf_options()
    of_session = [opt for opt in loading.get_session_conf_options() if opt.name in _SESSION_OPTIONS]
    return [*common, *of_session, *_CONNECTION_OPTIONS]


def interface_option(default: str) -> Any:
    """Return the option that selects an endpoint of the service catalogue."""
    return cfg.StrOpt(
        "interface",
        default=default,
        choices=[
            ("internalURL", "for services of the same cloud"),
            ("publicURL", "for everyone"),
            ("adminURL", "for administrators"),
            ("internal", "the same as internalURL"),
            ("public", "the same as publicURL"),
            ("admin", "the same as adminURL"),
        ],
        help="Which endpoint of the service catalogue to use.",
    )


def sample_options(options: Sequence[Any]) -> list[Any]:
    """Return a section's options with those of passwords added, where it authenticates.

    For the sample of the configuration: most sections have ``auth_type = password``.
    """
    names = [opt.name for opt in options]
    if "auth_section" not in names:
        return list(options)
    after = names.index("auth_section") + 1
    password = loading.get_auth_plugin_conf_options("password")
    return [*options[:after], *password, *options[after:]]


def is_web_url(url: str) -> bool:
    """Return whether HTTP clients can use ``url``."""
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False

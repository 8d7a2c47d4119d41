"""[api]: how ``ratekit-api`` serves HTTP, and what a request may cost."""

from __future__ import annotations

import base64
import ipaddress
import zoneinfo
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

GROUP = "api"
#: Sections of the libraries around the API, which nothing but ratekit-api reads.
MIDDLEWARE = frozenset(
    {"cors", "healthcheck", "keystone_authtoken", "oslo_middleware", "oslo_policy"}
)
_KEY_BYTES = 32
#: From the URL-safe alphabet of base64 to the usual one.
_USUAL = str.maketrans("-_", "+/")

OPTS = [
    cfg.HostAddressOpt(
        "host",
        default="127.0.0.1",
        help="Address that ratekit-api listens on. It speaks plain HTTP: let a web server or load "
        "balancer with TLS stand before it.",
    ),
    cfg.PortOpt("port", default=8889, help="TCP port that ratekit-api listens on."),
    cfg.IntOpt(
        "threads",
        default=8,
        min=1,
        max=256,
        help="Requests that one process of ratekit-api answers at the same time.",
    ),
    cfg.StrOpt(
        "auth_strategy",
        default="keystone",
        choices=[
            ("keystone", "each request needs a token of Keystone"),
            ("noauth", "everybody is an administrator; on a loopback address only"),
        ],
        help="Who may use the API. keystone needs the section [keystone_authtoken].",
    ),
    cfg.IntOpt(
        "max_body",
        default=1024 * 1024,
        min=1024,
        max=64 * 1024 * 1024,
        help="Largest body of a request, in bytes.",
    ),
    cfg.IntOpt(
        "max_rows",
        default=10_000,
        min=100,
        max=1_000_000,
        help="Most groups of a summary, most points of a page of data frames, and most states of "
        "a scope's periods in all metrics together. A request for more is refused. A summary by "
        "labels may not have more groups on all pages together: they are held in memory.",
    ),
    cfg.IntOpt(
        "max_range",
        default=400,
        min=1,
        max=36500,
        help="Longest time range of a report, in days.",
    ),
    cfg.IntOpt(
        "max_groupby", default=10, min=1, max=100, help="Most keys that a summary is grouped by."
    ),
    cfg.IntOpt(
        "requests_per_minute",
        default=0,
        min=0,
        help="Most requests of one project a minute, in each process of the API; 0: any number.",
    ),
    cfg.IntOpt(
        "streams",
        default=4,
        min=1,
        max=255,
        help="Lists of any length (/v1/storage/dataframes) that one process writes at the same "
        "time, at most half of them for one project. Always fewer than threads, so that clients "
        "that read slowly leave threads for others. A request for more is told to come back.",
    ),
    cfg.IntOpt(
        "read_timeout",
        default=600,
        min=1,
        max=86400,
        help="Seconds in which a client must read an answer of ratekit-api; then the connection is "
        "closed. Other servers have options of their own for this.",
    ),
    cfg.IntOpt(
        "statement_timeout",
        default=60,
        min=1,
        max=3600,
        help="Seconds after which a report that the database has not answered is given up.",
    ),
    cfg.BoolOpt(
        "dashboard",
        default=False,
        help="Serve pages for people at /dashboard: costs, prices and, for operators, what is "
        "rated.",
    ),
    cfg.ListOpt(
        "dashboard_keys",
        default=[],
        secret=True,
        help="Keys that encrypt the cookies of the pages, each 32 random bytes in base64, as "
        "'openssl rand -base64 32' writes them. The first encrypts, all decrypt: to change it, put "
        "a new one before it, and remove the old one a day later. All processes of the API need "
        "the same. Empty: a random one, which works for one process of ratekit-api, "
        "until it restarts.",
    ),
    cfg.StrOpt(
        "dashboard_zone",
        default="UTC",
        help="Time zone of the pages until a reader chooses another, such as Europe/Berlin.",
    ),
]


def check(conf: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (section, option, what is expected) where valid values do not fit together."""
    section = conf[GROUP]
    if section.auth_strategy == "noauth" and not _is_loopback(section.host):
        yield (
            GROUP,
            "auth_strategy",
            f"noauth needs a loopback address as host, such as 127.0.0.1, not {section.host!r}",
        )
    if not all(map(_is_key, section.dashboard_keys)):
        yield (
            GROUP,
            "dashboard_keys",
            "expected 32 random bytes in base64 each, as 'openssl rand -base64 32' writes them",
        )
    if not _is_zone(section.dashboard_zone):
        yield (
            GROUP,
            "dashboard_zone",
            f"expected a time zone, such as Europe/Berlin, not {section.dashboard_zone!r}",
        )


def _is_key(text: str) -> bool:
    """Return whether a text is 32 bytes in one of the two alphabets of base64."""
    try:
        return len(base64.b64decode(text.translate(_USUAL), validate=True)) == _KEY_BYTES
    except ValueError:
        return False


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

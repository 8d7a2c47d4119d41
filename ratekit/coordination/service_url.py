"""Which coordination services can be used, and with which options."""

from __future__ import annotations

import dataclasses
import importlib.util
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple, Self

from ratekit import errors

#: Seconds without a heartbeat after which a daemon is no longer a member.
MEMBERSHIP_SECONDS = 10
#: Seconds that a single request may take.
REQUEST_SECONDS = 3
#: Name of the group if the URL has none.
_GROUP = "ratekit"


class _Driver(NamedTuple):
    """What a scheme needs.

    :ivar package: of Python
    :ivar extra: of ratekit, which installs it
    :ivar port: of the service, if the URL has none
    """

    package: str
    extra: str
    port: int


#: The schemes that are supported.
_DRIVERS = {
    "etcd3+http": _Driver("etcd3gw", "etcd", 2379),
    "etcd3+https": _Driver("etcd3gw", "etcd", 2379),
    "redis": _Driver("redis", "redis", 6379),
    "rediss": _Driver("redis", "redis", 6379),
    "zookeeper": _Driver("kazoo", "zookeeper", 2181),
}
#: Why others are not.
_REASONS = {
    "file": "its members stay when their processes have died",
    "ipc": "it works on one host only",
    "kazoo": "its name is zookeeper",
    "kubernetes": "it has locks, but no groups",
    "memcached": "it may forget members at any time",
    "mysql": "it has locks, but no groups",
    "postgresql": "it has locks, but no groups",
    "etcd3": "write etcd3+http or etcd3+https",
    "etcd": "it is version 2; write etcd3+http or etcd3+https",
}


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceUrl:
    """A coordination service that can be used.

    :ivar scheme: as in the configuration
    :ivar url: for tooz, with limits on the time of all requests; may contain a password
    :ivar address: host and port of the service; None: there may be several
    :ivar group: name of the group
    :ivar membership_seconds: without a heartbeat for this time, a member is removed
    """

    scheme: str
    url: str
    address: tuple[str, int] | None
    group: str
    membership_seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``[orchestrator] coordination_url``.

        :raises ratekit.errors.OperatorError: the service cannot be used; says why
        """
        scheme = text.partition(":")[0].lower()
        if scheme not in _DRIVERS:
            reason = _REASONS.get(scheme, "it is unknown")
            raise errors.OperatorError(f"{scheme} is not supported: {reason}")
        parsed = urllib.parse.urlsplit(text)
        options = dict(urllib.parse.parse_qsl(parsed.query, keep_blank_values=True))
        group = options.pop("group", "") or _GROUP
        options = {**_default_options(scheme), **options}
        if scheme == "rediss":
            parsed = parsed._replace(scheme="redis")
            options["ssl"] = "true"
        membership = "timeout" if scheme == "zookeeper" else "membership_timeout"
        url = parsed._replace(query=urllib.parse.urlencode(options)).geturl()
        address = None
        if scheme != "zookeeper" and parsed.hostname:
            address = parsed.hostname, parsed.port or _DRIVERS[scheme].port
        return cls(scheme, url, address, group, float(options[membership]))

    @property
    def missing_package(self) -> str | None:
        """What must be installed to use the service; None: nothing."""
        driver = _DRIVERS[self.scheme]
        if importlib.util.find_spec(driver.package) is not None:
            return None
        return (
            f"the Python package {driver.package}: pip install 'ratekit-openstack[{driver.extra}]'"
        )


def find_mistake(text: str) -> str | None:
    """Return what is expected of a URL that cannot be parsed; None: it can be."""
    expected = "expected a URL such as etcd3+http://host:2379 or redis://host:6379"
    try:
        parsed = urllib.parse.urlsplit(text)
        _ = parsed.port
        if not parsed.scheme or (parsed.scheme.lower() in _DRIVERS and not parsed.netloc):
            return expected
        if parsed.scheme.lower() in _DRIVERS:
            seconds = ServiceUrl.parse(text).membership_seconds
            if not 2 <= seconds <= 60:
                return "expected a membership_timeout from 2 to 60 seconds"
    except ValueError:
        return expected
    return None


def _default_options(scheme: str) -> Mapping[str, str]:
    if scheme == "zookeeper":
        return {"timeout": str(MEMBERSHIP_SECONDS)}
    options = {"membership_timeout": str(MEMBERSHIP_SECONDS), "timeout": str(REQUEST_SECONDS)}
    if scheme.startswith("redis"):
        options["socket_connect_timeout"] = str(REQUEST_SECONDS)
    return options

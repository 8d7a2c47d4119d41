"""How often log-ins may fail: Keystone locks users, this slows down whoever tries many."""

from __future__ import annotations

import ipaddress

import limits
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from ratekit.api.faults import Fault

#: Failures of one user, and of all users, from one address.
OF_USER, OF_ADDRESS = 5, 50
_WAIT = 60
#: Of an IPv6 address: a client has all the others.
_NETWORK = 64


class Attempts:
    """Counts log-ins that failed, in this process, by the minute."""

    def __init__(self) -> None:
        self._counts = FixedWindowRateLimiter(MemoryStorage())
        self._of_user = limits.RateLimitItemPerMinute(OF_USER)
        self._of_address = limits.RateLimitItemPerMinute(OF_ADDRESS)

    def require(self, address: str, user: str) -> None:
        """Require that neither has failed too often.

        :raises ratekit.api.faults.Fault: one has
        """
        network = _network(address)
        if not (
            self._counts.test(self._of_user, network, user)
            and self._counts.test(self._of_address, network)
        ):
            text = f"too many log-ins have failed; try again in {_WAIT} s"
            raise Fault(429, text, Retry_After=str(_WAIT))

    def count(self, address: str, user: str) -> None:
        """Count a failure."""
        network = _network(address)
        self._counts.hit(self._of_user, network, user)
        self._counts.hit(self._of_address, network)


def _network(address: str) -> str:
    """Return what a client has in common with others that he may be.

    :param address: as proxies tell it; of several only the last is not the client's own word
    """
    address = address.rpartition(",")[2].strip()
    try:
        host = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped is None:
        return str(ipaddress.ip_network((host, _NETWORK), strict=False))
    return str(host)

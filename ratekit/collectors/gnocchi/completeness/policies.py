"""The archive policies of this Gnocchi."""

from __future__ import annotations

from collections.abc import Mapping

from ratekit.collectors.gnocchi import ttl_cache
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.client import Client


class Policies:
    """All archive policies, by name."""

    def __init__(self, client: Client, clock: ttl_cache.Clock) -> None:
        self._client = client
        self._cache = ttl_cache.TtlCache(self._read, clock)

    def by_name(self, refresh: bool = False) -> Mapping[str, Policy]:
        """Return the archive policies.

        :param refresh: list them again in any case
        """
        return self._cache.get("all", refresh)

    def _read(self, _key: str) -> Mapping[str, Policy]:
        return {policy.name: policy for policy in self._client.archive_policies()}

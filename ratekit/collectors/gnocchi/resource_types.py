"""Which attributes Gnocchi's resource types have."""

from __future__ import annotations

import datetime

from ratekit.collectors.gnocchi import ttl_cache
from ratekit.collectors.gnocchi.api.client import Client

#: Attributes that every resource has, whatever its type.
COMMON = frozenset(
    {
        "id", "type", "project_id", "user_id", "creator", "created_by_user_id",
        "created_by_project_id", "started_at", "ended_at", "original_resource_id",
        "revision_start", "revision_end",
    }
)  # fmt: skip


class Attributes:
    """Asks for each resource type once in a while; operators add attributes rarely."""

    def __init__(self, client: Client, clock: ttl_cache.Clock) -> None:
        self._client = client
        self._clock = clock
        self._types: dict[str, tuple[datetime.datetime, frozenset[str]]] = {}

    def of(self, resource_type: str) -> frozenset[str] | None:
        """Return the names of all attributes; None, which is not believed: no such type."""
        known = self._types.get(resource_type)
        if known is not None and self._clock() < known[0]:
            return known[1]
        own = self._client.attributes(resource_type)
        if own is None:
            return None
        self._types[resource_type] = (self._clock() + ttl_cache.FOR_A_WHILE, own | COMMON)
        return self._types[resource_type][1]

"""Which attributes Gnocchi's resource types have."""

from __future__ import annotations

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
    """The attributes of resource types."""

    def __init__(self, client: Client, clock: ttl_cache.Clock) -> None:
        self._client = client
        self._cache = ttl_cache.TtlCache(self._read, clock)

    def of(self, resource_type: str) -> frozenset[str] | None:
        """Return the names of all attributes, also those of every resource; None: no such type."""
        return self._cache.get(resource_type)

    def _read(self, resource_type: str) -> frozenset[str] | None:
        attributes = self._client.attributes(resource_type)
        return None if attributes is None else attributes | COMMON

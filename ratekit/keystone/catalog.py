"""Endpoints of Keystone's service catalogue: exactly one must fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from keystoneauth1 import discover, identity, plugin, session

from ratekit.redact import redact_urls

#: Filters of the catalogue by which a request selects an endpoint.
FILTERS = ("service_type", "interface", "region_name")


def find_endpoints(
    opened: session.Session, auth: plugin.BaseAuthPlugin | None, **filters: Any
) -> list[discover.EndpointData]:
    """Return the endpoints that fit; none if the credentials have no catalogue."""
    if not isinstance(auth, identity.BaseIdentityPlugin) or not filters.get("service_type"):
        return []
    return auth.get_access(opened).service_catalog.get_endpoint_data_list(**filters)


def conflict_text(
    address: str,
    endpoints: Collection[discover.EndpointData],
    filters: Mapping[str, Any],
    group: str,
    endpoint_option: str,
) -> str | None:
    """Return why none of ``endpoints`` can be selected, or None if all have the same address.

    Regions may share a service; then it does not matter which endpoint is selected.

    :param address: Keystone's
    :param group: section of the configuration that says how to reach the service
    :param endpoint_option: its option that has the endpoint's URL
    """
    urls = {(endpoint.url or "").rstrip("/") for endpoint in endpoints}
    if len(urls) < 2:
        return None
    kind, interface = filters["service_type"], filters["interface"]
    regions = sorted({str(endpoint.region_name) for endpoint in endpoints})
    if len(regions) > 1:
        return (
            f"{address}: its catalogue has {len(urls)} endpoints of type {kind!r} with interface "
            f"{interface!r} in the regions {', '.join(regions)}: set region_name in [{group}]"
        )
    addresses = ", ".join(sorted(redact_urls(url) for url in urls))
    return (
        f"{address}: its catalogue has {len(urls)} endpoints of type {kind!r} with interface "
        f"{interface!r} in region {regions[0]}: {addresses}: set {endpoint_option} in [{group}]"
    )


def endpoints_text(endpoints: Collection[discover.EndpointData]) -> str:
    """Write the interfaces and regions of endpoints."""
    words = sorted(f"{endpoint.interface} in {endpoint.region_name}" for endpoint in endpoints)
    return f"it has: {', '.join(words)}" if words else "it has none of this type"

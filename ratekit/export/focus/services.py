"""Which service of FOCUS a metric belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from ratekit.domain.reporting.service_categories import CATEGORIES, OTHER, other_of

#: Service and subcategory by the type of the metered resource.
BY_TYPE: Mapping[str, tuple[str, str]] = {
    "ceph_account": ("Object Storage", "Object Storage"),
    "identity": ("Identity", "Identity and Access Management"),
    "image": ("Images", other_of("Storage")),
    "instance": ("Compute", "Virtual Machines"),
    "instance_disk": ("Instance Disks", "Block Storage"),
    "instance_network_interface": ("Network Traffic", "Network Connectivity"),
    "loadbalancer": ("Load Balancing", "Application Networking"),
    "manila_share": ("Shared File Systems", "File Storage"),
    "network": ("Networks", "Network Infrastructure"),
    "stack": ("Orchestration", other_of("Management and Governance")),
    "swift_account": ("Object Storage", "Object Storage"),
    "volume": ("Block Storage", "Block Storage"),
}
_RESOURCE_KEY = "id"


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """What FOCUS wants to know of a metric.

    :ivar name: of the service
    :ivar subcategory: one of FOCUS's
    :ivar resource_type: of what is metered
    :ivar resource_key: label that identifies a resource
    :ivar title: the metric, for people
    """

    name: str
    subcategory: str
    resource_type: str
    resource_key: str
    title: str

    @property
    def category(self) -> str:
        """FOCUS's category of the subcategory."""
        return CATEGORIES[self.subcategory]


class Services:
    """The service of each metric.

    :param settings: of metrics.yml, by the metrics' names in it; several of one name are a list
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = dict(_by_public_name(settings))

    def find(self, metric: str) -> Service:
        """Return the service of a metric, which metrics.yml may no longer have.

        :param metric: its public name
        """
        entry = self._settings.get(metric, {})
        extra_args = entry.get("extra_args") or {}
        resource_type = str(extra_args.get("resource_type", metric))
        default = BY_TYPE.get(resource_type, (metric, other_of(OTHER)))
        focus = entry.get("focus") or {}
        return Service(
            name=focus.get("service", default[0]),
            subcategory=focus.get("subcategory", default[1]),
            resource_type=resource_type,
            resource_key=str(extra_args.get("resource_key", _RESOURCE_KEY)),
            title=entry.get("description") or metric,
        )


def _by_public_name(settings: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, content in settings.items():
        for entry in content if isinstance(content, list) else [content]:
            yield entry.get("alt_name") or name, entry

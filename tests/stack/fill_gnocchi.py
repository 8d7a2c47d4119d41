"""Write a plan's resources and measures into Gnocchi, through its API.

The API cannot set when a resource changed: Gnocchi gives each revision the time of the request.
history.py corrects that afterwards.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from tests.stack import resource_histories, unusual_policies
from tests.stack.api import Api
from tests.stack.errors import StackError
from tests.stack.plan import DEFAULT_POLICY, Measure, Plan, Resource
from tests.stack.processes import Process, Processes

METHODS = ("mean", "max", "min", "sum", "count", "last")
GRANULARITIES = (300, 3600)
SLACK_HOURS = 168
"""Hours beyond the plan's that Gnocchi keeps: tests may add measures of their own."""
STALLED = 120.0
"""Seconds without progress after which metricd counts as failed."""
REPORT_INTERVAL = 5.0
"""Seconds between two lines of progress."""

_TYPES = {
    "instance": ("display_name", "flavor_id", "flavor_name", "vcpus", "host", "image_ref"),
    "volume": ("display_name", "volume_type"),
    "image": ("name", "container_format", "disk_format"),
    "network": ("state", "name"),
    "instance_network_interface": ("instance_id", "name"),
    **resource_histories.TYPES,
    **unusual_policies.TYPES,
}
_WRITERS = 4
_RESOURCES_A_REQUEST = 25
_UNITS = {
    "cpu": "ns",
    "memory": "MB",
    "volume.size": "GB",
    "image.size": "B",
    "ip.floating": "ip",
    "network.incoming.bytes.rate": "B/s",
    "network.outgoing.bytes.rate": "B/s",
    **resource_histories.UNITS,
    **unusual_policies.UNITS,
}


def fill(api: Api, processes: Processes, plan: Plan, project_ids: Mapping[str, str]) -> None:
    """Create all of the plan; metricd may process measures after this returns.

    :param project_ids: by the plan's project names
    :raises StackError: Gnocchi refuses, or a server has ended
    """
    for policy in _policies(plan.end - plan.begin):
        api.request("POST", "/v1/archive_policy", policy)
    for name, attributes in _TYPES.items():
        schema = {attribute: {"type": "string", "required": False} for attribute in attributes}
        api.request("POST", "/v1/resource_type", {"name": name, "attributes": schema})

    pool = concurrent.futures.ThreadPoolExecutor(_WRITERS)
    try:
        for future in concurrent.futures.as_completed(
            [pool.submit(write, api, chunk, project_ids) for chunk in _chunks(plan.resources)]
        ):
            future.result()
            processes.check()
    finally:
        pool.shutdown(cancel_futures=True)


def write(api: Api, resources: Iterable[Resource], project_ids: Mapping[str, str]) -> None:
    """Create resources with their measures, whose types and archive policies exist.

    :param project_ids: by the plan's project names
    :raises StackError: Gnocchi refuses
    """
    measures: dict[str, list[object]] = {}
    for resource in resources:
        ids = _create(api, resource, project_ids[resource.project])
        for metric, series in resource.measures.items():
            if series:
                measures[ids[metric]] = [_as_json(measure) for measure in series]
    api.request("POST", "/v1/batch/metrics/measures", measures)


def wait_until_processed(
    api: Api, processes: Processes, metricd: Process, report: Callable[[str], None]
) -> None:
    """Wait until metricd has processed all measures.

    :param report: takes a line of progress from time to time
    :raises StackError: it has ended, or makes no progress
    """
    count, deadline = backlog(api), time.monotonic() + STALLED
    next_report = 0.0
    while count:
        if time.monotonic() >= next_report:
            report(f"Gnocchi aggregates the measures of {count} metrics")
            next_report = time.monotonic() + REPORT_INTERVAL
        processes.check()
        if time.monotonic() > deadline:
            raise StackError(f"{metricd.name} makes no progress: see {metricd.log}")
        time.sleep(0.5)
        before, count = count, backlog(api)
        if count < before:
            deadline = time.monotonic() + STALLED


def backlog(api: Api) -> int:
    """Return the number of metrics with unprocessed measures."""
    return int(api.request("GET", "/v1/status?details=false")["storage"]["summary"]["metrics"])


def _policies(length: datetime.timedelta) -> Iterator[dict[str, object]]:
    """Yield the default policy, and those of some special resources."""
    hours = int(length.total_seconds() // 3600) + SLACK_HOURS
    default = dict.fromkeys(GRANULARITIES)
    policies = {
        DEFAULT_POLICY: (default, METHODS),
        **resource_histories.POLICIES,
        **unusual_policies.POLICIES,
    }
    for name, (granularities, methods) in policies.items():
        definition = [
            {"granularity": granularity, "points": points or hours * 3600 // granularity}
            for granularity, points in granularities.items()
        ]
        yield {
            "name": name,
            # In buckets of the coarsest granularity: measures may come in any order.
            "back_window": hours * 3600 // max(granularities),
            "definition": definition,
            "aggregation_methods": methods,
        }


def _create(api: Api, resource: Resource, project_id: str) -> dict[str, str]:
    """Create a resource, then change it as its later revisions say; return the metrics' ids."""
    first, *later = resource.revisions
    body = {
        "id": str(resource.id),
        "project_id": project_id,
        "user_id": resource.user_id,
        "started_at": resource.started_at.isoformat(),
        "metrics": {
            name: {"archive_policy_name": resource.archive_policy, "unit": _UNITS[name]}
            for name in resource.measures
        },
        **first.attributes,
    }
    created = api.request("POST", f"/v1/resource/{resource.type}", body)
    for revision in later:
        change: dict[str, str] = {**revision.attributes}
        if revision.ended_at:
            change["ended_at"] = revision.ended_at.isoformat()
        api.request("PATCH", f"/v1/resource/{resource.type}/{resource.id}", change)
    return dict(created["metrics"])


def _as_json(measure: Measure) -> dict[str, object]:
    # The plan's values are binary fractions, so this float is exact.
    return {"timestamp": measure.at.isoformat(), "value": float(measure.value)}


def _chunks(resources: Iterable[Resource]) -> Iterator[list[Resource]]:
    source = iter(resources)
    while chunk := list(itertools.islice(source, _RESOURCES_A_REQUEST)):
        yield chunk

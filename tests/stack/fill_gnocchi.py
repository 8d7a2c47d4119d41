"""Write a plan's resources and measures into Gnocchi, through its API.

What the API cannot say is when a resource changed: it stamps each revision
with the moment it is told. history.py corrects that afterwards.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping

from tests.stack import lives, odd
from tests.stack.errors import StackError
from tests.stack.plan import USUAL, Measure, Plan, Resource
from tests.stack.processes import Process, Processes
from tests.stack.rest import Rest

METHODS = ("mean", "max", "min", "sum", "count", "last")
GRANULARITIES = (300, 3600)
SLACK_HOURS = 168
"""Hours beyond the plan's that are kept: tests may add measures of their own."""
STALLED = 120.0
"""Seconds without progress after which metricd is given up."""

_TYPES = {
    "instance": ("display_name", "flavor_id", "flavor_name", "vcpus", "host", "image_ref"),
    "volume": ("display_name", "volume_type"),
    "image": ("name", "container_format", "disk_format"),
    "network": ("state", "name"),
    "instance_network_interface": ("instance_id", "name"),
    **lives.TYPES,
    **odd.TYPES,
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
    **lives.UNITS,
    **odd.UNITS,
}


def fill(rest: Rest, processes: Processes, plan: Plan, project_ids: Mapping[str, str]) -> None:
    """Create everything of the plan; metricd has not yet seen it all when this returns.

    :param project_ids: by the plan's project names
    :raises StackError: Gnocchi refuses, or a server has ended
    """
    for policy in _policies(plan.end - plan.begin):
        rest.ask("POST", "/v1/archive_policy", policy)
    for name, attributes in _TYPES.items():
        described = {attribute: {"type": "string", "required": False} for attribute in attributes}
        rest.ask("POST", "/v1/resource_type", {"name": name, "attributes": described})

    def write(resources: list[Resource]) -> None:
        measures: dict[str, list[object]] = {}
        for resource in resources:
            ids = _create(rest, resource, project_ids[resource.project])
            for metric, measured in resource.measures.items():
                if measured:
                    measures[ids[metric]] = [_as_json(measure) for measure in measured]
        rest.ask("POST", "/v1/batch/metrics/measures", measures)

    pool = concurrent.futures.ThreadPoolExecutor(_WRITERS)
    try:
        for done in concurrent.futures.as_completed(
            [pool.submit(write, portion) for portion in _portions(plan.resources)]
        ):
            done.result()
            processes.check()
    finally:
        pool.shutdown(cancel_futures=True)


def wait_until_processed(rest: Rest, processes: Processes, metricd: Process) -> None:
    """Wait until metricd has worked off everything.

    :raises StackError: it has ended, or makes no progress
    """
    backlog, deadline = _backlog(rest), time.monotonic() + STALLED
    while backlog:
        processes.check()
        if time.monotonic() > deadline:
            raise StackError(f"{metricd.name} does not get on with its work: see {metricd.log}")
        time.sleep(0.5)
        before, backlog = backlog, _backlog(rest)
        if backlog < before:
            deadline = time.monotonic() + STALLED


def _backlog(rest: Rest) -> int:
    """Number of metrics with measures that are not processed."""
    return int(rest.ask("GET", "/v1/status?details=false")["storage"]["summary"]["metrics"])


def _policies(length: datetime.timedelta) -> Iterator[dict[str, object]]:
    """The usual one, and those of some special resources."""
    hours = int(length.total_seconds() // 3600) + SLACK_HOURS
    usual = dict.fromkeys(GRANULARITIES)
    policies = {USUAL: (usual, METHODS), **lives.POLICIES, **odd.POLICIES}
    for name, (kept, methods) in policies.items():
        definition = [
            {"granularity": granularity, "points": points or hours * 3600 // granularity}
            for granularity, points in kept.items()
        ]
        yield {
            "name": name,
            # In periods of the coarsest granularity: measures in any order are taken.
            "back_window": hours * 3600 // max(kept),
            "definition": definition,
            "aggregation_methods": methods,
        }


def _create(rest: Rest, resource: Resource, project_id: str) -> dict[str, str]:
    """Create a resource, then change it as its later revisions say; return its metrics' ids."""
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
    created = rest.ask("POST", f"/v1/resource/{resource.type}", body)
    for revision in later:
        change: dict[str, str] = {**revision.attributes}
        if revision.ended_at:
            change["ended_at"] = revision.ended_at.isoformat()
        rest.ask("PATCH", f"/v1/resource/{resource.type}/{resource.id}", change)
    return dict(created["metrics"])


def _as_json(measure: Measure) -> dict[str, object]:
    # The plan's values are binary fractions, so this float is exact.
    return {"timestamp": measure.at.isoformat(), "value": float(measure.value)}


def _portions(resources: Iterable[Resource]) -> Iterator[list[Resource]]:
    source = iter(resources)
    while portion := list(itertools.islice(source, _RESOURCES_A_REQUEST)):
        yield portion

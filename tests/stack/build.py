"""Builds a plan from four numbers."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from tests.stack import cases, resource_histories, resources, samples, unusual_policies
from tests.stack.plan import HOUR, STEP, Grant, Plan, Project, Resource, Revision, turning_hour
from tests.stack.resources import FLAVORS, Span

SHORTEST = 4
"""Fewest hours that have room for every special case."""

SPECIAL_PROJECTS = (
    Project("unrated", Grant.NONE),
    Project("disabled", enabled=False),
    # The role comes from the parent, which is not rated through it itself.
    Project("parent", Grant.NONE),
    Project("inherited", Grant.INHERITED, parent="parent"),
    Project("grouped", Grant.GROUP),
    Project(cases.PROJECT),
    Project(unusual_policies.PROJECT, Grant.NONE),
    Project(resource_histories.PROJECT, Grant.NONE),
)

_WITH_RESOURCES_OF_THEIR_OWN = (
    cases.PROJECT,
    unusual_policies.PROJECT,
    resource_histories.PROJECT,
)


def build_plan(projects: int, instances: int, hours: int, end: datetime.datetime) -> Plan:
    """Return the plan of a cloud; the same arguments always give the same plan.

    :param projects: number of ordinary projects, ``demo-01`` and on
    :param instances: number of instances in each of them
    :param hours: length of the data
    :param end: first instant without data, aware, on the hour
    :raises ValueError: an argument is out of bounds
    """
    if projects < 1 or instances < 1 or hours < SHORTEST:
        raise ValueError(f"at least 1 project, 1 instance and {SHORTEST} hours are needed")
    if end.utcoffset() is None:
        raise ValueError(f"the end {end.isoformat()} has no offset from UTC")
    end = end.astimezone(datetime.UTC)
    if end != floor_hour(end):
        raise ValueError(f"the end {end.isoformat()} is not on the hour")
    begin = end - hours * HOUR
    ordinary = [Project(f"demo-{n:02}") for n in range(1, projects + 1)]
    return Plan(
        begin=begin,
        end=end,
        projects=(*ordinary, *SPECIAL_PROJECTS),
        resources=tuple(_resources(ordinary, instances, begin, end)),
    )


def floor_hour(instant: datetime.datetime) -> datetime.datetime:
    """Return the start of the hour that ``instant`` is in."""
    return instant.replace(minute=0, second=0, microsecond=0)


def _resources(
    ordinary: list[Project], instances: int, begin: datetime.datetime, end: datetime.datetime
) -> Iterator[Resource]:
    turn = turning_hour(begin, end)
    span = Span(begin, begin, end)
    for number, project in enumerate(ordinary):
        yield from _instances(project, number, instances, span)
        yield _volume(project, number, span, turn)
        yield _image(project, number, span)
        yield _floating_ip(project, span)
        yield _interface(project, number, span)
    for number, project in enumerate(SPECIAL_PROJECTS):
        if project.name not in _WITH_RESOURCES_OF_THEIR_OWN:
            yield from _instances(project, number, 1, span)
    yield from cases.special_resources(begin, end, turn)
    yield from unusual_policies.resources_with_unusual_policies(begin, end)
    yield from resource_histories.resources_with_histories(begin, end, turn)


def _instances(project: Project, number: int, count: int, span: Span) -> Iterator[Resource]:
    for n in range(count):
        name, flavor = f"{project.name}-vm-{n + 1:02}", FLAVORS[n % len(FLAVORS)]
        revisions = _single_revision(span, resources.instance(name, flavor))
        memory = samples.constant(flavor.memory)
        metrics = resources.instance_metrics(number + n, span, memory)
        yield resources.assemble(name, "instance", project.name, revisions, metrics)


def _volume(project: Project, number: int, span: Span, turn: datetime.datetime) -> Resource:
    """A volume, in GiB, that grows on the hour."""
    name = f"{project.name}-volume"
    kind = ("ssd", "hdd")[number % 2]
    before, after = samples.constant(10 + number), samples.constant(25 + number)
    sizes = span.measure(samples.switch(before, after, (turn - span.origin) // STEP))
    revisions = _single_revision(span, {"display_name": name, "volume_type": kind})
    return resources.assemble(name, "volume", project.name, revisions, {"volume.size": sizes})


def _image(project: Project, number: int, span: Span) -> Resource:
    """An image, in bytes: 12.5 MiB, 15.5 MiB, ..."""
    name = f"{project.name}-image"
    size = (12 + 3 * number) * samples.MIB + samples.MIB // 2
    disk = ("qcow2", "raw")[number % 2]
    revisions = _single_revision(
        span, {"name": name, "container_format": "bare", "disk_format": disk}
    )
    metrics = {"image.size": span.measure(samples.constant(size))}
    return resources.assemble(name, "image", project.name, revisions, metrics)


def _floating_ip(project: Project, span: Span) -> Resource:
    revisions = _single_revision(span, {"state": "ACTIVE"})
    metrics = {"ip.floating": span.measure(samples.constant(1))}
    return resources.assemble(f"{project.name}-ip", "network", project.name, revisions, metrics)


def _interface(project: Project, number: int, span: Span) -> Resource:
    """The first instance's interface; rates in bytes a second."""
    name = f"{project.name}-nic"
    owner = resources.resource_id(f"{project.name}-vm-01")
    revisions = _single_revision(span, {"name": f"tap-{number}", "instance_id": str(owner)})
    metrics = {
        "network.incoming.bytes.rate": span.measure(samples.traffic(number)),
        "network.outgoing.bytes.rate": span.measure(samples.traffic(number + 3)),
    }
    return resources.assemble(name, "instance_network_interface", project.name, revisions, metrics)


def _single_revision(span: Span, attributes: dict[str, str]) -> tuple[Revision, ...]:
    return (Revision(span.begin, None, attributes),)

"""From four numbers to a plan."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from tests.stack import cases, lives, odd, parts, samples
from tests.stack.parts import FLAVORS, Span
from tests.stack.plan import HOUR, STEP, Grant, Plan, Project, Resource, Revision, turning_hour

SHORTEST = 4
"""Fewest hours in which every special case has room."""

SPECIAL_PROJECTS = (
    Project("unrated", Grant.NONE),
    Project("disabled", enabled=False),
    # The role comes from the parent, which is not rated through it itself.
    Project("parent", Grant.NONE),
    Project("inherited", Grant.INHERITED, parent="parent"),
    Project("grouped", Grant.GROUP),
    Project(cases.PROJECT),
    Project(odd.PROJECT, Grant.NONE),
    Project(lives.PROJECT, Grant.NONE),
)


def build_plan(projects: int, instances: int, hours: int, end: datetime.datetime) -> Plan:
    """Lay out a cloud; the same arguments always give the same plan.

    :param projects: number of ordinary projects, ``demo-01`` and on
    :param instances: number of instances in each of them
    :param hours: length of the data
    :param end: first instant without data, aware, on the hour
    :raises ValueError: an argument is out of bounds
    """
    if projects < 1 or instances < 1 or hours < SHORTEST:
        raise ValueError(f"at least 1 project, 1 instance and {SHORTEST} hours are needed")
    if end.utcoffset() is None:
        raise ValueError(f"the end {end.isoformat()} lacks its offset from UTC")
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
    """The begin of the hour that ``instant`` is in."""
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
        if project.name not in (cases.PROJECT, odd.PROJECT, lives.PROJECT):
            yield from _instances(project, number, 1, span)
    yield from cases.special_resources(begin, end, turn)
    yield from odd.odd_resources(begin, end)
    yield from lives.lives(begin, end, turn)


def _instances(project: Project, number: int, count: int, span: Span) -> Iterator[Resource]:
    for n in range(count):
        name, flavor = f"{project.name}-vm-{n + 1:02}", FLAVORS[n % len(FLAVORS)]
        life = _unchanged(span, parts.instance(name, flavor))
        memory = samples.constant(flavor.memory)
        metrics = parts.instance_metrics(number + n, span, memory)
        yield parts.assemble(name, "instance", project.name, life, metrics)


def _volume(project: Project, number: int, span: Span, turn: datetime.datetime) -> Resource:
    """A volume, in GiB, that grows on the hour."""
    name = f"{project.name}-volume"
    kind = ("ssd", "hdd")[number % 2]
    before, after = samples.constant(10 + number), samples.constant(25 + number)
    sizes = span.measure(samples.stepped(before, after, (turn - span.origin) // STEP))
    life = _unchanged(span, {"display_name": name, "volume_type": kind})
    return parts.assemble(name, "volume", project.name, life, {"volume.size": sizes})


def _image(project: Project, number: int, span: Span) -> Resource:
    """An image, in bytes: 12.5 MiB, 15.5 MiB, ..."""
    name = f"{project.name}-image"
    size = (12 + 3 * number) * samples.MIB + samples.MIB // 2
    disk = ("qcow2", "raw")[number % 2]
    life = _unchanged(span, {"name": name, "container_format": "bare", "disk_format": disk})
    metrics = {"image.size": span.measure(samples.constant(size))}
    return parts.assemble(name, "image", project.name, life, metrics)


def _floating_ip(project: Project, span: Span) -> Resource:
    life = _unchanged(span, {"state": "ACTIVE"})
    metrics = {"ip.floating": span.measure(samples.constant(1))}
    return parts.assemble(f"{project.name}-ip", "network", project.name, life, metrics)


def _interface(project: Project, number: int, span: Span) -> Resource:
    """The first instance's interface; rates in bytes a second."""
    name = f"{project.name}-nic"
    owner = parts.resource_id(f"{project.name}-vm-01")
    life = _unchanged(span, {"name": f"tap-{number}", "instance_id": str(owner)})
    metrics = {
        "network.incoming.bytes.rate": span.measure(samples.traffic(number)),
        "network.outgoing.bytes.rate": span.measure(samples.traffic(number + 3)),
    }
    return parts.assemble(name, "instance_network_interface", project.name, life, metrics)


def _unchanged(span: Span, attributes: dict[str, str]) -> tuple[Revision, ...]:
    return (Revision(span.begin, None, attributes),)

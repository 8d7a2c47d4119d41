"""The special resources, all in the project ``cases``.

Everything happens in or around one hour, the plan's ``turning_hour``:

=========  ==================================================================
created    instance, created at half past: first measure and revision at :30
late       instance, first measure 10 minutes before the hour, while its first
           revision starts 15 minutes later, at :05
deleted    instance, deleted at 20 past: a revision that carries ``ended_at``
resized    instance, m1.small until 20 past, then m1.large
renamed    instance, another ``display_name`` from 20 past on, nothing else
silent     instance whose metric ``cpu`` was never measured (``memory`` was)
grown      volume of 10 GiB until 20 past, then of 40: no new revision
=========  ==================================================================
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from tests.stack import resources, samples
from tests.stack.plan import STEP, Resource, Revision
from tests.stack.resources import LARGE, SMALL, Span

PROJECT = "cases"
_Revisions = tuple[Revision, ...]


def special_resources(
    begin: datetime.datetime, end: datetime.datetime, turn: datetime.datetime
) -> Iterator[Resource]:
    """Yield the resources of the table above.

    :param begin: the plan's start
    :param end: the plan's end
    :param turn: start of the hour in which things happen, at least an hour
        after ``begin`` and before ``end``
    """
    whole, change = Span(begin, begin, end), turn + _minutes(20)
    yield from _new_instances(whole, turn)
    yield _deleted_instance(whole, change)
    yield _resized_instance(whole, change)
    yield _renamed_instance(whole, change)
    yield _instance_without_cpu(whole)
    yield _grown_volume(whole, change)


def _new_instances(whole: Span, turn: datetime.datetime) -> Iterator[Resource]:
    for name, first_revision, first_measure in (
        ("created", turn + _minutes(30), turn + _minutes(30)),
        ("late", turn + _minutes(5), turn - _minutes(10)),
    ):
        revisions = (Revision(first_revision, None, resources.instance(name, SMALL)),)
        yield _instance(name, revisions, Span(whole.origin, first_measure, whole.end))


def _deleted_instance(whole: Span, change: datetime.datetime) -> Resource:
    attributes = resources.instance("deleted", SMALL)
    revisions = (
        Revision(whole.begin, change, attributes),
        Revision(change, None, attributes, ended_at=change),
    )
    return _instance("deleted", revisions, Span(whole.origin, whole.begin, change))


def _resized_instance(whole: Span, change: datetime.datetime) -> Resource:
    revisions = (
        Revision(whole.begin, change, resources.instance("resized", SMALL)),
        Revision(change, None, resources.instance("resized", LARGE)),
    )
    return _instance("resized", revisions, whole, _gauge(whole, change, SMALL.memory, LARGE.memory))


def _renamed_instance(whole: Span, change: datetime.datetime) -> Resource:
    revisions = (
        Revision(whole.begin, change, resources.instance("renamed", SMALL)),
        Revision(change, None, resources.instance("renamed", SMALL, display_name="other name")),
    )
    return _instance("renamed", revisions, whole)


def _instance_without_cpu(whole: Span) -> Resource:
    revisions = (Revision(whole.begin, None, resources.instance("silent", SMALL)),)
    memory = whole.measure(samples.constant(SMALL.memory))
    return resources.assemble(
        "silent", "instance", PROJECT, revisions, {"cpu": (), "memory": memory}
    )


def _grown_volume(whole: Span, change: datetime.datetime) -> Resource:
    attributes = {"display_name": "grown", "volume_type": "ssd"}
    revisions = (Revision(whole.begin, None, attributes),)
    sizes = whole.measure(_gauge(whole, change, 10, 40))
    return resources.assemble("grown", "volume", PROJECT, revisions, {"volume.size": sizes})


def _instance(
    name: str, revisions: _Revisions, span: Span, memory: samples.Formula | None = None
) -> Resource:
    gauge = memory or samples.constant(SMALL.memory)
    metrics = resources.instance_metrics(len(name), span, gauge)
    return resources.assemble(name, "instance", PROJECT, revisions, metrics)


def _gauge(whole: Span, change: datetime.datetime, before: int, after: int) -> samples.Formula:
    first = (change - whole.origin) // STEP
    return samples.switch(samples.constant(before), samples.constant(after), first)


def _minutes(count: int) -> datetime.timedelta:
    return datetime.timedelta(minutes=count)

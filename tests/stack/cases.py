"""The special resources, all in the project ``cases``.

Everything happens in or around one hour, the plan's ``turning_hour``:

=========  ==================================================================
born       instance, created at half past: first measure and revision at :30
late       instance, first measure 10 minutes before the hour, while its first
           revision starts 15 minutes later, at :05
deleted    instance, gone at 20 past: a revision that carries ``ended_at``
resized    instance, m1.small until 20 past, then m1.large
renamed    instance, another ``display_name`` from 20 past on, nothing else
silent     instance whose metric ``cpu`` was never measured (``memory`` was)
grown      volume of 10 GiB until 20 past, then of 40: no new revision
=========  ==================================================================
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from tests.stack import parts, samples
from tests.stack.parts import LARGE, SMALL, Span
from tests.stack.plan import STEP, Resource, Revision

PROJECT = "cases"
_Life = tuple[Revision, ...]


def special_resources(
    begin: datetime.datetime, end: datetime.datetime, turn: datetime.datetime
) -> Iterator[Resource]:
    """The resources in the table above.

    :param begin: the plan's begin
    :param end: the plan's end
    :param turn: begin of the hour in which things happen, at least an hour
        after ``begin`` and before ``end``
    """
    whole, change = Span(begin, begin, end), turn + _minutes(20)
    yield from _comers(whole, turn)
    yield _deleted(whole, change)
    yield _resized(whole, change)
    yield _renamed(whole, change)
    yield _silent(whole)
    yield _grown(whole, change)


def _comers(whole: Span, turn: datetime.datetime) -> Iterator[Resource]:
    for name, revised, measured in (
        ("born", turn + _minutes(30), turn + _minutes(30)),
        ("late", turn + _minutes(5), turn - _minutes(10)),
    ):
        life = (Revision(revised, None, parts.instance(name, SMALL)),)
        yield _instance(name, life, Span(whole.origin, measured, whole.end))


def _deleted(whole: Span, change: datetime.datetime) -> Resource:
    attributes = parts.instance("deleted", SMALL)
    life = (
        Revision(whole.begin, change, attributes),
        Revision(change, None, attributes, ended_at=change),
    )
    return _instance("deleted", life, Span(whole.origin, whole.begin, change))


def _resized(whole: Span, change: datetime.datetime) -> Resource:
    life = (
        Revision(whole.begin, change, parts.instance("resized", SMALL)),
        Revision(change, None, parts.instance("resized", LARGE)),
    )
    return _instance("resized", life, whole, _gauge(whole, change, SMALL.memory, LARGE.memory))


def _renamed(whole: Span, change: datetime.datetime) -> Resource:
    life = (
        Revision(whole.begin, change, parts.instance("renamed", SMALL)),
        Revision(change, None, parts.instance("renamed", SMALL, display_name="other name")),
    )
    return _instance("renamed", life, whole)


def _silent(whole: Span) -> Resource:
    life = (Revision(whole.begin, None, parts.instance("silent", SMALL)),)
    memory = whole.measure(samples.constant(SMALL.memory))
    return parts.assemble("silent", "instance", PROJECT, life, {"cpu": (), "memory": memory})


def _grown(whole: Span, change: datetime.datetime) -> Resource:
    attributes = {"display_name": "grown", "volume_type": "ssd"}
    life = (Revision(whole.begin, None, attributes),)
    sizes = whole.measure(_gauge(whole, change, 10, 40))
    return parts.assemble("grown", "volume", PROJECT, life, {"volume.size": sizes})


def _instance(
    name: str, life: _Life, span: Span, memory: samples.Formula | None = None
) -> Resource:
    gauge = memory or samples.constant(SMALL.memory)
    metrics = parts.instance_metrics(len(name), span, gauge)
    return parts.assemble(name, "instance", PROJECT, life, metrics)


def _gauge(whole: Span, change: datetime.datetime, before: int, after: int) -> samples.Formula:
    turn = (change - whole.origin) // STEP
    return samples.stepped(samples.constant(before), samples.constant(after), turn)


def _minutes(count: int) -> datetime.timedelta:
    return datetime.timedelta(minutes=count)

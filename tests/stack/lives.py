"""Every kind of resource that CloudKitty's metrics.yml files rate, with every kind of life.

They are in a project that nobody rates, and are measured for a few hours around the plan's
``turning_hour``, in which everything happens, at instants that are no bucket's edge:

=======  ======================================================================
steady   nothing happens
changed  from 22:13.25 past on another flavor, volume type, ... (see the kinds below)
back     the same from 7:30 past on, and back at 22:13.25 past
renamed  from 22:13.25 past on another name, but the same labels
born     created at 31:17 past
died     deleted at 18:40 past
brief    created at 12:20 past, deleted at 41:05 past
short    created at 12:20 past, changed at 30:10 past, deleted at 51 past
noted    a volume, measured from an hour before on, but recorded two and a half hours after, and
         changed within the next hour
=======  ======================================================================

What is measured changes with the look. The interfaces' metrics are under a policy that
keeps ``rate:mean``; their ``network.*.bytes`` are counters.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.stack import parts, samples
from tests.stack.parts import LARGE, SMALL, Span
from tests.stack.plan import HOUR, STEP, USUAL, Resource, Revision

PROJECT = "lives"
#: As in odd.py.
POLICIES: dict[str, tuple[dict[int, int | None], tuple[str, ...]]] = {
    "counters": ({300: None, 3600: None}, ("mean", "max", "rate:mean")),
}
TYPES = {"ceph_account": ("name",)}
UNITS = {
    "radosgw.objects.size": "B",
    "network.incoming.bytes": "B",
    "network.outgoing.bytes": "B",
}

#: Hours before and after the turning hour's begin in which these are measured.
_BEFORE, _AFTER = 3 * HOUR, 4 * HOUR


class _Kind(NamedTuple):
    """What there are lives of; it has two looks: at first, and when changed.

    :ivar name: the attribute that is a name, which every revision has another of
    :ivar attributes: of each look
    :ivar measured: by metric, what each look measures
    """

    type: str
    name: str
    attributes: tuple[Mapping[str, str], Mapping[str, str]]
    measured: Mapping[str, tuple[samples.Formula, samples.Formula]]
    archive_policy: str = USUAL


class _Life(NamedTuple):
    """Times are counted from the begin of the turning hour.

    :ivar phases: (from when, which look), oldest first
    :ivar ended: when it is deleted
    :ivar measured: from when; None: from its first phase on
    """

    phases: tuple[tuple[datetime.timedelta, int], ...]
    ended: datetime.timedelta | None = None
    measured: datetime.timedelta | None = None


def _past(minutes: int, seconds: float = 0) -> datetime.timedelta:
    return datetime.timedelta(minutes=minutes, seconds=seconds)


_CHANGE = _past(22, 13.25)
_LIVES = {
    "steady": _Life(((-_BEFORE, 0),)),
    "changed": _Life(((-_BEFORE, 0), (_CHANGE, 1))),
    "back": _Life(((-_BEFORE, 0), (_past(7, 30), 1), (_CHANGE, 0))),
    "renamed": _Life(((-_BEFORE, 0), (_CHANGE, 0))),
    "born": _Life(((_past(31, 17), 0),)),
    "died": _Life(((-_BEFORE, 0),), ended=_past(18, 40)),
    "brief": _Life(((_past(12, 20), 0),), ended=_past(41, 5)),
    "short": _Life(((_past(12, 20), 0), (_past(30, 10), 1)), ended=_past(51)),
}
_NOTED = _Life(((2 * HOUR + _past(30), 0), (3 * HOUR + _CHANGE, 1)), measured=-HOUR)


def lives(
    begin: datetime.datetime, end: datetime.datetime, turn: datetime.datetime
) -> Iterator[Resource]:
    """The resources in the table above, named ``<kind>-<life>``.

    :param begin: the plan's begin
    :param end: the plan's end
    :param turn: begin of the turning hour
    """
    span = Span(begin, max(begin, turn - _BEFORE), min(end, turn + _AFTER))
    kinds = _kinds()
    for kind, of_kind in kinds.items():
        for life, of_life in _LIVES.items():
            yield _resource(f"{kind}-{life}", of_kind, of_life, turn, span)
    yield _resource("volume-noted", kinds["volume"], _NOTED, turn, span)


def _kinds() -> dict[str, _Kind]:
    """By what they are called in names of resources."""
    traffic = {
        "network.incoming.bytes.rate": _same(samples.traffic(1)),
        "network.outgoing.bytes.rate": _same(samples.traffic(2)),
        "network.incoming.bytes": _same(samples.cpu_time(3)),
        "network.outgoing.bytes": _same(samples.cpu_time(4)),
    }
    image = _constants(12 * samples.MIB + samples.MIB // 2, 30 * samples.MIB + samples.MIB // 4)
    server = {
        "cpu": _same(samples.cpu_time(5)),
        "memory": _constants(SMALL.memory, LARGE.memory),
    }
    return {
        "instance": _Kind(
            "instance",
            "display_name",
            (parts.instance("", SMALL), parts.instance("", LARGE)),
            server,
        ),
        "volume": _Kind(
            "volume",
            "display_name",
            ({"volume_type": "hdd"}, {"volume_type": "ssd"}),
            {"volume.size": _constants(10, 40)},
        ),
        "image": _Kind(
            "image",
            "name",
            (
                {"container_format": "bare", "disk_format": "qcow2"},
                {"container_format": "bare", "disk_format": "raw"},
            ),
            {"image.size": image},
        ),
        # An address that is down measures 0.
        "address": _Kind(
            "network",
            "name",
            ({"state": "ACTIVE"}, {"state": "DOWN"}),
            {"ip.floating": _constants(1, 0)},
        ),
        "nic": _Kind(
            "instance_network_interface",
            "name",
            ({"instance_id": "one"}, {"instance_id": "other"}),
            traffic,
            "counters",
        ),
        # The files make no label of what an account is like.
        "store": _Kind(
            "ceph_account", "name", ({}, {}), {"radosgw.objects.size": _same(samples.traffic(6))}
        ),
    }


def _same(formula: samples.Formula) -> tuple[samples.Formula, samples.Formula]:
    return formula, formula


def _constants(first: int, other: int) -> tuple[samples.Formula, samples.Formula]:
    return samples.constant(first), samples.constant(other)


def _resource(name: str, kind: _Kind, life: _Life, turn: datetime.datetime, span: Span) -> Resource:
    phases = [(max(span.begin, turn + since), look) for since, look in life.phases]
    first = phases[0][0] if life.measured is None else max(span.begin, turn + life.measured)
    ended = None if life.ended is None else turn + life.ended
    revisions = _revisions(name, kind, phases, ended)
    measured = Span(span.origin, _tick(span.origin, first), ended or span.end)
    metrics = {
        metric: measured.measure(_in_turn(span.origin, phases, formulas))
        for metric, formulas in kind.measured.items()
    }
    return parts.assemble(name, kind.type, PROJECT, revisions, metrics, kind.archive_policy)


def _revisions(
    name: str,
    kind: _Kind,
    phases: list[tuple[datetime.datetime, int]],
    ended: datetime.datetime | None,
) -> tuple[Revision, ...]:
    turns = [since for since, _ in phases]
    found = []
    for number, ((since, look), until) in enumerate(zip(phases, [*turns[1:], ended], strict=True)):
        label = f"{name} {number}" if number else name
        found.append(Revision(since, until, {**kind.attributes[look], kind.name: label}))
    if ended is not None:
        found.append(Revision(ended, None, found[-1].attributes, ended_at=ended))
    return tuple(found)


def _in_turn(
    origin: datetime.datetime,
    phases: list[tuple[datetime.datetime, int]],
    formulas: tuple[samples.Formula, samples.Formula],
) -> samples.Formula:
    """Each look's formula while it lasts."""
    formula = formulas[phases[0][1]]
    for since, look in phases[1:]:
        sample = (_tick(origin, since) - origin) // STEP
        formula = samples.stepped(formula, formulas[look], sample)
    return formula


def _tick(origin: datetime.datetime, instant: datetime.datetime) -> datetime.datetime:
    """When the first sample at or after ``instant`` is taken."""
    return origin - (origin - instant) // STEP * STEP

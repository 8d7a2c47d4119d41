"""Resources of every kind that CloudKitty's metrics.yml files rate, each with several histories.

They are in a project that is not rated, and are measured for a few hours around the plan's
``turning_hour``, in which everything happens, at times that are no edge of a bucket:

=========  ====================================================================================
unchanged  nothing happens
changed    from 22:13.25 past on another flavor, volume type, ... (see the kinds below)
reverted   the same change at 7:30 past, undone at 22:13.25 past
renamed    from 22:13.25 past on another name, but the same labels
created    created at 31:17 past
deleted    deleted at 18:40 past
brief      created at 12:20 past, deleted at 41:05 past
short      created at 12:20 past, changed at 30:10 past, deleted at 51 past
recorded   a volume that is measured from an hour before on, but recorded only one and a half
           hours after, and changed within the next hour
=========  ====================================================================================

Measured values change with the attributes. The metrics of interfaces have an archive policy that
keeps ``rate:mean``; their ``network.*.bytes`` are counters.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.stack import resources, samples
from tests.stack.plan import DEFAULT_POLICY, HOUR, STEP, Resource, Revision
from tests.stack.resources import LARGE, SMALL, Span

PROJECT = "histories"
#: As in unusual_policies.py.
POLICIES: dict[str, tuple[dict[int, int | None], tuple[str, ...]]] = {
    "counters": ({300: None, 3600: None}, ("mean", "max", "rate:mean")),
}
TYPES = {"ceph_account": ("name",)}
UNITS = {
    "radosgw.objects.size": "B",
    "network.incoming.bytes": "B",
    "network.outgoing.bytes": "B",
}

#: Time before and after the start of the turning hour in which these are measured.
_BEFORE, _AFTER = 3 * HOUR, 4 * HOUR


class _Kind(NamedTuple):
    """A kind of resources in two variants: as created, and as changed.

    :ivar name: the attribute that is a name; every revision has another one
    :ivar attributes: of each variant
    :ivar formulas: by metric, the measured values of each variant
    """

    type: str
    name: str
    attributes: tuple[Mapping[str, str], Mapping[str, str]]
    formulas: Mapping[str, tuple[samples.Formula, samples.Formula]]
    archive_policy: str = DEFAULT_POLICY


class _History(NamedTuple):
    """Times are offsets from the start of the turning hour.

    :ivar phases: (start, variant), oldest first
    :ivar end: when it is deleted
    :ivar first_measure: None: the start of its first phase
    """

    phases: tuple[tuple[datetime.timedelta, int], ...]
    end: datetime.timedelta | None = None
    first_measure: datetime.timedelta | None = None


def _past(minutes: int, seconds: float = 0) -> datetime.timedelta:
    return datetime.timedelta(minutes=minutes, seconds=seconds)


_CHANGE = _past(22, 13.25)
_HISTORIES = {
    "unchanged": _History(((-_BEFORE, 0),)),
    "changed": _History(((-_BEFORE, 0), (_CHANGE, 1))),
    "reverted": _History(((-_BEFORE, 0), (_past(7, 30), 1), (_CHANGE, 0))),
    "renamed": _History(((-_BEFORE, 0), (_CHANGE, 0))),
    "created": _History(((_past(31, 17), 0),)),
    "deleted": _History(((-_BEFORE, 0),), end=_past(18, 40)),
    "brief": _History(((_past(12, 20), 0),), end=_past(41, 5)),
    "short": _History(((_past(12, 20), 0), (_past(30, 10), 1)), end=_past(51)),
}
_RECORDED_LATE = _History(((HOUR + _past(30), 0), (2 * HOUR + _CHANGE, 1)), first_measure=-HOUR)


def resources_with_histories(
    begin: datetime.datetime, end: datetime.datetime, turn: datetime.datetime
) -> Iterator[Resource]:
    """Yield the resources of the table above, named ``<kind>-<history>``.

    :param begin: the plan's start
    :param end: the plan's end
    :param turn: start of the turning hour
    """
    span = Span(begin, max(begin, turn - _BEFORE), min(end, turn + _AFTER))
    kinds = _kinds()
    for kind_name, kind in kinds.items():
        for history_name, history in _HISTORIES.items():
            yield _resource(f"{kind_name}-{history_name}", kind, history, turn, span)
    yield _resource("volume-recorded", kinds["volume"], _RECORDED_LATE, turn, span)


def _kinds() -> dict[str, _Kind]:
    """Return the kinds by their names in names of resources."""
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
            (resources.instance("", SMALL), resources.instance("", LARGE)),
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
        # The files make no label of an attribute of accounts.
        "store": _Kind(
            "ceph_account", "name", ({}, {}), {"radosgw.objects.size": _same(samples.traffic(6))}
        ),
    }


def _same(formula: samples.Formula) -> tuple[samples.Formula, samples.Formula]:
    return formula, formula


def _constants(first: int, second: int) -> tuple[samples.Formula, samples.Formula]:
    return samples.constant(first), samples.constant(second)


def _resource(
    name: str, kind: _Kind, history: _History, turn: datetime.datetime, span: Span
) -> Resource:
    phases = [(max(span.begin, turn + since), variant) for since, variant in history.phases]
    first = phases[0][0]
    if history.first_measure is not None:
        first = max(span.begin, turn + history.first_measure)
    end = None if history.end is None else turn + history.end
    revisions = _revisions(name, kind, phases, end)
    measured_span = Span(span.origin, _tick(span.origin, first), end or span.end)
    metrics = {
        metric: measured_span.measure(_formula(span.origin, phases, formulas))
        for metric, formulas in kind.formulas.items()
    }
    return resources.assemble(name, kind.type, PROJECT, revisions, metrics, kind.archive_policy)


def _revisions(
    name: str,
    kind: _Kind,
    phases: list[tuple[datetime.datetime, int]],
    end: datetime.datetime | None,
) -> tuple[Revision, ...]:
    starts = [since for since, _ in phases]
    revisions = []
    for number, ((since, variant), until) in enumerate(
        zip(phases, [*starts[1:], end], strict=True)
    ):
        label = f"{name} {number}" if number else name
        revisions.append(Revision(since, until, {**kind.attributes[variant], kind.name: label}))
    if end is not None:
        revisions.append(Revision(end, None, revisions[-1].attributes, ended_at=end))
    return tuple(revisions)


def _formula(
    origin: datetime.datetime,
    phases: list[tuple[datetime.datetime, int]],
    formulas: tuple[samples.Formula, samples.Formula],
) -> samples.Formula:
    """Return each variant's formula for the samples of its phases."""
    formula = formulas[phases[0][1]]
    for since, variant in phases[1:]:
        sample = (_tick(origin, since) - origin) // STEP
        formula = samples.switch(formula, formulas[variant], sample)
    return formula


def _tick(origin: datetime.datetime, instant: datetime.datetime) -> datetime.datetime:
    """Return the time of the first sample at or after ``instant``."""
    return origin - (origin - instant) // STEP * STEP

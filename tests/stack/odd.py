"""Resources under other archive policies than the rest, in a project that nobody rates.

They have types and metrics of their own, so that nothing else sees them:

=============  ======================  ====================================================
metric         type                    archive policies
=============  ======================  ====================================================
share.size     share                   three resources under the usual one; one under
                                       ``hourly``, which lacks 300 s, and one that was there
                                       for the plan's first hour only; one under ``extremes``,
                                       which lacks the mean
port.drops     port                    two under the usual one, whose largest granularity is
                                       an hour; two under ``fine``, which has 300 s only; one
                                       under ``sevens``, 420 s, which divides no hour
snapshot.size  snapshot                one under ``brief``, which keeps three hours of 300 s;
                                       one under the usual one
archive.size   archive                 one under ``brief``, measured for the plan's first two
                                       hours only, which are kept therefore
backup.size    backup                  two under ``hourly``: the policy in general lacks 300 s
=============  ======================  ====================================================
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from tests.stack import parts, samples
from tests.stack.parts import Span
from tests.stack.plan import HOUR, USUAL, Resource, Revision

PROJECT = "odd"
#: Name -> (granularities in seconds, each with its points, or None for as long as the plan's
#: own), aggregation methods.
POLICIES: dict[str, tuple[dict[int, int | None], tuple[str, ...]]] = {
    "hourly": ({3600: None}, ("mean", "max")),
    "extremes": ({300: None, 3600: None}, ("max", "min")),
    "fine": ({300: None}, ("mean", "max")),
    "sevens": ({420: None}, ("mean", "max")),
    "brief": ({300: 36}, ("mean", "max")),
}
TYPES = {kind: ("display_name",) for kind in ("share", "port", "snapshot", "archive", "backup")}
UNITS = {
    "share.size": "GB", "port.drops": "packet", "snapshot.size": "GB",
    "archive.size": "GB", "backup.size": "GB",
}  # fmt: skip

#: Name -> (metric, archive policy).
_PLANTED = {
    "share-1": ("share.size", USUAL),
    "share-2": ("share.size", USUAL),
    "share-3": ("share.size", USUAL),
    "share-hourly": ("share.size", "hourly"),
    "share-extremes": ("share.size", "extremes"),
    "share-gone": ("share.size", "hourly"),
    "port-1": ("port.drops", USUAL),
    "port-2": ("port.drops", USUAL),
    "port-fine-1": ("port.drops", "fine"),
    "port-fine-2": ("port.drops", "fine"),
    "port-sevens": ("port.drops", "sevens"),
    "snapshot-1": ("snapshot.size", USUAL),
    "snapshot-brief": ("snapshot.size", "brief"),
    "archive-stopped": ("archive.size", "brief"),
    "backup-1": ("backup.size", "hourly"),
    "backup-2": ("backup.size", "hourly"),
}
#: For how long these were measured.
_SHORT_LIVES = {"share-gone": HOUR, "archive-stopped": 2 * HOUR}


def odd_resources(begin: datetime.datetime, end: datetime.datetime) -> Iterator[Resource]:
    """The resources in the table above; number n measures n all the time."""
    for number, (name, (metric, policy)) in enumerate(_PLANTED.items(), start=1):
        kind, _, _ = name.partition("-")
        until = begin + _SHORT_LIVES.get(name, end - begin)
        sizes = Span(begin, begin, until).measure(samples.constant(number))
        attributes = {"display_name": name}
        life: tuple[Revision, ...] = (Revision(begin, None, attributes),)
        if name == "share-gone":
            life = (
                Revision(begin, until, attributes),
                Revision(until, None, attributes, ended_at=until),
            )
        yield parts.assemble(name, kind, PROJECT, life, {metric: sizes}, policy)

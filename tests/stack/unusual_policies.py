"""Resources with unusual archive policies, in a project that is not rated.

They have types and metrics of their own, so that no other test sees them:

=============  ======================  ====================================================
metric         type                    archive policies
=============  ======================  ====================================================
share.size     share                   three resources under the default; one under
                                       ``hourly``, which lacks 300 s, and one that existed in
                                       the plan's first hour only; one under ``extremes``,
                                       which lacks the mean
port.drops     port                    two under the default, whose largest granularity is
                                       an hour; two under ``fine``, which has 300 s only; one
                                       under ``sevens``, 420 s, which does not divide an hour
snapshot.size  snapshot                one under ``brief``, which keeps three hours of 300 s;
                                       one under the default
archive.size   archive                 one under ``brief``, measured in the plan's first two
                                       hours only, which it therefore still keeps
backup.size    backup                  two under ``hourly``: no resource has 300 s
=============  ======================  ====================================================
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from tests.stack import resources, samples
from tests.stack.plan import DEFAULT_POLICY, HOUR, Resource, Revision
from tests.stack.resources import Span

PROJECT = "policies"
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
_RESOURCES = {
    "share-1": ("share.size", DEFAULT_POLICY),
    "share-2": ("share.size", DEFAULT_POLICY),
    "share-3": ("share.size", DEFAULT_POLICY),
    "share-hourly": ("share.size", "hourly"),
    "share-extremes": ("share.size", "extremes"),
    "share-gone": ("share.size", "hourly"),
    "port-1": ("port.drops", DEFAULT_POLICY),
    "port-2": ("port.drops", DEFAULT_POLICY),
    "port-fine-1": ("port.drops", "fine"),
    "port-fine-2": ("port.drops", "fine"),
    "port-sevens": ("port.drops", "sevens"),
    "snapshot-1": ("snapshot.size", DEFAULT_POLICY),
    "snapshot-brief": ("snapshot.size", "brief"),
    "archive-stopped": ("archive.size", "brief"),
    "backup-1": ("backup.size", "hourly"),
    "backup-2": ("backup.size", "hourly"),
}
#: How long these are measured.
_DURATIONS = {"share-gone": HOUR, "archive-stopped": 2 * HOUR}


def resources_with_unusual_policies(
    begin: datetime.datetime, end: datetime.datetime
) -> Iterator[Resource]:
    """Yield the resources of the table above; resource number n always measures n."""
    for number, (name, (metric, policy)) in enumerate(_RESOURCES.items(), start=1):
        kind, _, _ = name.partition("-")
        until = begin + _DURATIONS.get(name, end - begin)
        sizes = Span(begin, begin, until).measure(samples.constant(number))
        attributes = {"display_name": name}
        revisions: tuple[Revision, ...] = (Revision(begin, None, attributes),)
        if name == "share-gone":
            revisions = (
                Revision(begin, until, attributes),
                Revision(until, None, attributes, ended_at=until),
            )
        yield resources.assemble(name, kind, PROJECT, revisions, {metric: sizes}, policy)

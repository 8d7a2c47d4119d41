"""From what an inspection found to what an operator is told."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Sequence

from ratekit import errors
from ratekit.collectors.gnocchi.inspection import Inspection, PolicyUse
from ratekit.domain.findings import Finding, Verdict


def findings(
    inspection: Inspection, labels: Collection[str], required: Collection[str], prorate: bool
) -> Iterator[Finding]:
    """Yield one finding a check; where there is no such resource type, that is all there is.

    :param labels: attributes that become labels
    :param required: those of them without which nothing can be rated
    :param prorate: the metric's quantities depend on when resources started
    :raises ratekit.errors.TryLater: Gnocchi did not answer
    :raises ratekit.errors.OperatorError: it refused
    """
    kind = inspection.wanted.resource_type
    lacking = inspection.lacking(labels)
    if lacking is None:
        yield Finding(
            "resource type", Verdict.WARNING, f"Gnocchi has no resource type {kind!r}",
            "correct resource_type, or take the metric out if this cloud has no such service",
        )  # fmt: skip
        return
    yield Finding("resource type", Verdict.OK, f"Gnocchi has the resource type {kind!r}")
    yield _attributes(kind, lacking, required)
    uses = inspection.policies()
    yield _metrics(inspection.wanted.metric, uses)
    yield from (_policy(use) for use in uses)
    if any(use.granularity is not None for use in uses):
        yield _newest(inspection.newest(uses), inspection.now)
    yield _backlog(inspection.backlog)
    if prorate:
        yield _starts(kind, inspection.without_start())


def _attributes(kind: str, lacking: Collection[str], required: Collection[str]) -> Finding:
    what = "attributes"
    if not lacking:
        return Finding(what, Verdict.OK, f"{kind!r} has every attribute that is a label")
    names = ", ".join(sorted(lacking))
    if set(lacking) & set(required):
        detail = f"{kind!r} has no {names}; without these it cannot be rated"
        return Finding(what, Verdict.ERROR, detail, "correct scope_key or resource_key")
    detail = f"{kind!r} has no {names}; the labels stay empty"
    remedy = "correct groupby and metadata, or add the attributes to Gnocchi's resource type"
    return Finding(what, Verdict.WARNING, detail, remedy)


def _metrics(name: str, uses: Sequence[PolicyUse]) -> Finding:
    count = sum(use.metrics for use in uses)
    if count:
        detail = f"{count:,} resources of any type have {name!r}"
        return Finding("metrics", Verdict.OK, detail)
    detail = f"no resource of any type has {name!r}"
    remedy = "correct the metric's name, or see whether Ceilometer polls it"
    return Finding("metrics", Verdict.WARNING, detail, remedy)


def _policy(use: PolicyUse) -> Finding:
    what = f"archive policy {use.policy}"
    if use.granularity is None:
        return Finding(
            what, Verdict.ERROR, f"{use.metrics:,} metrics, without {use.lacks}: not rated",
            "set force_granularity and aggregation_method to what all archive policies in use "
            "have, or have these metrics made anew under another one",
        )  # fmt: skip
    kept = "for ever" if use.kept is None else f"for {use.kept}"
    detail = f"{use.metrics:,} metrics, asked for with {use.granularity} s, kept {kept}"
    return Finding(what, Verdict.OK, detail)


def _newest(newest: datetime.datetime | None, now: datetime.datetime) -> Finding:
    what = "newest measure"
    if newest is None:
        detail = "of some of the metrics there is none of the last day"
        return Finding(what, Verdict.WARNING, detail, "see whether Ceilometer and metricd run")
    age = datetime.timedelta(seconds=(now - newest) // datetime.timedelta(seconds=1))
    return Finding(what, Verdict.OK, f"aggregated at {newest:%Y-%m-%dT%H:%M:%SZ}, {age} ago")


def _backlog(ask: Callable[[], int]) -> Finding:
    what = "backlog"
    try:
        waiting = ask()
    except errors.Denied as error:
        remedy = "allow ratekit's user 'get status' in Gnocchi's policy"
        return Finding(what, Verdict.WARNING, f"not known: {error}", remedy, shared=True)
    detail = f"{waiting:,} measures wait for metricd"
    if waiting:
        remedy = "see whether there are fewer in a minute; else metricd needs more workers"
        return Finding(what, Verdict.WARNING, detail, remedy, shared=True)
    return Finding(what, Verdict.OK, detail, shared=True)


def _starts(kind: str, without: int) -> Finding:
    what = "started_at"
    if not without:
        return Finding(what, Verdict.OK, f"every {kind!r} says when it started")
    detail = f"{without:,} resources of type {kind!r} do not say when they started"
    remedy = "their first periods cannot be prorated; set started_at in Gnocchi"
    return Finding(what, Verdict.WARNING, detail, remedy)

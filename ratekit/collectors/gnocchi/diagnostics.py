"""Looks at what Gnocchi has of a metric, before or without rating it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.completeness.routing import Wanted
from ratekit.collectors.gnocchi.resource_types import COMMON
from ratekit.domain.reporting.findings import Finding, Severity

#: Metrics of each archive policy whose newest measures are looked for.
_SAMPLE = 20
#: Measures older than this say nothing about a metric of today.
_RECENT = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class PolicyUse:
    """An archive policy that a metric uses.

    :ivar metrics: how many
    :ivar granularity: seconds, with which these are asked for; None: they cannot be
    :ivar lacks: what the policy has not, and is asked of it; empty: nothing
    :ivar kept: how long its aggregates of that granularity are kept; None: for ever, or
        there are none
    """

    policy: str
    metrics: int
    granularity: int | None
    lacks: str
    kept: datetime.timedelta | None


@dataclasses.dataclass(frozen=True, slots=True)
class Inspection:
    """Answers questions about one metric, each with requests of its own.

    :ivar now: when it is done, aware, UTC
    """

    client: Client
    wanted: Wanted
    now: datetime.datetime

    def lacking(self, names: Collection[str]) -> frozenset[str] | None:
        """Return those of ``names`` that the resource type has not; None: there is no such type."""
        own = self.client.attributes(self.wanted.resource_type)
        return None if own is None else frozenset(names) - own - COMMON

    def policies(self) -> Sequence[PolicyUse]:
        """Return the archive policies of all metrics of the name, those used most first.

        Lists every one of these metrics, in pages.
        """
        known = {policy.name: policy for policy in self.client.index.archive_policies()}
        counts: collections.Counter[str] = collections.Counter()
        for rows, _ in self.client.index.metrics(self.wanted.metric):
            counts.update(policy for _, _, policy in rows)
        return [self._use(known[name], count) for name, count in counts.most_common()]

    def newest(self, uses: Sequence[PolicyUse]) -> datetime.datetime | None:
        """Return the begin of the newest aggregate of some of the metrics.

        None: there is none of the last day.
        """
        found = [
            instant
            for use in uses
            if use.granularity is not None
            for instant in self._newest_of(use.policy, use.granularity)
        ]
        return max(found, default=None)

    def backlog(self) -> int:
        """Return how many measures metricd has not processed."""
        return self.client.index.backlog()

    def without_start(self) -> int:
        """Return how many resources of the type have no ``started_at``."""
        return self.client.index.count(self.wanted.resource_type, {"=": {"started_at": None}})

    def _use(self, policy: Policy, count: int) -> PolicyUse:
        destination = self.wanted.destination(policy)
        if isinstance(destination, str):
            return PolicyUse(policy.name, count, None, destination, None)
        kept = policy.kept[datetime.timedelta(seconds=destination)]
        return PolicyUse(policy.name, count, destination, "", kept)

    def _newest_of(self, policy: str, granularity: int) -> Iterator[datetime.datetime]:
        rows, _ = next(self.client.index.metrics(self.wanted.metric, policy, limit=_SAMPLE))
        question = AggregateQuery(
            self.wanted.metric, self.wanted.method, self.wanted.resource_type,
            self.wanted.scope_key, (), (), self.now, self.now, granularity,
        )  # fmt: skip
        ids = [id_ for id_, _, _ in rows]
        measured: Mapping[str, datetime.datetime] = {}
        if ids:
            measured = self.client.index.newest(ids, question, self.now - _RECENT)
        yield from measured.values()


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
            "resource type", Severity.WARNING, f"Gnocchi has no resource type {kind!r}",
            "correct resource_type, or take the metric out if this cloud has no such service",
        )  # fmt: skip
        return
    yield Finding("resource type", Severity.OK, f"Gnocchi has the resource type {kind!r}")
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
        return Finding(what, Severity.OK, f"{kind!r} has every attribute that is a label")
    names = ", ".join(sorted(lacking))
    if set(lacking) & set(required):
        detail = f"{kind!r} has no {names}; without these it cannot be rated"
        return Finding(what, Severity.ERROR, detail, "correct scope_key or resource_key")
    detail = f"{kind!r} has no {names}; the labels stay empty"
    remedy = "correct groupby and metadata, or add the attributes to Gnocchi's resource type"
    return Finding(what, Severity.WARNING, detail, remedy)


def _metrics(name: str, uses: Sequence[PolicyUse]) -> Finding:
    count = sum(use.metrics for use in uses)
    if count:
        detail = f"{count:,} resources of any type have {name!r}"
        return Finding("metrics", Severity.OK, detail)
    detail = f"no resource of any type has {name!r}"
    remedy = "correct the metric's name, or see whether Ceilometer polls it"
    return Finding("metrics", Severity.WARNING, detail, remedy)


def _policy(use: PolicyUse) -> Finding:
    what = f"archive policy {use.policy}"
    if use.granularity is None:
        return Finding(
            what, Severity.ERROR, f"{use.metrics:,} metrics, without {use.lacks}: not rated",
            "set force_granularity and aggregation_method to what all archive policies in use "
            "have, or have these metrics made anew under another one",
        )  # fmt: skip
    kept = "for ever" if use.kept is None else f"for {use.kept}"
    detail = f"{use.metrics:,} metrics, asked for with {use.granularity} s, kept {kept}"
    return Finding(what, Severity.OK, detail)


def _newest(newest: datetime.datetime | None, now: datetime.datetime) -> Finding:
    what = "newest measure"
    if newest is None:
        detail = "of some of the metrics there is none of the last day"
        return Finding(what, Severity.WARNING, detail, "see whether Ceilometer and metricd run")
    age = datetime.timedelta(seconds=(now - newest) // datetime.timedelta(seconds=1))
    return Finding(what, Severity.OK, f"aggregated at {newest:%Y-%m-%dT%H:%M:%SZ}, {age} ago")


def _backlog(ask: Callable[[], int]) -> Finding:
    what = "backlog"
    try:
        waiting = ask()
    except errors.AccessDenied as error:
        remedy = "allow ratekit's user 'get status' in Gnocchi's policy"
        return Finding(what, Severity.WARNING, f"not known: {error}", remedy, shared=True)
    detail = f"{waiting:,} measures wait for metricd"
    if waiting:
        remedy = "see whether there are fewer in a minute; else metricd needs more workers"
        return Finding(what, Severity.WARNING, detail, remedy, shared=True)
    return Finding(what, Severity.OK, detail, shared=True)


def _starts(kind: str, without: int) -> Finding:
    what = "started_at"
    if not without:
        return Finding(what, Severity.OK, f"every {kind!r} says when it started")
    detail = f"{without:,} resources of type {kind!r} do not say when they started"
    remedy = "their first periods cannot be prorated; set started_at in Gnocchi"
    return Finding(what, Severity.WARNING, detail, remedy)

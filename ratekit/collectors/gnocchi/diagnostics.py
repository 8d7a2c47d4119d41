"""Examines what Gnocchi has of a metric, without rating it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from ratekit import errors
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.archive_policy import Policy
from ratekit.collectors.gnocchi.api.client import Client
from ratekit.collectors.gnocchi.completeness.routing import fit_policy
from ratekit.collectors.gnocchi.resource_types import COMMON
from ratekit.collectors.gnocchi.value_findings import value_findings
from ratekit.domain.reporting.findings import Finding, Severity
from ratekit.domain.usage.counter import Counter, Reading
from ratekit.text import count_text, duration_text, utc_text

#: Metrics of each archive policy whose recent measures are read.
_SAMPLE = 20
#: Older measures are ignored.
_RECENT = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class PolicyUse:
    """An archive policy that a metric uses.

    :ivar metrics: number of metrics with this policy
    :ivar granularity: with which they are queried, in seconds; None: they cannot be
    :ivar lacks: what the policy lacks; empty: nothing
    :ivar retention: how long its aggregates of that granularity are kept; None: for ever, or
        there are none
    """

    policy: str
    metrics: int
    granularity: int | None
    lacks: str
    retention: datetime.timedelta | None


@dataclasses.dataclass(frozen=True, slots=True)
class Inspection:
    """Reads facts about one metric; each method sends requests of its own.

    :ivar query: its scopes and its time do not matter
    :ivar now: the time of the inspection, aware, UTC
    :ivar counter: how the metric's counters are read; None: it is not a counter
    """

    client: Client
    query: AggregateQuery
    now: datetime.datetime
    counter: Counter | None = None

    def absent_attributes(self, names: Collection[str]) -> frozenset[str] | None:
        """Return those of ``names`` that the resource type has not; None: no such type."""
        attributes = self.client.attributes(self.query.resource_type)
        return None if attributes is None else frozenset(names) - attributes - COMMON

    def policies(self) -> Sequence[PolicyUse]:
        """Return the archive policies of all metrics of the name, the most used first.

        Lists all of these metrics, in pages.
        """
        policies = {policy.name: policy for policy in self.client.archive_policies()}
        counts: collections.Counter[str] = collections.Counter()
        for rows, _ in self.client.metrics(self.query.metric):
            counts.update(policy for _, _, policy in rows)
        return [self._use(policies[name], count) for name, count in counts.most_common()]

    def samples(self, uses: Sequence[PolicyUse]) -> Mapping[str, Sequence[Reading]]:
        """Return the aggregates of the last day of some of the metrics, by resource's id.

        Those of a counter reach further back, by its gap.
        """
        samples: dict[str, Sequence[Reading]] = {}
        for use in uses:
            if use.granularity is not None:
                samples |= self._samples_of(use.policy, use.granularity)
        return samples

    def backlog(self) -> int:
        """Return how many measures metricd has not processed."""
        return self.client.backlog()

    def without_start(self) -> int:
        """Return how many resources of the type have no ``started_at``."""
        return self.client.count(self.query.resource_type, {"=": {"started_at": None}})

    def _use(self, policy: Policy, count: int) -> PolicyUse:
        fit = fit_policy(self.query, policy)
        if isinstance(fit, str):
            return PolicyUse(policy.name, count, None, fit, None)
        retention = policy.retention[datetime.timedelta(seconds=fit)]
        return PolicyUse(policy.name, count, fit, "", retention)

    def _samples_of(self, policy: str, granularity: int) -> dict[str, Sequence[Reading]]:
        rows, _ = next(self.client.metrics(self.query.metric, policy, limit=_SAMPLE))
        query = dataclasses.replace(self.query, granularity=granularity)
        resources = {id_: resource for id_, resource, _ in rows}
        if not resources:
            return {}
        reach = _RECENT if self.counter is None else _RECENT + self.counter.gap
        recent = self.client.recent(resources, query, self.now - reach)
        return {resources[id_]: readings for id_, readings in recent.items()}


def findings(
    inspection: Inspection, labels: Collection[str], required: Collection[str], prorate: bool
) -> Iterator[Finding]:
    """Yield one finding a check; without the resource type there is only the first.

    :param labels: attributes that become labels
    :param required: those of them that rating requires
    :param prorate: whether quantities depend on when resources started
    :raises ratekit.errors.TryLater: Gnocchi did not respond
    :raises ratekit.errors.OperatorError: Gnocchi refused
    """
    kind = inspection.query.resource_type
    absent = inspection.absent_attributes(labels)
    if absent is None:
        yield Finding(
            "resource type", Severity.WARNING, f"Gnocchi has no resource type {kind!r}",
            "correct resource_type, or remove the metric if this cloud has no such service",
        )  # fmt: skip
        return
    yield Finding("resource type", Severity.OK, f"Gnocchi has the resource type {kind!r}")
    yield _attributes(kind, absent, required)
    uses = inspection.policies()
    yield _metrics(inspection.query.metric, uses)
    yield from (_policy(use) for use in uses)
    if any(use.granularity is not None for use in uses):
        samples = inspection.samples(uses)
        yield _newest(samples, inspection.now)
        yield from value_findings(samples, inspection.counter)
    yield _backlog(inspection.backlog)
    if prorate:
        yield _starts(kind, inspection.without_start())


def _attributes(kind: str, absent: Collection[str], required: Collection[str]) -> Finding:
    check = "attributes"
    if not absent:
        return Finding(check, Severity.OK, f"{kind!r} has an attribute for every label")
    names = ", ".join(sorted(absent))
    if set(absent) & set(required):
        detail = f"{kind!r} has no {names}; the metric cannot be rated without them"
        return Finding(check, Severity.ERROR, detail, "correct scope_key or resource_key")
    detail = f"{kind!r} has no {names}; the labels stay empty"
    remedy = "correct groupby and metadata, or add the attributes to Gnocchi's resource type"
    return Finding(check, Severity.WARNING, detail, remedy)


def _metrics(name: str, uses: Sequence[PolicyUse]) -> Finding:
    count = sum(use.metrics for use in uses)
    if count:
        detail = f"{count_text(count, 'resource')} of any type with {name!r}"
        return Finding("metrics", Severity.OK, detail)
    detail = f"no resource of any type with {name!r}"
    remedy = "correct the metric's name, or check whether Ceilometer polls it"
    return Finding("metrics", Severity.WARNING, detail, remedy)


def _policy(use: PolicyUse) -> Finding:
    check = f"archive policy {use.policy}"
    metrics = count_text(use.metrics, "metric")
    if use.granularity is None:
        return Finding(
            check, Severity.ERROR, f"{metrics}; lacks {use.lacks}: not rated",
            "set force_granularity and aggregation_method to values that all archive policies in "
            "use have, or delete these metrics so that they are created again with another one",
        )  # fmt: skip
    retention = "for ever" if use.retention is None else f"for {duration_text(use.retention)}"
    detail = f"{metrics}, queried with {use.granularity} s, kept {retention}"
    return Finding(check, Severity.OK, detail)


def _newest(samples: Mapping[str, Sequence[Reading]], now: datetime.datetime) -> Finding:
    check = "newest measure"
    newest = max((readings[-1][0] for readings in samples.values()), default=None)
    if newest is None or newest < now - _RECENT:
        detail = "a sample of the metrics has no measure of the last day"
        return Finding(check, Severity.WARNING, detail, "check that Ceilometer and metricd run")
    age = datetime.timedelta(seconds=(now - newest) // datetime.timedelta(seconds=1))
    return Finding(
        check, Severity.OK, f"aggregated at {utc_text(newest)}, {duration_text(age)} ago"
    )


def _backlog(read: Callable[[], int]) -> Finding:
    check = "backlog"
    try:
        backlog = read()
    except errors.AccessDenied as error:
        remedy = "allow ratekit's user 'get status' in Gnocchi's policy"
        return Finding(check, Severity.WARNING, f"unknown: {error}", remedy, shared=True)
    detail = f"metricd has {count_text(backlog, 'measure')} to process"
    if backlog:
        remedy = (
            "check the number again in a minute; if it is not lower, metricd needs more workers"
        )
        return Finding(check, Severity.WARNING, detail, remedy, shared=True)
    return Finding(check, Severity.OK, detail, shared=True)


def _starts(kind: str, count: int) -> Finding:
    check = "started_at"
    if not count:
        return Finding(check, Severity.OK, f"every {kind!r} has a started_at")
    detail = f"{count_text(count, 'resource')} of type {kind!r} without started_at"
    remedy = "their first periods cannot be prorated; set started_at in Gnocchi"
    return Finding(check, Severity.WARNING, detail, remedy)

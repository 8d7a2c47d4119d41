"""Looks at what Gnocchi has of a metric, before or without rating it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence

from ratekit.collectors.gnocchi.attributes import COMMON
from ratekit.collectors.gnocchi.census import Wanted
from ratekit.collectors.gnocchi.client import Client
from ratekit.collectors.gnocchi.policies import Policy
from ratekit.collectors.gnocchi.question import Question

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
        question = Question(
            self.wanted.metric, self.wanted.method, self.wanted.resource_type,
            self.wanted.scope_key, (), (), self.now, self.now, granularity,
        )  # fmt: skip
        ids = [id_ for id_, _, _ in rows]
        measured: Mapping[str, datetime.datetime] = {}
        if ids:
            measured = self.client.index.newest(ids, question, self.now - _RECENT)
        yield from measured.values()

"""Usage that Gnocchi has forgotten is not zero usage."""

from __future__ import annotations

import datetime
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ratekit import errors
from ratekit.collectors.gnocchi import ttl_cache
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.index import Index, LiveResource
from ratekit.collectors.gnocchi.completeness.exclusions import Policies
from ratekit.domain.period import Window

LOG = logging.getLogger(__name__)

#: Metrics whose archive policies are asked for together.
_MANY = 200
#: Metrics whose measures are asked for together, first a few: where one has lost something,
#: most have, and their measures are many; those of others are none.
_FEW = (1, 20, _MANY)
#: Nothing has been measured after this long from now.
_NEVER = datetime.timedelta(days=3650)


class _Loss(NamedTuple):
    """A metric that lost aggregates of the window."""

    resource: str
    policy: str
    kept: datetime.timedelta
    since: datetime.datetime


class Retention:
    """Holds what can no longer be rated in full.

    Gnocchi counts the aggregates that it keeps back from a metric's newest one, so one that
    is measured no more loses nothing more. What has been lost is therefore looked for in
    three steps, each of which costs requests only where the one before leaves a doubt: does
    any archive policy keep too little, counted from now; does the metric use that policy; is
    there a resource that was there at the time and has a newest aggregate so late that the
    older ones are gone.

    :param patience: how long before its first revision a resource may have been measured
    :param allowed: rate what is there, and only warn
    """

    def __init__(
        self,
        index: Index,
        policies: Policies,
        patience: datetime.timedelta,
        clock: ttl_cache.Clock,
        allowed: bool,
    ) -> None:
        self._index = index
        self._policies = policies
        self._patience = patience
        self._clock = clock
        self._allowed = allowed
        self._used: dict[tuple[str, str], ttl_cache.TtlCache[bool]] = {}
        self._told: set[str] = set()

    def require(self, name: str, question: AggregateQuery, window: Window) -> None:
        """Refuse a question about a time of which Gnocchi has forgotten something.

        :param name: the metric's public name
        :param window: that is rated
        :raises ratekit.errors.Expired: something is gone
        :raises ratekit.errors.TryLater: Gnocchi did not answer
        """
        kept = self._too_short(question)
        if not kept:
            return
        loss = self._loss(question, window, kept)
        if loss is None:
            return
        text = _explained(name, question, loss)
        if not self._allowed:
            raise errors.Expired(
                text,
                "rate what is there with ratekit-processor --once --allow-expired, or start later "
                "with ratekit scope reset or activate; an archive policy that keeps more helps "
                "from then on",
            )
        if name not in self._told:
            self._told.add(name)
            LOG.warning("%s; what is there is rated, as --allow-expired says", text)

    def _too_short(self, question: AggregateQuery) -> Mapping[str, datetime.timedelta]:
        """How long the metric's policies keep that from now do not reach back so far."""
        granularity, age = _seconds(question.granularity), self._clock() - question.start
        found = {}
        for policy in self._policies.get().values():
            kept = policy.kept.get(granularity)
            if (
                kept is not None
                and question.aggregation_method in policy.methods
                and age >= kept - granularity
                and self._in_use(question.metric, policy.name)
            ):
                found[policy.name] = kept
        return found

    def _in_use(self, metric: str, policy: str) -> bool:
        def ask() -> bool:
            rows, _ = next(self._index.metrics(metric, policy, limit=1))
            return bool(rows)

        known = self._used.setdefault((metric, policy), ttl_cache.TtlCache(ask, self._clock))
        return known.get()

    def _loss(
        self, question: AggregateQuery, window: Window, kept: Mapping[str, datetime.timedelta]
    ) -> _Loss | None:
        """Return one metric that has lost something, if there is one."""
        granularity, now = _seconds(question.granularity), self._clock()
        horizon = now - min(kept.values()) + granularity
        until = min(window.end, horizon) + self._patience
        for some in _batches(self._index.living(question, until), (_MANY,)):
            of: dict[str, LiveResource] = {}
            for one in some:
                # Of each, the revision that is there first.
                if one.metric not in of or one.since < of[one.metric].since:
                    of[one.metric] = one
            policies = self._index.policies_of(of, question, now + _NEVER)
            doubtful = [of[id_] for id_, policy in policies.items() if policy in kept]
            for few in _batches(doubtful, _FEW):
                firsts = {
                    one.metric: max(question.start, one.since - self._patience)
                    + kept[policies[one.metric]]
                    - granularity
                    for one in few
                }
                newest = self._index.newest(firsts, question, min(firsts.values()))
                for id_, instant in newest.items():
                    if instant >= firsts[id_]:
                        policy = policies[id_]
                        since = instant - kept[policy] + granularity
                        return _Loss(of[id_].resource, policy, kept[policy], since)
        return None


def _explained(name: str, question: AggregateQuery, loss: _Loss) -> str:
    return (
        f"{name}: archive policy {loss.policy!r} keeps {question.granularity} s aggregates of "
        f"{question.metric!r} for {loss.kept} only, of resource {loss.resource} back to "
        f"{loss.since:%Y-%m-%dT%H:%MZ}, and what was used from "
        f"{question.start:%Y-%m-%dT%H:%MZ} on is to be rated"
    )


def _batches(items: Iterable[LiveResource], sizes: Sequence[int]) -> Iterator[list[LiveResource]]:
    """Yield batches of these sizes, the last one again and again."""
    source = iter(items)
    for size in itertools.chain(sizes, itertools.repeat(sizes[-1])):
        batch = list(itertools.islice(source, size))
        if not batch:
            return
        yield batch


def _seconds(granularity: int) -> datetime.timedelta:
    return datetime.timedelta(seconds=granularity)

"""Refuses to rate usage that Gnocchi has expired: it is not zero usage."""

from __future__ import annotations

import datetime
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ratekit import errors
from ratekit.collectors.gnocchi import ttl_cache
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.client import Client, LiveResource
from ratekit.collectors.gnocchi.completeness.policies import Policies
from ratekit.domain.period import Window
from ratekit.text import duration_text, minute_text

LOG = logging.getLogger(__name__)

#: Metrics whose archive policies are read together.
_BATCH = 200
#: Metrics whose measures are read together, first a few: if one has expired aggregates, most
#: have, and their measures are many; those of the others are none.
_BATCH_SIZES = (1, 20, _BATCH)
#: There are no measures so far in the future.
_FUTURE = datetime.timedelta(days=3650)


class _Loss(NamedTuple):
    """A metric some of whose aggregates of the window have expired.

    :ivar retention: how long its archive policy keeps them
    :ivar since: start of the oldest aggregate that is left
    """

    resource: str
    policy: str
    retention: datetime.timedelta
    since: datetime.datetime


class Retention:
    """Refuses windows whose usage Gnocchi has partly expired.

    Gnocchi counts the retention of aggregates back from a metric's newest one, so a metric
    without new measures loses nothing more. Three checks find expired aggregates, and each
    sends requests only if the one before leaves a doubt: does any archive policy keep too
    little, counted from now; does the metric use that policy; is there a resource that existed
    at the time and whose newest aggregate is so late that the older ones have expired.

    :param patience: how long before its first revision a resource may have measures
    :param allow_expired: rate what is left, and only warn
    """

    def __init__(
        self,
        client: Client,
        policies: Policies,
        patience: datetime.timedelta,
        clock: ttl_cache.Clock,
        allow_expired: bool,
    ) -> None:
        self._client = client
        self._policies = policies
        self._patience = patience
        self._clock = clock
        self._allow_expired = allow_expired
        self._policy_uses = ttl_cache.TtlCache(self._has_metric, clock)
        self._warned_names: set[str] = set()

    def require(self, name: str, query: AggregateQuery, window: Window) -> None:
        """Raise if aggregates that ``query`` reads have expired.

        :param name: the metric's public name
        :param query: of one granularity
        :param window: the window to rate
        :raises ratekit.errors.Expired: some have
        :raises ratekit.errors.TryLater: Gnocchi did not respond
        """
        retentions = self._short_retentions(query)
        if not retentions:
            return
        loss = self._find_loss(query, window, retentions)
        if loss is None:
            return
        text = _loss_text(name, query, loss)
        if not self._allow_expired:
            raise errors.Expired(
                text,
                "rate what is left with ratekit-processor --once --allow-expired, or skip it with "
                "ratekit scope deactivate, then ratekit scope activate --from TIME; an archive "
                "policy that keeps aggregates longer helps from then on",
            )
        if name not in self._warned_names:
            self._warned_names.add(name)
            LOG.warning("%s; rating what is left because of --allow-expired", text)

    def _short_retentions(self, query: AggregateQuery) -> Mapping[str, datetime.timedelta]:
        """Return, by archive policy of the metric, retentions that may be too short."""
        granularity, age = _seconds(query.granularity), self._clock() - query.start
        retentions = {}
        for policy in self._policies.by_name().values():
            retention = policy.retention.get(granularity)
            if (
                retention is not None
                and query.aggregation_method in policy.methods
                and age >= retention - granularity
                and self._policy_uses.get((query.metric, policy.name))
            ):
                retentions[policy.name] = retention
        return retentions

    def _has_metric(self, use: tuple[str, str]) -> bool:
        rows, _ = next(self._client.metrics(*use, limit=1))
        return bool(rows)

    def _find_loss(
        self, query: AggregateQuery, window: Window, retentions: Mapping[str, datetime.timedelta]
    ) -> _Loss | None:
        """Return one metric with expired aggregates, if there is one.

        :param retentions: by archive policy; metrics with another policy are not examined
        """
        granularity, now = _seconds(query.granularity), self._clock()
        horizon = now - min(retentions.values()) + granularity
        until = min(window.end, horizon) + self._patience
        for resources in _batches(self._client.live_resources(query, until), (_BATCH,)):
            first_of: dict[str, LiveResource] = {}
            for resource in resources:
                # Of each metric, the earliest revision.
                first = first_of.get(resource.metric)
                if first is None or resource.since < first.since:
                    first_of[resource.metric] = resource
            policies = self._client.policies_of(first_of, query, now + _FUTURE)
            suspects = [first_of[id_] for id_, policy in policies.items() if policy in retentions]
            for batch in _batches(suspects, _BATCH_SIZES):
                limits = {
                    resource.metric: max(query.start, resource.since - self._patience)
                    + retentions[policies[resource.metric]]
                    - granularity
                    for resource in batch
                }
                newest = self._client.newest(limits, query, min(limits.values()))
                for id_, instant in newest.items():
                    if instant >= limits[id_]:
                        policy = policies[id_]
                        since = instant - retentions[policy] + granularity
                        return _Loss(first_of[id_].resource, policy, retentions[policy], since)
        return None


def _loss_text(name: str, query: AggregateQuery, loss: _Loss) -> str:
    return (
        f"{name}: usage that is to be rated has expired in Gnocchi: archive policy "
        f"{loss.policy!r} keeps {query.granularity} s aggregates of {query.metric!r} for "
        f"{duration_text(loss.retention)}; those of resource {loss.resource} start at "
        f"{minute_text(loss.since)}, and the usage to rate at {minute_text(query.start)}"
    )


def _batches(
    resources: Iterable[LiveResource], sizes: Sequence[int]
) -> Iterator[list[LiveResource]]:
    """Yield batches of these sizes; the last size is repeated."""
    source = iter(resources)
    for size in itertools.chain(sizes, itertools.repeat(sizes[-1])):
        batch = list(itertools.islice(source, size))
        if not batch:
            return
        yield batch


def _seconds(granularity: int) -> datetime.timedelta:
    return datetime.timedelta(seconds=granularity)

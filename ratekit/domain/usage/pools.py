"""Revisions with equal labels form one pool: its buckets, and its share of a period."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.domain.usage.lifetime import Life
from ratekit.domain.usage.revision import Bucket, Instant, Labels, Revision, View

_MICROSECOND = datetime.timedelta(microseconds=1)


@dataclasses.dataclass(slots=True)
class Pool:
    """Buckets of one period under one set of labels.

    :ivar values: values of whole buckets, whichever revisions share them
    :ivar covers: share of each bucket that the pool covers; where values are not additive,
        the share of the revision that covers most
    """

    values: dict[Instant, Decimal] = dataclasses.field(default_factory=dict)
    covers: dict[Instant, Fraction] = dataclasses.field(default_factory=dict)

    def add_part(self, bucket: Bucket) -> None:
        """Add one revision's part of a bucket whose value is a sum of parts."""
        begin, whole, cover = bucket
        self.values.setdefault(begin, whole)
        self.covers[begin] = self.covers.get(begin, 0) + cover

    def add_view(self, bucket: Bucket) -> None:
        """Add one revision's view of a bucket.

        Revisions that share a bucket show one value, so it counts once: the view of the
        revision that covers most.
        """
        begin, whole, cover = bucket
        widest = self.covers.get(begin)
        if widest is None or cover > widest:
            self.values[begin] = whole
            self.covers[begin] = cover

    def buckets(self) -> list[tuple[Instant, Decimal]]:
        """Return the values in order of time."""
        return sorted(self.values.items())

    def sum_parts(self, values: Sequence[Decimal | Fraction]) -> Fraction:
        """Return the sum of the pool's parts of whole buckets.

        :param values: what each of :meth:`buckets` counts for
        """
        covers = [self.covers[begin] for begin, _ in self.buckets()]
        parts = (Fraction(value) * cover for value, cover in zip(values, covers, strict=True))
        return sum(parts, Fraction(0))


@dataclasses.dataclass(frozen=True, slots=True)
class Pools:
    """One resource's pools of one period, by labels, in order of their first revisions."""

    by_labels: dict[Labels, Pool]
    #: The labels under which each view is charged.
    labels_of: Callable[[View], Labels]


def build_pools(views: Sequence[View], additive: bool, split: bool) -> Pools:
    """Return one period's pools.

    :param views: one resource's, by start of the revision
    :param split: False: one pool for each scope, under the scope's last labels
    """
    last_of_scope: dict[str | None, Labels] = {
        view.revision.scope: view.revision.labels for view in views
    }

    def labels_of(view: View) -> Labels:
        revision = view.revision
        return revision.labels if split else last_of_scope[revision.scope]

    pools: dict[Labels, Pool] = {}
    for view in views:
        labels = labels_of(view)
        pool = pools.get(labels)
        if pool is None:
            pool = pools[labels] = Pool()
        add = pool.add_part if additive else pool.add_view
        for bucket in view.buckets:
            add(bucket)
    return Pools(pools, labels_of)


def period_shares(
    period: Instant,
    step: datetime.timedelta,
    granularity: datetime.timedelta,
    views: Sequence[View],
    pools: Pools,
) -> dict[Labels, Fraction]:
    """Return the share of the period for which each pool's revisions were in force.

    A revision is in force until the next one that has a bucket in the period starts, the
    last one until the period ends. Revisions without a bucket are ignored: whether the back
    end returns them depends on how far the request reaches. A resource that was measured
    before its record was made had its first labels from the first bucket.
    """
    first, *successors = views
    starts = [_in_force_from(first, granularity), *(view.revision.start for view in successors)]
    end = period + step
    # Growth that a counter shows after the resource's end may be under records made later.
    turns = [*(min(max(start, period), end) for start in starts), end]
    times = _times(views, turns, pools)
    total = sum(times.values())
    if not total:
        return {labels: Fraction(labels == pools.labels_of(first)) for labels in times}
    return {labels: Fraction(time, total) for labels, time in times.items()}


def life_shares(
    life: Life, step: datetime.timedelta, views: Sequence[View], pools: Pools
) -> dict[Labels, Fraction]:
    """Return the same within a resource's life; the shares add up to life / ``step``.

    The first revision is in force from the start of the life, the last one until its end. A
    pool that was at no time in force has no share.
    """
    inner = [min(max(view.revision.start, life.begin), life.end) for view in views[1:]]
    times = _times(views, [life.begin, *inner, life.end], pools)
    whole = step // _MICROSECOND
    return {labels: Fraction(time, whole) for labels, time in times.items() if time}


def _in_force_from(view: View, granularity: datetime.timedelta) -> Instant:
    revision: Revision = view.revision
    begin = view.buckets[0][0]
    is_measured_before = revision.reaches_back and begin + granularity <= revision.start
    return begin if is_measured_before else revision.start


def _times(views: Sequence[View], turns: Sequence[Instant], pools: Pools) -> dict[Labels, int]:
    """Return microseconds by labels; ``turns`` has one instant more than there are views."""
    times: dict[Labels, int] = {}
    for view, start, end in zip(views, turns[:-1], turns[1:], strict=True):
        labels = pools.labels_of(view)
        times[labels] = times.get(labels, 0) + (end - start) // _MICROSECOND
    return times

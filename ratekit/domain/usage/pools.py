"""Revisions with equal labels form one pool: its buckets, and its share of a period."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.domain.usage.lifetime import Life
from ratekit.domain.usage.metric import WHOLE
from ratekit.domain.usage.revision import Bucket, Instant, Labels, View

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

    def values_by_time(self) -> list[Decimal]:
        """Return the values in order of time."""
        values = self.values
        if len(values) == 1:
            return list(values.values())
        return [values[begin] for begin in sorted(values)]

    def sum_parts(self, convert: Callable[[Decimal], Fraction]) -> Fraction:
        """Return the sum of the pool's parts of whole buckets.

        :param convert: value of a whole bucket -> what it counts for
        """
        parts = (convert(self.values[begin]) * cover for begin, cover in self.covers.items())
        return sum(parts, Fraction(0))

    def is_whole(self) -> bool:
        """Return whether no other pool has a part of these buckets."""
        return all(cover is WHOLE or cover == WHOLE for cover in self.covers.values())


Pools = dict[Labels, Pool]


def build_pools(views: Sequence[View], additive: bool, split: bool) -> Pools:
    """Return one period's pools by labels.

    :param views: one resource's, by start of the revision
    :param split: False: one pool, under the labels of the last revision
    """
    pools: Pools = {}
    last = views[-1].revision.labels
    for view in views:
        labels = view.revision.labels if split else last
        pool = pools.get(labels)
        if pool is None:
            pool = pools[labels] = Pool()
        add = pool.add_part if additive else pool.add_view
        for bucket in view.buckets:
            add(bucket)
    return pools


def period_shares(
    period: Instant, step: datetime.timedelta, views: Sequence[View]
) -> dict[Labels, Fraction]:
    """Return the share of the period for which each pool's revisions were in force.

    A revision is in force until the next one that has a bucket in the period starts, the
    last one until the period ends. Revisions without a bucket are ignored: whether the back
    end returns them depends on how far the request reaches.
    """
    starts = [max(view.revision.start, period) for view in views]
    times = _times(views, [*starts, period + step])
    total = sum(times.values())
    return {labels: Fraction(time, total) for labels, time in times.items()}


def life_shares(
    life: Life, step: datetime.timedelta, views: Sequence[View]
) -> dict[Labels, Fraction]:
    """Return the same within a resource's life; the shares add up to life / ``step``.

    The first revision is in force from the start of the life, the last one until its end. A
    pool that was at no time in force has no share.
    """
    inner = [min(max(view.revision.start, life.begin), life.end) for view in views[1:]]
    times = _times(views, [life.begin, *inner, life.end])
    whole = step // _MICROSECOND
    return {labels: Fraction(time, whole) for labels, time in times.items() if time}


def _times(views: Sequence[View], turns: Sequence[Instant]) -> dict[Labels, int]:
    """Return microseconds by labels; ``turns`` has one instant more than there are views."""
    times: dict[Labels, int] = {}
    for view, start, end in zip(views, turns[:-1], turns[1:], strict=True):
        labels = view.revision.labels
        times[labels] = times.get(labels, 0) + (end - start) // _MICROSECOND
    return times

"""Revisions with equal labels are one pool: its buckets, and its share of a period."""

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

    :ivar values: of whole buckets, whoever shares them
    :ivar covers: share of each bucket that the pool covers; of the revision that covers most
        where values are not additive
    """

    values: dict[Instant, Decimal] = dataclasses.field(default_factory=dict)
    covers: dict[Instant, Fraction] = dataclasses.field(default_factory=dict)

    def add(self, bucket: Bucket) -> None:
        """Take one revision's part of a bucket that is a whole made of parts."""
        begin, whole, cover = bucket
        self.values.setdefault(begin, whole)
        self.covers[begin] = self.covers.get(begin, 0) + cover

    def see(self, bucket: Bucket) -> None:
        """Take one revision's view of a bucket.

        Revisions that share a bucket see one value, so it counts once: the view of the one
        that covers most.
        """
        begin, whole, cover = bucket
        known = self.covers.get(begin)
        if known is None or cover > known:
            self.values[begin] = whole
            self.covers[begin] = cover

    def ordered(self) -> list[Decimal]:
        """Values in order of time."""
        values = self.values
        if len(values) == 1:
            return list(values.values())
        return [values[begin] for begin in sorted(values)]

    def covered(self, exactly: Callable[[Decimal], Fraction]) -> Fraction:
        """What the pool has of wholes that are made of parts.

        :param exactly: what a whole bucket's value counts for
        """
        parts = (exactly(self.values[begin]) * cover for begin, cover in self.covers.items())
        return sum(parts, Fraction(0))

    def is_whole(self) -> bool:
        """Nobody else has a part of its buckets."""
        return all(cover is WHOLE or cover == WHOLE for cover in self.covers.values())


Pools = dict[Labels, Pool]


def pooled(views: Sequence[View], additive: bool, split: bool) -> Pools:
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
        take = pool.add if additive else pool.see
        for bucket in view.buckets:
            take(bucket)
    return pools


def shares(
    period: Instant, step: datetime.timedelta, views: Sequence[View]
) -> dict[Labels, Fraction]:
    """Share of the period by the time that each pool's revisions were in force in it.

    A revision is in force until the next one that has a bucket in the period starts, the
    last one up to the period's end. Revisions without a bucket say nothing: whether the back
    end returns them depends on how far the request reaches.
    """
    starts = [max(view.revision.start, period) for view in views]
    times = _times(views, [*starts, period + step])
    total = sum(times.values())
    return {labels: Fraction(time, total) for labels, time in times.items()}


def lived_shares(
    life: Life, step: datetime.timedelta, views: Sequence[View]
) -> dict[Labels, Fraction]:
    """The same, of a resource's life in the period: all shares make the life's length.

    Its first revision is in force from the begin of its life, its last one to the end. A pool
    that was in force at no time of it has no share.
    """
    inner = [min(max(view.revision.start, life.begin), life.end) for view in views[1:]]
    times = _times(views, [life.begin, *inner, life.end])
    whole = step // _MICROSECOND
    return {labels: Fraction(time, whole) for labels, time in times.items() if time}


def _times(views: Sequence[View], turns: Sequence[Instant]) -> dict[Labels, int]:
    """Microseconds by labels; ``turns`` has one instant more than there are views."""
    times: dict[Labels, int] = {}
    for view, start, end in zip(views, turns[:-1], turns[1:], strict=True):
        labels = view.revision.labels
        times[labels] = times.get(labels, 0) + (end - start) // _MICROSECOND
    return times

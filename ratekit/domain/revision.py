"""From the buckets of a resource's revisions to what it used (design, section 5).

A metering back end keeps a history of each resource: revisions, each with its own
attributes, and aggregates in buckets of one granularity. Asked with history, Gnocchi
multiplies a bucket's value by the share of the bucket that the revision covers.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from ratekit.domain.exact import EXACT
from ratekit.domain.metric import WHOLE
from ratekit.domain.reducers import Reducer

#: Fifteen significant digits remove what a multiplication in binary did (first rounding point).
_UNCOVERED = decimal.Context(prec=15, rounding=decimal.ROUND_HALF_EVEN)
_MICROSECOND = datetime.timedelta(microseconds=1)

Instant = datetime.datetime
Labels = tuple[str | None, ...]


class Revision(NamedTuple):
    """One stretch of a resource's life with unchanging attributes.

    :ivar labels: the configured labels' values
    :ivar start: first instant, UTC
    :ivar end: first instant after it, UTC, or None for the current one
    :ivar reaches_back: it is the resource's first, so older measures are its too: they may
        be older than the resource's record
    :ivar buckets: (begin, value) as the back end scaled it, in order of time
    :ivar stretched: it does not reach back, but the back end scaled its buckets as if it did
    """

    labels: Labels
    start: Instant
    end: Instant | None
    reaches_back: bool
    buckets: Sequence[tuple[Instant, Decimal]]
    stretched: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Reduction:
    """The arithmetic of one metric over one window.

    :ivar period_of: begin of each bucket inside the window -> begin of its period
    :ivar step: length of a period
    :ivar granularity: length of a bucket; divides ``step``
    :ivar patience: a revision counts for a period when it started less than this after
        the period's end (the window's edge)
    :ivar reducer: how a pool's buckets become one value
    :ivar quantity: (total, parts, share) -> rounded quantity; the value is total / parts
    :ivar split: False pools all revisions under the labels of the last one with a bucket
    """

    period_of: Mapping[Instant, Instant]
    step: datetime.timedelta
    granularity: datetime.timedelta
    patience: datetime.timedelta
    reducer: Reducer
    quantity: Callable[[Decimal, int, Fraction], Decimal]
    split: bool = True


@dataclasses.dataclass(slots=True)
class _Pool:
    """Buckets of one period under one set of labels.

    :ivar values: of whole buckets, whoever shares them
    :ivar covers: share of each bucket that the pool covers; of the revision that covers most
        where values are not additive
    """

    values: dict[Instant, Decimal] = dataclasses.field(default_factory=dict)
    covers: dict[Instant, Fraction] = dataclasses.field(default_factory=dict)

    def add(self, begin: Instant, whole: Decimal, cover: Fraction) -> None:
        """Take one revision's part of a bucket that is a whole made of parts."""
        self.values.setdefault(begin, whole)
        self.covers[begin] = self.covers.get(begin, 0) + cover

    def see(self, begin: Instant, whole: Decimal, cover: Fraction) -> None:
        """Take one revision's view of a bucket.

        Revisions that share a bucket see one value, so it counts once: the view of the one
        that covers most.
        """
        known = self.covers.get(begin)
        if known is None or cover > known:
            self.values[begin] = whole
            self.covers[begin] = cover


Pools = dict[Labels, _Pool]


def usages(
    revisions: Sequence[Revision], how: Reduction
) -> Iterable[tuple[Labels, Instant, Decimal]]:
    """Yield (labels, period's begin, quantity) of one scope's one resource over a window.

    Nothing for a period without buckets; quantities have 18 places.

    :param revisions: those the back end returned, by start
    """
    if len(revisions) == 1 and revisions[0].reaches_back and revisions[0].end is None:
        yield from _usages_of_one(revisions[0], how)
        return
    for period, pools in _pooled(revisions, how).items():
        if len(pools) == 1:
            ((labels, pool),) = pools.items()
            yield labels, period, _quantity(pool, WHOLE, how)
        elif how.reducer.additive:
            yield from _parts_of_one(period, pools, revisions, how)
        else:
            shares = _shares(period, pools, revisions, how)
            for labels, pool in pools.items():
                yield labels, period, _quantity(pool, shares[labels], how)


def _usages_of_one(revision: Revision, how: Reduction) -> Iterable[tuple[Labels, Instant, Decimal]]:
    """The same for a resource that has not changed, as nearly all have not.

    Its one revision covers every bucket whole and shares with nobody.
    """
    earliest = revision.start - how.step - how.patience
    period_of, labels, quantity = how.period_of, revision.labels, how.quantity
    values: dict[Instant, list[Decimal]] = {}
    for begin, value in revision.buckets:
        period = period_of.get(begin)
        if period is None or period <= earliest:
            continue
        if period in values:
            values[period].append(value)
        else:
            values[period] = [value]
    for period, ordered in values.items():
        total, parts = how.reducer.reduce(ordered)
        yield labels, period, quantity(total, parts, WHOLE)


def _pooled(revisions: Sequence[Revision], how: Reduction) -> dict[Instant, Pools]:
    """Buckets by period and labels; where revisions are not told apart, the last one's."""
    pooled: dict[Instant, Pools] = {}
    period_of, granularity = how.period_of, how.granularity
    for revision in revisions:
        earliest = revision.start - how.step - how.patience
        for begin, value in revision.buckets:
            period = period_of.get(begin)
            if period is None or period <= earliest:
                continue
            cover = _cover(revision, begin, granularity, revision.reaches_back)
            if cover <= 0:
                continue
            scaled = _cover(revision, begin, granularity, True) if revision.stretched else cover
            pools = pooled.setdefault(period, {})
            if how.split or not pools:
                pool = pools.get(revision.labels)
                if pool is None:
                    pool = pools[revision.labels] = _Pool()
            else:
                ((labels, pool),) = pools.items()
                if labels != revision.labels:
                    pooled[period] = {revision.labels: pool}
            whole = _undo_cover(value, scaled)
            (pool.add if how.reducer.additive else pool.see)(begin, whole, cover)
    return pooled


def _quantity(pool: _Pool, share: Fraction, how: Reduction) -> Decimal:
    if how.reducer.additive:
        value = _covered(pool)
        return how.quantity(Decimal(value.numerator), value.denominator, share)
    values = pool.values
    if len(values) == 1:
        ordered = list(values.values())
    else:
        ordered = [values[begin] for begin in sorted(values)]
    total, parts = how.reducer.reduce(ordered)
    return how.quantity(total, parts, share)


def _covered(pool: _Pool) -> Fraction:
    """What a pool has of wholes that are made of parts, exactly."""
    parts = (Fraction(pool.values[begin]) * cover for begin, cover in pool.covers.items())
    return sum(parts, Fraction(0))


def _parts_of_one(
    period: Instant, pools: Pools, revisions: Sequence[Revision], how: Reduction
) -> Iterable[tuple[Labels, Instant, Decimal]]:
    """Share one quantity by what each pool has of the whole.

    The whole is converted once: an offset is not added, nor a fraction rounded up, once more
    because a label changed.
    """
    parts = {labels: _covered(pool) for labels, pool in pools.items()}
    whole = sum(parts.values(), Fraction(0))
    if whole:
        shares = {labels: part / whole for labels, part in parts.items()}
    else:
        shares = _shares(period, pools, revisions, how)
    for labels, share in shares.items():
        quantity = how.quantity(Decimal(whole.numerator), whole.denominator, share)
        yield labels, period, quantity


def _cover(
    revision: Revision, begin: Instant, granularity: datetime.timedelta, reaches_back: bool
) -> Fraction:
    """Share of the bucket that the revision covers; at most 0: none."""
    end = begin + granularity
    late = not reaches_back and revision.start > begin
    early = revision.end is not None and revision.end < end
    if not late and not early:
        return WHOLE
    covered_from = revision.start if late else begin
    covered_to = revision.end if early and revision.end else end
    return Fraction((covered_to - covered_from) // _MICROSECOND, granularity // _MICROSECOND)


def _undo_cover(value: Decimal, cover: Fraction) -> Decimal:
    if cover is WHOLE:
        return value
    whole = EXACT.multiply(value, Decimal(cover.denominator))
    return _UNCOVERED.divide(whole, Decimal(cover.numerator))


def _shares(
    period: Instant, pools: Pools, revisions: Sequence[Revision], how: Reduction
) -> dict[Labels, Fraction]:
    """Share of the period by the time that each pool's revisions were in force in it.

    A revision is in force until the next one that has a bucket in the period starts, the
    last one up to the period's end. Revisions without a bucket say nothing: whether the back
    end returns them depends on how far the request reaches.
    """
    starts = [
        (max(revision.start, period), revision.labels)
        for revision in revisions
        if any(
            how.period_of.get(begin) == period
            and _cover(revision, begin, how.granularity, revision.reaches_back) > 0
            for begin, _ in revision.buckets
        )
    ]
    ends = [start for start, _ in starts[1:]] + [period + how.step]
    times = dict.fromkeys(pools, 0)
    for (start, labels), end in zip(starts, ends, strict=True):
        times[labels] += (end - start) // _MICROSECOND
    total = sum(times.values())
    return {labels: Fraction(time, total) for labels, time in times.items()}

"""From the buckets of a resource's revisions to what it used (design, section 5)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from ratekit.domain.usage import counter, lifetime, pools
from ratekit.domain.usage.lifetime import End
from ratekit.domain.usage.metric import WHOLE
from ratekit.domain.usage.pools import Pool, Pools
from ratekit.domain.usage.reducers import Reducer
from ratekit.domain.usage.revision import Instant, Labels, Revision, View, views

#: (labels, period's begin, quantity)
Usage = tuple[Labels, Instant, Decimal]


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
    :ivar before: given for a counter, of which differences are reduced: begin of the period
        before the window, whose buckets are in ``period_of`` too, but only to compare with
    :ivar prorate: a period costs as much of its quantity as the resource existed of it; its
        reducer is not additive
    """

    period_of: Mapping[Instant, Instant]
    step: datetime.timedelta
    granularity: datetime.timedelta
    patience: datetime.timedelta
    reducer: Reducer
    quantity: Callable[[Decimal | Fraction, int, Fraction], Decimal]
    split: bool = True
    before: Instant | None = None
    prorate: bool = False


def usages(
    revisions: Sequence[Revision], how: Reduction, ends: Sequence[End] = ()
) -> Iterable[Usage]:
    """Yield (labels, period's begin, quantity) of one scope's one resource over a window.

    Nothing for a period without buckets; quantities have 18 places.

    :param revisions: those the back end returned, by start
    :param ends: where the metric is prorated, what is known of the resource's end
    """
    if len(revisions) == 1 and _is_plain(revisions[0], how, ends):
        yield from _usages_of_one(revisions[0], how)
        return
    seen = views(revisions, how.period_of, how.granularity)
    for period in seen:
        if period == how.before:
            continue
        now = _visible(seen, period, period, how)
        if how.before is not None:
            before = _visible(seen, period - how.step, period, how)
            now = counter.differences(before, now, how.step)
        if now:
            yield from _usages_of_period(period, now, how, ends)


def _is_plain(revision: Revision, how: Reduction, ends: Sequence[End]) -> bool:
    """It covers every bucket whole, shares with nobody, and existed all the time."""
    if not revision.reaches_back or revision.end is not None or how.before is not None:
        return False
    if not how.prorate:
        return True
    if ends or revision.ended_at is not None or not revision.buckets:
        return False
    started_at = revision.started_at
    return started_at is None or started_at <= revision.buckets[0][0] - how.step


def _usages_of_one(revision: Revision, how: Reduction) -> Iterable[Usage]:
    """The same for a resource that has not changed, as nearly all have not."""
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


def _visible(
    seen: Mapping[Instant, list[View]], period: Instant, rated: Instant, how: Reduction
) -> list[View]:
    """Views of ``period`` by revisions that were there when ``rated`` could first be rated."""
    until = rated + how.step + how.patience
    return [view for view in seen.get(period, ()) if view.revision.start < until]


def _usages_of_period(
    period: Instant, seen: Sequence[View], how: Reduction, ends: Sequence[End]
) -> Iterable[Usage]:
    if len(seen) == 1 and not how.prorate and not how.reducer.additive:
        # Nothing to pool or to share; a long window has few other periods.
        [(revision, buckets)] = seen
        total, parts = how.reducer.reduce([whole for _, whole, _ in buckets])
        yield revision.labels, period, how.quantity(total, parts, WHOLE)
        return
    of_period = pools.pooled(seen, how.reducer.additive, how.split)
    if how.prorate:
        shares = _prorated(period, seen, how, ends)
    elif len(of_period) == 1:
        shares = dict.fromkeys(of_period, WHOLE)
    elif how.reducer.additive:
        yield from _parts_of_one(period, of_period, seen, how)
        return
    else:
        shares = pools.shares(period, how.step, seen)
    for labels, share in shares.items():
        yield labels, period, _quantity(of_period[labels], share, how)


def _prorated(
    period: Instant, seen: Sequence[View], how: Reduction, ends: Sequence[End]
) -> Mapping[Labels, Fraction]:
    last = seen[-1].revision
    life = lifetime.lived(period, how.step, how.patience, last, ends)
    if life is None:
        return {}
    shares = pools.lived_shares(life, how.step, seen)
    return shares if how.split else {last.labels: sum(shares.values(), Fraction(0))}


def _quantity(pool: Pool, share: Fraction, how: Reduction) -> Decimal:
    if how.reducer.additive and not pool.is_whole():
        return how.quantity(pool.covered(how.reducer.exactly), 1, share)
    total, parts = how.reducer.reduce(pool.ordered())
    return how.quantity(total, parts, share)


def _parts_of_one(
    period: Instant, of_period: Pools, seen: Sequence[View], how: Reduction
) -> Iterable[Usage]:
    """Share one quantity by what each pool has of the whole.

    The whole is converted once: an offset is not added, nor a fraction rounded up, once more
    because a label changed.
    """
    parts = {labels: pool.covered(how.reducer.exactly) for labels, pool in of_period.items()}
    whole = sum(parts.values(), Fraction(0))
    if whole:
        shares = {labels: part / whole for labels, part in parts.items()}
    else:
        shares = pools.shares(period, how.step, seen)
    for labels, share in shares.items():
        yield labels, period, how.quantity(whole, 1, share)

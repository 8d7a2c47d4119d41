"""From the buckets of a resource's revisions to its usage (doc/arithmetic.rst)."""

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
from ratekit.domain.usage.revision import Instant, Labels, Revision, View, views_by_period

#: (labels, start of the period, quantity)
Usage = tuple[Labels, Instant, Decimal]


@dataclasses.dataclass(frozen=True, slots=True)
class Reduction:
    """The arithmetic of one metric over one window.

    :ivar period_of: start of each bucket inside the window -> start of its period
    :ivar step: length of a period
    :ivar granularity: length of a bucket; divides ``step``
    :ivar patience: a revision counts for a period if it started less than this after the
        period's end
    :ivar reducer: how a pool's buckets become one value
    :ivar quantity: (total, parts, share) -> rounded quantity; the value is total / parts
    :ivar split: False pools all revisions under the labels of the last one with a bucket
    :ivar before: for a counter, whose differences are reduced: start of the period before
        the window, whose buckets are in ``period_of`` too, but only to compare with
    :ivar prorate: a period costs the share of its quantity for which the resource existed;
        the reducer is not additive
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
    revisions: Sequence[Revision], reduction: Reduction, ends: Sequence[End] = ()
) -> Iterable[Usage]:
    """Yield (labels, start of the period, quantity) of one scope's one resource.

    A period without buckets yields nothing; quantities have 18 places.

    :param revisions: those that the back end returned, by start
    :param ends: where the metric is prorated, records of the resource's end
    """
    if len(revisions) == 1 and _is_plain(revisions[0], reduction, ends):
        yield from _usages_of_plain(revisions[0], reduction)
        return
    views_of = views_by_period(revisions, reduction.period_of, reduction.granularity)
    for period in views_of:
        if period == reduction.before:
            continue
        views = _visible(views_of, period, period, reduction)
        if reduction.before is not None:
            before = _visible(views_of, period - reduction.step, period, reduction)
            views = counter.differences(before, views, reduction.step)
        if views:
            yield from _usages_of_period(period, views, reduction, ends)


def _is_plain(revision: Revision, reduction: Reduction, ends: Sequence[End]) -> bool:
    """Return whether it covers every bucket alone and as a whole, and existed all the time."""
    if not revision.reaches_back or revision.end is not None or reduction.before is not None:
        return False
    if not reduction.prorate:
        return True
    if ends or revision.ended_at is not None or not revision.buckets:
        return False
    started_at = revision.started_at
    return started_at is None or started_at <= revision.buckets[0][0] - reduction.step


def _usages_of_plain(revision: Revision, reduction: Reduction) -> Iterable[Usage]:
    """Yield the same for a resource that has not changed, as nearly all have not."""
    earliest = revision.start - reduction.step - reduction.patience
    period_of, labels, quantity = reduction.period_of, revision.labels, reduction.quantity
    values: dict[Instant, list[Decimal]] = {}
    for begin, value in revision.buckets:
        period = period_of.get(begin)
        if period is None or period <= earliest:
            continue
        if period in values:
            values[period].append(value)
        else:
            values[period] = [value]
    for period, period_values in values.items():
        total, parts = reduction.reducer.reduce(period_values)
        yield labels, period, quantity(total, parts, WHOLE)


def _visible(
    views_of: Mapping[Instant, list[View]], period: Instant, target: Instant, reduction: Reduction
) -> list[View]:
    """Return views of ``period`` by revisions that existed when ``target`` became due."""
    until = target + reduction.step + reduction.patience
    return [view for view in views_of.get(period, ()) if view.revision.start < until]


def _usages_of_period(
    period: Instant, views: Sequence[View], reduction: Reduction, ends: Sequence[End]
) -> Iterable[Usage]:
    reducer = reduction.reducer
    if len(views) == 1 and not reduction.prorate and not reducer.additive:
        # Nothing to pool or to share; nearly all periods of a long window are like this.
        [(revision, buckets)] = views
        total, parts = reducer.reduce([whole for _, whole, _ in buckets])
        yield revision.labels, period, reduction.quantity(total, parts, WHOLE)
        return
    period_pools = pools.build_pools(views, reducer.additive, reduction.split)
    if reduction.prorate:
        shares = _life_shares(period, views, reduction, ends)
    elif len(period_pools) == 1:
        shares = dict.fromkeys(period_pools, WHOLE)
    elif reducer.additive:
        yield from _usages_of_sum(period, period_pools, views, reduction)
        return
    else:
        shares = pools.period_shares(period, reduction.step, views)
    for labels, share in shares.items():
        yield labels, period, _quantity(period_pools[labels], share, reduction)


def _life_shares(
    period: Instant, views: Sequence[View], reduction: Reduction, ends: Sequence[End]
) -> Mapping[Labels, Fraction]:
    last = views[-1].revision
    life = lifetime.find_life(period, reduction.step, reduction.patience, last, ends)
    if life is None:
        return {}
    shares = pools.life_shares(life, reduction.step, views)
    return shares if reduction.split else {last.labels: sum(shares.values(), Fraction(0))}


def _quantity(pool: Pool, share: Fraction, reduction: Reduction) -> Decimal:
    reducer = reduction.reducer
    if reducer.additive and not pool.is_whole():
        return reduction.quantity(pool.sum_parts(reducer.convert), 1, share)
    total, parts = reducer.reduce(pool.values_by_time())
    return reduction.quantity(total, parts, share)


def _usages_of_sum(
    period: Instant, period_pools: Pools, views: Sequence[View], reduction: Reduction
) -> Iterable[Usage]:
    """Yield one quantity's shares, by each pool's part of the whole.

    The whole is converted once: a change of labels neither adds the offset a second time nor
    rounds up a second fraction.
    """
    convert = reduction.reducer.convert
    parts = {labels: pool.sum_parts(convert) for labels, pool in period_pools.items()}
    whole = sum(parts.values(), Fraction(0))
    if whole:
        shares = {labels: part / whole for labels, part in parts.items()}
    else:
        shares = pools.period_shares(period, reduction.step, views)
    for labels, share in shares.items():
        yield labels, period, reduction.quantity(whole, 1, share)

"""From the buckets of a resource's revisions to its usage (doc/arithmetic.rst)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from ratekit.domain import exact
from ratekit.domain.series import Shared
from ratekit.domain.usage import lifetime, pools
from ratekit.domain.usage.counter import Reading, growth_by_period
from ratekit.domain.usage.metric import WHOLE
from ratekit.domain.usage.pools import Pool, Pools
from ratekit.domain.usage.reduction import Reduction, bucket_values, judge, reduce_values
from ratekit.domain.usage.remarks import Remark
from ratekit.domain.usage.revision import EVER, Instant, Labels, Revision, View, views_by_period

_NOTHING = Fraction(0)


class Resource(NamedTuple):
    """What is known of one resource.

    :ivar revisions: all that overlap the time that was read, by start; without the oldest or
        the newest ones only if these cannot matter
    :ivar previous: for a counter, the last reading before that time
    """

    revisions: Sequence[Revision]
    previous: Reading | None = None


class Part(NamedTuple):
    """What one resource used in one period under one set of labels, not rounded yet.

    :ivar values: values of whole buckets (or a counter's differences) in order of time, before
        they are reduced; where several sets of labels share one sum, those of all of them, a
        bucket once for each
    :ivar value: the reduced value
    :ivar whole: the converted value, as a ratio
    :ivar share: of the converted value that is charged
    """

    labels: Labels
    values: Sequence[Decimal]
    value: Fraction
    whole: tuple[int, int]
    share: Fraction


class Usage(NamedTuple):
    """One quantity.

    :ivar begin: start of the period
    :ivar shared: what the quantity is a share of; None: it is not shared
    """

    labels: Labels
    begin: Instant
    quantity: Decimal
    shared: Shared | None


def usages(resource: Resource, reduction: Reduction, remarks: list[Remark]) -> Iterator[Usage]:
    """Yield one resource's usage; a period without buckets yields nothing.

    :param remarks: notices are added here
    """
    revisions = resource.revisions
    if len(revisions) == 1 and _is_plain(revisions[0], reduction):
        yield from _usages_of_plain(revisions[0], reduction, remarks)
        return
    for period, parts in period_parts(resource, reduction, remarks):
        for part, (quantity, shared) in zip(parts, round_parts(parts), strict=True):
            yield Usage(part.labels, period, quantity, shared)


def period_parts(
    resource: Resource, reduction: Reduction, remarks: list[Remark]
) -> Iterator[tuple[Instant, Sequence[Part]]]:
    """Yield the start of each period with usage, and its parts in order of time."""
    revisions = resource.revisions
    for period, views in _views(resource, reduction, remarks):
        ended_at = lifetime.find_end(revisions, reduction.horizon(period))
        if reduction.counter is None and ended_at is not None:
            views = _before(ended_at, views)
        if views:
            parts = _parts(period, views, ended_at, reduction, remarks)
            if parts:
                yield period, parts


def round_parts(parts: Sequence[Part]) -> list[tuple[Decimal, Shared | None]]:
    """Round the quantities of a period so that they add up (second rounding point)."""
    if len(parts) == 1 and parts[0].share is WHOLE:
        return [(exact.round_ratio(*parts[0].whole, exact.QUANTITY_PLACES), None)]
    wholes = [Fraction(*part.whole) for part in parts]
    places = exact.QUANTITY_PLACES
    quantities = exact.round_parts(
        [whole * part.share for whole, part in zip(wholes, parts, strict=True)], places
    )
    shares = exact.round_parts([part.share for part in parts], places)
    return [
        (
            quantity,
            None if part.share == 1 else Shared(exact.round_ratio(*part.whole, places), share),
        )
        for part, quantity, share in zip(parts, quantities, shares, strict=True)
    ]


def _is_plain(revision: Revision, reduction: Reduction) -> bool:
    """Return whether it covers every bucket alone and as a whole, and existed all the time."""
    if not revision.reaches_back or revision.end is not None or revision.ended_at is not None:
        return False
    if reduction.counter is not None or not revision.buckets:
        return False
    if not reduction.prorate:
        return True
    started_at = revision.started_at
    return started_at is None or started_at <= revision.buckets[0][0] - reduction.step


def _usages_of_plain(
    revision: Revision, reduction: Reduction, remarks: list[Remark]
) -> Iterator[Usage]:
    """Yield the same for a resource that has not changed, as nearly all have not."""
    if reduction.records_until is None:
        earliest = revision.start - reduction.step - reduction.patience
    elif revision.start < reduction.records_until:
        earliest = EVER
    else:
        return
    period_of, labels = reduction.period_of, revision.labels
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
        total, parts = reduce_values(period, period_values, reduction, remarks)
        yield Usage(labels, period, reduction.quantity(total, parts), None)


def _views(
    resource: Resource, reduction: Reduction, remarks: list[Remark]
) -> Iterator[tuple[Instant, Sequence[View]]]:
    """Yield each period and the views of it by revisions that count for it."""
    revisions, granularity = resource.revisions, reduction.granularity
    counter = reduction.counter
    if counter is None:
        views_of = views_by_period(revisions, reduction.period_of.get, granularity)
        for period in sorted(views_of):
            until = reduction.horizon(period)
            views = [view for view in views_of[period] if view.revision.start < until]
            if views:
                yield period, views
        return
    grid = reduction.grid()
    periods = set(reduction.period_of.values())
    views_of = views_by_period(revisions, grid.period_of, granularity)
    yield from growth_by_period(
        revisions, views_of, periods, counter, grid, resource.previous, remarks
    ).items()


def _before(ended_at: Instant, views: Sequence[View]) -> list[View]:
    """Return the views without buckets that start at the resource's end or later."""
    results = []
    for revision, buckets in views:
        if buckets[-1][0] >= ended_at:
            buckets = [bucket for bucket in buckets if bucket[0] < ended_at]
        if buckets:
            results.append(View(revision, buckets))
    return results


def _parts(
    period: Instant,
    views: Sequence[View],
    ended_at: Instant | None,
    reduction: Reduction,
    remarks: list[Remark],
) -> Sequence[Part]:
    reducer = reduction.reducer
    if len(views) == 1 and not reduction.prorate and not reducer.additive:
        # Nothing to pool or to share; nearly all periods of a long window are like this.
        [(revision, buckets)] = views
        values = [whole for _, whole, _ in buckets]
        return [_part(revision.labels, period, values, WHOLE, reduction, remarks)]
    period_pools = pools.build_pools(views, reducer.additive, reduction.split)
    if reduction.prorate:
        started_at = views[-1].revision.started_at
        life = lifetime.find_life(period, reduction.step, started_at, ended_at)
        if life is None:
            return []
        shares = pools.life_shares(life, reduction.step, views, period_pools)
    elif reducer.additive:
        return _parts_of_sum(period, period_pools, views, reduction, remarks)
    elif len(period_pools.by_labels) == 1:
        shares = dict.fromkeys(period_pools.by_labels, WHOLE)
    else:
        shares = _time_shares(period, views, period_pools, reduction)
    by_labels = period_pools.by_labels
    return [
        _part(labels, period, _values(by_labels[labels]), share, reduction, remarks)
        for labels, share in shares.items()
    ]


def _time_shares(
    period: Instant, views: Sequence[View], period_pools: Pools, reduction: Reduction
) -> dict[Labels, Fraction]:
    return pools.period_shares(period, reduction.step, reduction.granularity, views, period_pools)


def _values(pool: Pool) -> list[Decimal]:
    return [value for _, value in pool.buckets()]


def _part(
    labels: Labels,
    period: Instant,
    values: Sequence[Decimal],
    share: Fraction,
    reduction: Reduction,
    remarks: list[Remark],
) -> Part:
    total, parts = reduce_values(period, values, reduction, remarks)
    whole = reduction.convert(total, parts)
    return Part(labels, values, Fraction(total) / parts, whole, share)


def _parts_of_sum(
    period: Instant,
    period_pools: Pools,
    views: Sequence[View],
    reduction: Reduction,
    remarks: list[Remark],
) -> Sequence[Part]:
    """Return one quantity's shares, by each pool's part of the whole.

    The whole is converted once: a change of labels neither adds the offset a second time nor
    rounds up a second fraction.
    """
    values_of: list[Decimal] = []
    amounts: dict[Labels, Fraction] = {}
    for labels, pool in period_pools.by_labels.items():
        values = _values(pool)
        values_of += values
        begins = [begin for begin, _ in pool.buckets()]
        amounts[labels] = pool.sum_parts(bucket_values(begins, values, reduction, remarks))
    total = judge(period, sum(amounts.values(), _NOTHING), reduction, remarks)
    whole = reduction.convert(total, 1)
    if len(amounts) == 1:
        shares = dict.fromkeys(amounts, WHOLE)
    elif total and all(amount / total >= 0 for amount in amounts.values()):
        shares = {labels: amount / total for labels, amount in amounts.items()}
    else:
        shares = _time_shares(period, views, period_pools, reduction)
    return [Part(labels, values_of, total, whole, share) for labels, share in shares.items()]

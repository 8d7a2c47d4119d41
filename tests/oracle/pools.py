"""From parts of buckets to the quantities of one resource and period, by labels."""

from __future__ import annotations

import dataclasses
import decimal
import itertools
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from tests.oracle.coverage import Part
from tests.oracle.definition import Definition
from tests.oracle.model import Frame, Labels, Resource, Revision
from tests.oracle.rating_time import RatingTime

PLACES = 18
#: Scope and labels.
PoolKey = tuple[str, Labels]
_EXACT = decimal.Context(prec=1000)


@dataclasses.dataclass(slots=True)
class Pool:
    """Revisions with equal labels.

    :ivar start: when its first revision started
    :ivar time: how long its revisions were in force in the period
    """

    start: int
    parts: list[Part] = dataclasses.field(default_factory=list)
    time: int = 0

    @property
    def amount(self) -> Fraction:
        """What the pool has of values that are parts of a whole."""
        return sum((part.value * part.cover for part in self.parts), Fraction(0))

    def values(self) -> list[Fraction]:
        """Return each bucket's value once, in order of time."""
        values = {part.begin: part.value for part in self.parts}
        return [values[begin] for begin in sorted(values)]


class _Share(NamedTuple):
    """A pool's unshared quantity, and its share."""

    whole: Fraction
    share: Fraction


def frames(
    resource: Resource, definition: Definition, parts: list[Part], begin: int, time: RatingTime
) -> dict[PoolKey, Frame]:
    """Return the quantities of a period."""
    pools = _pools(resource, definition, parts, begin, time)
    shares = _shares(definition, pools, time)
    if definition.prorate:
        # Where the time lived is charged, labels without any of it are not there.
        shares = {key: share for key, share in shares.items() if share.share}
    order = {key: (pools[key].start, key[1]) for key in shares}
    keys = sorted(shares, key=lambda key: order[key])
    quantities = largest_remainders([shares[key].whole * shares[key].share for key in keys])
    rounded_shares = largest_remainders([shares[key].share for key in keys])
    return {
        key: Frame(quantity)
        if shares[key].share == 1
        else Frame(quantity, rounded(shares[key].whole), share)
        for key, quantity, share in zip(keys, quantities, rounded_shares, strict=True)
    }


def _pools(
    resource: Resource, definition: Definition, parts: list[Part], begin: int, time: RatingTime
) -> dict[PoolKey, Pool]:
    revisions = sorted({part.revision.start: part.revision for part in parts}.items())
    taking_part = [revision for _, revision in revisions]
    times = _times(resource, definition, taking_part, parts, begin, time)
    last_of_scope = {revision.scope: revision for revision in taking_part}
    pools: dict[PoolKey, Pool] = {}
    for revision, length in zip(taking_part, times, strict=True):
        named = revision if definition.split else last_of_scope[revision.scope]
        key = (revision.scope, labels_of(named, (*definition.labels, "id")))
        pool = pools.setdefault(key, Pool(revision.start))
        pool.time += length
        pool.parts += [part for part in parts if part.revision is revision]
    return pools


def _times(
    resource: Resource,
    definition: Definition,
    taking_part: Sequence[Revision],
    parts: list[Part],
    begin: int,
    time: RatingTime,
) -> list[int]:
    """Return how long each revision that takes part was in force in the period."""
    if not taking_part:
        return []
    first, end = taking_part[0], begin + time.step
    starts = [max(revision.start, begin) for revision in taking_part]
    if first is resource.revisions[0]:
        bucket = min(part.begin for part in parts if part.revision is first)
        if bucket + definition.granularity <= first.start:
            starts[0] = max(bucket, begin)
    if definition.prorate:
        ended_at = time.records(resource, begin)[-1].ended_at
        birth = max(begin, taking_part[-1].started_at)
        death = end if ended_at is None else min(end, ended_at)
        starts[0] = birth
        return [
            max(min(stop, death) - max(start, birth), 0)
            for start, stop in itertools.pairwise([*starts, death])
        ]
    return [max(min(stop, end) - start, 0) for start, stop in itertools.pairwise([*starts, end])]


def _shares(
    definition: Definition, pools: dict[PoolKey, Pool], time: RatingTime
) -> dict[PoolKey, _Share]:
    whole_time = sum(pool.time for pool in pools.values())
    if definition.prorate:
        return {
            key: _Share(_reduced(definition, pool), Fraction(pool.time, time.step))
            for key, pool in pools.items()
        }
    if not definition.additive:
        return {
            key: _Share(
                _reduced(definition, pool),
                Fraction(1) if len(pools) == 1 else Fraction(pool.time, whole_time),
            )
            for key, pool in pools.items()
        }
    amount = sum((pool.amount for pool in pools.values()), Fraction(0))
    judged = amount if definition.judges_buckets else definition.without_negative(amount)
    whole = definition.convert(judged)
    # Parts of different signs are no shares of their sum.
    divisible = amount and all(pool.amount / amount >= 0 for pool in pools.values())
    return {
        key: _Share(whole, pool.amount / amount if divisible else Fraction(pool.time, whole_time))
        for key, pool in pools.items()
    }


def _reduced(definition: Definition, pool: Pool) -> Fraction:
    """Return a pool's quantity before it is shared."""
    value = definition.reduce(pool.values())
    if not definition.judges_buckets:
        value = definition.without_negative(value)
    return definition.convert(value)


def labels_of(revision: Revision, names: Sequence[str]) -> Labels:
    """Return labels of a revision."""
    return tuple((name, revision.attributes.get(name, "")) for name in sorted({*names}))


def rounded(value: Fraction) -> Decimal:
    """Round half to even."""
    return _decimal(round(value * 10**PLACES))


def largest_remainders(values: Sequence[Fraction]) -> list[Decimal]:
    """Round values, in order of precedence, so that they add up to their rounded sum."""
    units = [value * 10**PLACES for value in values]
    floors = [unit // 1 for unit in units]
    missing = round(sum(units, Fraction(0))) - sum(floors)
    by_remainder = sorted(range(len(units)), key=lambda n: (floors[n] - units[n], n))
    for number in by_remainder[:missing]:
        floors[number] += 1
    return [_decimal(number) for number in floors]


def _decimal(units: int) -> Decimal:
    return Decimal(units).scaleb(-PLACES, _EXACT)

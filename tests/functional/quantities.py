"""Computes correct quantities from the raw measures, without any code of ratekit's.

Follows doc/arithmetic.rst: reads definitions as written in metrics.yml, and measures and resources'
histories from the plan. All numbers are fractions, except the binary numbers that Gnocchi stores
and the documented roundings.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from tests.builders import HOUR
from tests.stack.plan import Plan, Resource, Revision

#: A record counts for an hour if it was made at most so long after the hour's end.
PATIENCE = HOUR
NO_TIME = datetime.timedelta(0)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)

#: Aggregates that are parts of a whole.
ADDITIVE = ("sum", "count")
Query = Callable[[Fraction], Fraction]
Labels = tuple[tuple[str, str | None], ...]
#: (scope, begin, metric, labels) -> quantity
Quantities = dict[tuple[str, datetime.datetime, str, Labels], Decimal]
#: A bucket's start -> the values in it, oldest first.
RawBuckets = Mapping[datetime.datetime, Sequence[Fraction]]
#: A bucket's start -> (value of the whole bucket, the revision's share of the bucket).
Buckets = dict[datetime.datetime, tuple[Fraction, Fraction]]


class _View(NamedTuple):
    """What a revision shows of one hour; it has at least one bucket."""

    revision: Revision
    labels: Labels
    buckets: Buckets


@dataclasses.dataclass(slots=True)
class _Pool:
    """Revisions with equal labels, in one hour.

    :ivar time: how long the revisions were in force
    """

    buckets: Buckets = dataclasses.field(default_factory=dict)
    time: datetime.timedelta = NO_TIME

    def amount(self) -> Fraction:
        """Return the pool's share of values that are parts of a whole."""
        return sum((value * cover for value, cover in self.buckets.values()), Fraction(0))


@dataclasses.dataclass(frozen=True, slots=True)
class QuantityOracle:
    """The plan, and the ids of projects in Keystone.

    :ivar projects: name -> id, of the rated projects
    :ivar queries: each custom query that occurs, as a function of a bucket's value
    """

    plan: Plan
    projects: Mapping[str, str]
    queries: Mapping[str, Query] = dataclasses.field(default_factory=dict)

    def quantities(self, name: str, metric: Any) -> Quantities:
        """Return every quantity of the whole plan.

        :param name: a key of metrics.yml
        :param metric: its definition
        """
        service = metric.get("alt_name", name)
        quantities: Quantities = {}
        for resource in self.plan.resources:
            kind = metric["extra_args"]["resource_type"]
            if resource.project not in self.projects or resource.type != kind:
                continue
            scope = self.projects[resource.project]
            raw = _raw_buckets(resource, name, metric)
            for hour in self.plan.hours():
                for labels, quantity in self._hour(resource, metric, raw, hour):
                    quantities[scope, hour, service, labels] = quantity
        return quantities

    def _hour(
        self, resource: Resource, metric: Any, raw: RawBuckets, hour: datetime.datetime
    ) -> Iterator[tuple[Labels, Decimal]]:
        """Yield the quantities of an hour, which add up to the unsplit one."""
        pools = self._pools(resource, metric, raw, hour)
        shares = {labels: share for labels, share in _shares(pools, metric).items() if share}
        values: list[Fraction] = []
        for labels, share in shares.items():
            if reducer(metric) in ADDITIVE:
                # The sum of the parts is converted once.
                value = sum((part.amount() for part in pools.values()), Fraction(0))
            else:
                buckets = pools[labels].buckets
                value = _aggregate(
                    [buckets[begin][0] for begin in sorted(buckets)], reducer(metric)
                )
            values.append(convert(value, metric) * share)
        yield from zip(shares, round_parts(values, 18), strict=True)

    def _pools(
        self, resource: Resource, metric: Any, raw: RawBuckets, hour: datetime.datetime
    ) -> dict[Labels, _Pool]:
        """Return the pools by labels, in order of their first revisions."""
        text = metric["extra_args"].get("custom_query")
        query = self.queries[text] if text else Fraction
        views = self._views(resource, metric, raw, hour)
        turns = _turns(resource, metric, views, hour)
        pools: dict[Labels, _Pool] = {}
        for view, begin, end in zip(views, turns[:-1], turns[1:], strict=True):
            split = metric["extra_args"].get("use_all_resource_revisions", True)
            pool = pools.setdefault(view.labels if split else views[-1].labels, _Pool())
            pool.time += end - begin
            for start, (value, cover) in view.buckets.items():
                _, covered = pool.buckets.get(start, (value, Fraction(0)))
                pool.buckets[start] = query(value), covered + cover
        return pools

    def _views(
        self, resource: Resource, metric: Any, raw: RawBuckets, hour: datetime.datetime
    ) -> list[_View]:
        """Return what the revisions show that were recorded when the hour became due."""
        ended_at = _recorded_end(resource, hour)
        views = []
        for revision in _recorded(resource, hour):
            buckets = _buckets(revision, revision is resource.revisions[0], metric, raw, hour)
            usage = {
                begin: bucket
                for begin, bucket in buckets.items()
                if ended_at is None or begin < ended_at
            }
            if usage:
                labels = self._labels(resource, metric, revision.attributes)
                views.append(_View(revision, labels, usage))
        return views

    def _labels(self, resource: Resource, metric: Any, attributes: Mapping[str, str]) -> Labels:
        values: dict[str, str | None] = {
            **attributes,
            "id": str(resource.id),
            "user_id": resource.user_id,
            "project_id": self.projects[resource.project],
        }
        names = {*metric.get("groupby", []), *metric.get("metadata", []), "id", "project_id"}
        return tuple((name, values.get(name, "")) for name in sorted(names))


def _shares(pools: Mapping[Labels, _Pool], metric: Any) -> dict[Labels, Fraction]:
    """Return the share of an hour's quantity that each pool's labels are charged."""
    sizes = {labels: Fraction(pool.time // MICROSECOND) for labels, pool in pools.items()}
    if metric.get("prorate"):
        return {labels: size / (HOUR // MICROSECOND) for labels, size in sizes.items()}
    if len(pools) == 1:
        return dict.fromkeys(pools, Fraction(1))
    amounts = {labels: pool.amount() for labels, pool in pools.items()}
    if reducer(metric) in ADDITIVE and any(amounts.values()):
        sizes = amounts
    whole = sum(sizes.values(), Fraction(0))
    return {labels: size / whole for labels, size in sizes.items()}


def method(metric: Any) -> str:
    """Return the aggregate that is read."""
    return str(metric["extra_args"].get("aggregation_method", "max"))


def reducer(metric: Any) -> str:
    """Return the method that combines the aggregates of an hour."""
    configured = metric["extra_args"].get("re_aggregation_method")
    return str(configured or method(metric).removeprefix("rate:"))


def granularity(metric: Any) -> datetime.timedelta:
    """Return the length of a bucket."""
    return datetime.timedelta(seconds=metric["extra_args"].get("force_granularity", 3600))


def convert(value: Fraction, metric: Any) -> Fraction:
    """Apply factor, offset and mutation."""
    factor = Fraction(1)
    for index, part in enumerate(str(metric.get("factor", 1)).split("/")):
        factor = Fraction(part) if index == 0 else factor / Fraction(part)
    quantity = value * factor + Fraction(str(metric.get("offset", 0)))
    match metric.get("mutate", "NONE"):
        case "NUMBOOL":
            return Fraction(1 if quantity else 0)
        case "NOTNUMBOOL":
            return Fraction(0 if quantity else 1)
        case "CEIL":
            return Fraction(math.ceil(quantity))
        case "FLOOR":
            return Fraction(math.floor(quantity))
        case "MAP":
            values = {Fraction(str(key)): value for key, value in metric["mutate_map"].items()}
            return Fraction(str(values.get(quantity, 0)))
    return quantity


def round_half_even(value: Fraction, places: int) -> Decimal:
    """Round; Python rounds fractions half to even."""
    return Decimal(round(value * 10**places)).scaleb(-places, decimal.Context(prec=200))


def round_parts(values: Sequence[Fraction], places: int) -> list[Decimal]:
    """Round values so that they add up to their rounded sum.

    Each is rounded down; the units that are missing go to the largest remainders.
    """
    floors = [math.floor(value * 10**places) for value in values]
    remainders = [value * 10**places - floor for value, floor in zip(values, floors, strict=True)]
    missing = round(sum(values, Fraction(0)) * 10**places) - sum(floors)
    largest = sorted(range(len(values)), key=lambda index: (-remainders[index], index))
    for index in largest[:missing]:
        floors[index] += 1
    return [round_half_even(Fraction(units, 10**places), places) for units in floors]


def _recorded(resource: Resource, hour: datetime.datetime) -> list[Revision]:
    """Return the revisions that were recorded when an hour became due."""
    due = hour + HOUR + PATIENCE
    return [revision for revision in resource.revisions if revision.begin < due]


def _recorded_end(resource: Resource, hour: datetime.datetime) -> datetime.datetime | None:
    """Return when the resource had ended, according to the newest record that counts."""
    revisions = _recorded(resource, hour)
    return revisions[-1].ended_at if revisions else None


def _turns(
    resource: Resource, metric: Any, views: Sequence[_View], hour: datetime.datetime
) -> list[datetime.datetime]:
    """Return when each of the revisions with buckets came into force, and when the last ended."""
    if not views:
        return [hour]
    first = views[0].revision.begin
    first_bucket = min(views[0].buckets)
    is_oldest = views[0].revision is resource.revisions[0]
    if is_oldest and first_bucket + granularity(metric) <= first:
        first = first_bucket
    begin, end = hour, hour + HOUR
    if metric.get("prorate"):
        begin = max(begin, resource.started_at)
        end = min(end, _recorded_end(resource, hour) or end)
        if begin >= end:
            return [hour] * (len(views) + 1)
        first = begin
    starts = [first, *(view.revision.begin for view in views[1:])]
    return [*(min(max(start, begin), end) for start in starts), end]


def _raw_buckets(resource: Resource, name: str, metric: Any) -> RawBuckets:
    """Return a resource's values by bucket; for a rate, the differences between neighbours."""
    measures = resource.measures.get(name, ())
    values = [(measure.at, Fraction(measure.value)) for measure in measures]
    if method(metric).startswith("rate:"):
        values = [(at, value - before) for (_, before), (at, value) in itertools.pairwise(values)]
    raw: dict[datetime.datetime, list[Fraction]] = {}
    for at, value in values:
        raw.setdefault(at - (at - EPOCH) % granularity(metric), []).append(value)
    return raw


def _buckets(
    revision: Revision, first: bool, metric: Any, raw: RawBuckets, hour: datetime.datetime
) -> Buckets:
    """Return one revision's share of an hour's buckets.

    :param first: it is its resource's first, which extends back over older measures
    """
    step, buckets = granularity(metric), {}
    for number in range(HOUR // step):
        begin = hour + number * step
        starts = begin if first else max(revision.begin, begin)
        ends = min(revision.end or begin + step, begin + step)
        if begin in raw and starts < ends:
            value = _aggregate(raw[begin], method(metric).removeprefix("rate:"))
            cover = Fraction((ends - starts) // MICROSECOND, step // MICROSECOND)
            buckets[begin] = (_in_binary(value) if cover == 1 else _fifteen_digits(value)), cover
    return buckets


def _aggregate(values: Sequence[Fraction], method_name: str) -> Fraction:
    match method_name:
        case "mean":
            return sum(values, Fraction(0)) / len(values)
        case "sum":
            return sum(values, Fraction(0))
        case "count":
            return Fraction(len(values))
        case "max":
            return max(values)
        case "min":
            return min(values)
        case "last":
            return values[-1]
    raise NotImplementedError(method_name)


def _in_binary(value: Fraction) -> Fraction:
    """Return the number that Gnocchi stores, as it writes it."""
    return Fraction(repr(float(value)))


def _fifteen_digits(value: Fraction) -> Fraction:
    with decimal.localcontext(prec=15, rounding=decimal.ROUND_HALF_EVEN):
        return Fraction(Decimal(value.numerator) / Decimal(value.denominator))

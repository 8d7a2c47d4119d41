"""What a right quantity is, worked out from the raw measures without a line of ratekit's code.

Follows the text of the design's section 5: reads definitions as they stand in metrics.yml, and
from the plan what was measured and what resources were like. Everything is a fraction, but for
the binary numbers that Gnocchi keeps and the design's roundings.
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
from typing import Any

from tests.stack.plan import Plan, Resource, Revision

HOUR = datetime.timedelta(hours=1)
WAIT = 2 * HOUR
NO_TIME = datetime.timedelta(0)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)

#: Aggregates that are parts of a whole.
ADDITIVE = ("sum", "count")
Query = Callable[[Fraction], Fraction]
Labels = tuple[tuple[str, str | None], ...]
#: (scope, begin, metric, labels) -> quantity
Quantities = dict[tuple[str, datetime.datetime, str, Labels], Decimal]
#: A bucket's begin -> the values in it, oldest first.
Measured = Mapping[datetime.datetime, Sequence[Fraction]]
#: A bucket's begin -> (value of the whole bucket, somebody's share of the bucket).
Buckets = dict[datetime.datetime, tuple[Fraction, Fraction]]


@dataclasses.dataclass(slots=True)
class _Pool:
    """Revisions with equal labels, in one hour.

    :ivar time: how long the revisions were in force
    """

    buckets: Buckets = dataclasses.field(default_factory=dict)
    time: datetime.timedelta = NO_TIME

    def amount(self) -> Fraction:
        """What is the pool's of values that are parts of a whole."""
        return sum((value * cover for value, cover in self.buckets.values()), Fraction(0))


@dataclasses.dataclass(frozen=True, slots=True)
class Reckoner:
    """Knows the plan and the ids that Keystone gave.

    :ivar projects: name -> id, of the projects that are rated
    :ivar queries: what each custom query that occurs makes of a bucket's value
    """

    plan: Plan
    projects: Mapping[str, str]
    queries: Mapping[str, Query] = dataclasses.field(default_factory=dict)

    def quantities(self, name: str, metric: Any) -> Quantities:
        """Every quantity of the whole plan.

        :param name: a key of metrics.yml
        :param metric: what is defined there
        """
        service = metric.get("alt_name", name)
        found: Quantities = {}
        for resource in self.plan.resources:
            kind = metric["extra_args"]["resource_type"]
            if resource.project not in self.projects or resource.type != kind:
                continue
            scope = self.projects[resource.project]
            measured = _measured(resource, name, metric)
            for hour in self.plan.hours():
                for labels, quantity in self._used(resource, metric, measured, hour):
                    found[scope, hour, service, labels] = quantity
        return found

    def _used(
        self, resource: Resource, metric: Any, measured: Measured, hour: datetime.datetime
    ) -> Iterator[tuple[Labels, Decimal]]:
        pools = self._pools(resource, metric, measured, hour)
        shares = _shares(pools, metric)
        for labels, pool in pools.items():
            if not shares[labels]:
                continue
            if reducer(metric) in ADDITIVE:
                # What is made of parts is converted once, as a whole.
                value = sum((one.amount() for one in pools.values()), Fraction(0))
            else:
                values = [pool.buckets[begin][0] for begin in sorted(pool.buckets)]
                value = _aggregated(values, reducer(metric))
            yield labels, rounded(converted(value, metric) * shares[labels], 18)

    def _pools(
        self, resource: Resource, metric: Any, measured: Measured, hour: datetime.datetime
    ) -> dict[Labels, _Pool]:
        """Those that have buckets."""
        seen = [
            (
                self._labels(resource, metric, revision.attributes),
                _in_force(resource, revision, hour, bool(metric.get("prorate"))),
                _buckets(revision, revision is resource.revisions[0], metric, measured, hour),
            )
            for revision in resource.revisions
            if revision.begin < hour + HOUR + WAIT
        ]
        last = [labels for labels, _, buckets in seen if buckets][-1:]
        split = metric["extra_args"].get("use_all_resource_revisions", True)
        text = metric["extra_args"].get("custom_query")
        query = self.queries[text] if text else Fraction
        pools: dict[Labels, _Pool] = {}
        for labels, time, buckets in seen:
            pool = pools.setdefault(labels if split or not last else last[0], _Pool())
            pool.time += time
            for begin, (value, cover) in buckets.items():
                _, others = pool.buckets.get(begin, (value, Fraction(0)))
                pool.buckets[begin] = query(value), others + cover
        return {labels: pool for labels, pool in pools.items() if pool.buckets}

    def _labels(self, resource: Resource, metric: Any, attributes: Mapping[str, str]) -> Labels:
        known: dict[str, str | None] = {
            **attributes,
            "id": str(resource.id),
            "user_id": resource.user_id,
            "project_id": self.projects[resource.project],
        }
        names = {*metric.get("groupby", []), *metric.get("metadata", []), "id", "project_id"}
        return tuple((name, known.get(name, "")) for name in sorted(names))


def _shares(pools: Mapping[Labels, _Pool], metric: Any) -> dict[Labels, Fraction]:
    """How much of what an hour costs is charged under each pool's labels."""
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
    """Which aggregate is read."""
    return str(metric["extra_args"].get("aggregation_method", "max"))


def reducer(metric: Any) -> str:
    """How the aggregates of an hour become one value."""
    given = metric["extra_args"].get("re_aggregation_method")
    return str(given or method(metric).removeprefix("rate:"))


def granularity(metric: Any) -> datetime.timedelta:
    """Length of a bucket."""
    return datetime.timedelta(seconds=metric["extra_args"].get("force_granularity", 3600))


def converted(value: Fraction, metric: Any) -> Fraction:
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
            known = {Fraction(str(key)): of for key, of in metric["mutate_map"].items()}
            return Fraction(str(known.get(quantity, 0)))
    return quantity


def rounded(value: Fraction, places: int) -> Decimal:
    """Python rounds fractions half to even."""
    return Decimal(round(value * 10**places)).scaleb(-places, decimal.Context(prec=200))


def _in_force(
    resource: Resource, revision: Revision, hour: datetime.datetime, prorate: bool
) -> datetime.timedelta:
    """How long a revision was in force in an hour; prorated: while the resource existed."""
    begin, end = max(revision.begin, hour), hour + HOUR
    if revision.end is not None:
        end = min(revision.end, end)
    if prorate:
        begin = max(resource.started_at, begin)
        end = min(resource.ended_at or end, end)
    return max(end - begin, NO_TIME)


def _measured(resource: Resource, name: str, metric: Any) -> Measured:
    """All of a resource's values, or what each differs by from the one before it."""
    measures = resource.measures.get(name, ())
    values = [(one.at, Fraction(one.value)) for one in measures]
    if method(metric).startswith("rate:"):
        values = [(at, value - before) for (_, before), (at, value) in itertools.pairwise(values)]
    measured: dict[datetime.datetime, list[Fraction]] = {}
    for at, value in values:
        measured.setdefault(at - (at - EPOCH) % granularity(metric), []).append(value)
    return measured


def _buckets(
    revision: Revision, first: bool, metric: Any, measured: Measured, hour: datetime.datetime
) -> Buckets:
    """What one revision has of an hour's buckets.

    :param first: it is its resource's first, so it is stretched back over older measures
    """
    step, found = granularity(metric), {}
    for number in range(HOUR // step):
        begin = hour + number * step
        starts = begin if first else max(revision.begin, begin)
        ends = min(revision.end or begin + step, begin + step)
        if begin in measured and starts < ends:
            value = _aggregated(measured[begin], method(metric).removeprefix("rate:"))
            cover = Fraction((ends - starts) // MICROSECOND, step // MICROSECOND)
            found[begin] = (_in_binary(value) if cover == 1 else _fifteen_digits(value)), cover
    return found


def _aggregated(values: Sequence[Fraction], how: str) -> Fraction:
    match how:
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
    raise NotImplementedError(how)


def _in_binary(value: Fraction) -> Fraction:
    """The number that Gnocchi keeps, as it writes it."""
    return Fraction(repr(float(value)))


def _fifteen_digits(value: Fraction) -> Fraction:
    with decimal.localcontext(prec=15, rounding=decimal.ROUND_HALF_EVEN):
        return Fraction(Decimal(value.numerator) / Decimal(value.denominator))

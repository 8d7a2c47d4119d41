"""Histories of resources, and Gnocchi's revisions of them, for the tests of the arithmetic."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.completion import Completion, Knowledge
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.domain.period import Window
from ratekit.domain.usage.counter import Counter
from ratekit.domain.usage.metric import Metric, Mutate
from ratekit.domain.usage.quantities import Resource as Known
from ratekit.domain.usage.quantities import Usage, usages
from ratekit.domain.usage.reducers import REDUCERS
from ratekit.domain.usage.reduction import Negative, Reduction
from ratekit.domain.usage.remarks import Remark
from tests.fakes import History, Phase, Resource

HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
SIX = datetime.datetime(2026, 1, 1, 6, tzinfo=datetime.UTC)

Instant = datetime.datetime
#: (labels, period's begin) -> quantity
Quantities = dict[tuple[tuple[str | None, ...], Instant], Decimal]


def at(minutes: float) -> Instant:
    """Minutes after six."""
    return SIX + minutes * MINUTE


def build_resource(
    buckets: Mapping[int, float],
    *turns: tuple[float, str],
    name: str = "vm",
    started: float | None = None,
    ended: tuple[float, float] | None = None,
) -> Resource:
    """Return a resource: values by the minute of their bucket, flavors from some minute on.

    :param turns: (minute, flavor) from then on
    :param started: minute at which it started to exist, if not that of its first turn
    :param ended: (minute at which it ceased to exist, minute at which that was recorded)
    """
    if ended is not None:
        last = max(turn for turn in turns if turn[0] <= ended[1])
        turns = tuple(sorted({*turns, (ended[1], last[1])}))
    ends: list[float | None] = [minute for minute, _ in turns[1:]]
    phases = [
        Phase(
            at(minute),
            None if end is None else at(end),
            {"project_id": "p1", "flavor": flavor, "name": name},
            None if ended is None or minute < ended[1] else at(ended[0]),
        )
        for (minute, flavor), end in zip(turns, [*ends, None], strict=True)
    ]
    values = {at(minute): value for minute, value in buckets.items()}
    return Resource("r1", phases, values, None if started is None else at(started))


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a metric, and a window that starts ``first`` hours after six."""

    granularity: int = 3600
    reducer: str = "mean"
    wait: int = 2
    split: bool = True
    first: int = 0
    count: int = 1
    factor: Fraction = Fraction(1)
    mutate: Mutate = Mutate.NONE
    counter: Counter | None = None
    prorate: bool = False
    negative: Negative = Negative.KEEP
    records_until: Instant | None = None

    @property
    def window(self) -> Window:
        return Window(SIX + self.first * HOUR, HOUR, self.count)

    def metric(self) -> Metric:
        zero = Fraction(0)
        return Metric("m", "m", "u", self.factor, zero, (), (), self.mutate, None)

    @property
    def patience(self) -> datetime.timedelta:
        return max(self.wait - 1, 0) * HOUR

    def reduction(self) -> Reduction:
        granularity = datetime.timedelta(seconds=self.granularity)
        return Reduction(
            period_of={
                begin + index * granularity: begin
                for begin in self.window.begins()
                for index in range(HOUR // granularity)
            },
            step=HOUR,
            granularity=granularity,
            patience=self.patience,
            reducer=REDUCERS[self.reducer],
            convert=self.metric().convert,
            quantity=self.metric().quantity,
            split=self.split,
            counter=self.counter,
            prorate=self.prorate,
            negative=self.negative,
            records_until=self.records_until,
        )


def query(settings: Settings, labels: Sequence[str], scopes: Sequence[str]) -> AggregateQuery:
    return AggregateQuery(
        metric="m",
        aggregation_method="mean",
        resource_type="instance",
        scope_key="project_id",
        scopes=scopes,
        groupby=["id", "revision_start", "revision_end", "started_at", "ended_at", *labels],
        start=settings.window.begin - (HOUR if settings.counter else 0 * HOUR),
        stop=settings.window.end + settings.patience,
        granularity=settings.granularity,
        period=HOUR,
    )


def complete_response(
    resource: Resource,
    settings: Settings,
    labels: Sequence[str] = ("flavor",),
    scopes: Sequence[str] = ("p1",),
) -> AggregateResponse:
    """What Gnocchi answers for a window, completed as the collector does."""
    names = [*labels, "project_id"]
    asked = query(settings, names, scopes)
    history = History([resource])
    client: Any = history
    response = AggregateResponse(history.aggregates(asked), names, asked)
    until = max(settings.records_until or asked.stop, asked.stop)
    Completion(client).complete(response, Knowledge(until, settings.counter, settings.window))
    return response


def known_resource(
    resource: Resource,
    settings: Settings,
    labels: Sequence[str] = ("flavor",),
    scopes: Sequence[str] = ("p1",),
) -> Known | None:
    """What the arithmetic gets to know of a resource; None: nothing."""
    response = complete_response(resource, settings, labels, scopes)
    return dict(response.resources()).get(resource.id)


def all_usages(
    resource: Resource,
    settings: Settings,
    labels: Sequence[str] = ("flavor",),
    scopes: Sequence[str] = ("p1",),
    remarks: list[Remark] | None = None,
) -> list[Usage]:
    """The usages of the scopes that are asked for; the project is the last label."""
    known = known_resource(resource, settings, labels, scopes)
    if known is None:
        return []
    rows = usages(known, settings.reduction(), [] if remarks is None else remarks)
    return [usage for usage in rows if usage.labels[-1] in scopes]


def quantities(
    resource: Resource, settings: Settings, labels: Sequence[str] = ("flavor",)
) -> Quantities:
    """The quantities of project p1, without the project among the labels."""
    rows = all_usages(resource, settings, labels)
    result = {(usage.labels[:-1], usage.begin): usage.quantity for usage in rows}
    assert len(result) == len(rows), "a period came twice under one set of labels"
    return result


def by_flavor(quantities: Quantities) -> dict[tuple[str | None, int], Decimal]:
    return {
        (labels[0], (begin - SIX) // HOUR): quantity
        for (labels, begin), quantity in quantities.items()
    }


VALUES = st.integers(0, 10**6).map(lambda number: number / 64)
FLAVORS = st.sampled_from(["small", "large", "huge"])
HOURS = 5


@st.composite
def histories(draw: st.DrawFn) -> tuple[Resource, int]:
    """A resource over five hours after six, and the granularity of its buckets."""
    granularity = draw(st.sampled_from([600, 1200, 3600]))
    birth = draw(st.sampled_from([-300, -60, 0, 30, 65, 100, 120, 200]))
    cuts = draw(st.lists(st.integers(birth + 1, HOURS * 60 + 70), max_size=4, unique=True))
    turns = [(birth, draw(FLAVORS)), *((cut, draw(FLAVORS)) for cut in sorted(cuts))]
    minutes = range(-60, HOURS * 60 + 120, granularity // 60)
    silent = draw(st.sets(st.sampled_from(minutes), max_size=len(minutes)))
    if draw(st.booleans()):
        silent = set()
    buckets = {minute: draw(VALUES) for minute in minutes if minute not in silent}
    return build_resource(buckets, *turns), granularity

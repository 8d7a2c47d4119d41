"""CPU of the collecting stages, from a response's bytes to series, without a network.

    python -m tests.bench.bench_collecting [--rounds 7]

It prints microseconds a frame of each stage, the smallest of some rounds, for windows of 24 and of
one period and buckets of 3600 s and 300 s. Of the resources a third are gauges of few values, a
third gauges of values that are all distinct, with 17 digits, and a third have a counter's
growth; 5 % have two revisions. One metric in a hundred is prorated. Counters whose differences
ratekit takes itself are printed apart.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

from ratekit.cmd import startup
from ratekit.collectors.gnocchi.api.aggregate_query import AggregateQuery
from ratekit.collectors.gnocchi.api.group import AggregateGroup, read_groups
from ratekit.collectors.gnocchi.args import GnocchiArgs
from ratekit.collectors.gnocchi.reduction import build_reduction
from ratekit.collectors.gnocchi.response import AggregateResponse
from ratekit.collectors.gnocchi.usage_series import UsageSeries
from ratekit.domain.period import Window
from ratekit.domain.series import Series
from ratekit.domain.usage.metric import Metric, Mutate

HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
BEGIN = datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)
#: How far requests reach past the window.
PATIENCE = 2 * HOUR
#: (seconds of a bucket, periods, resources of a response)
SHAPES = ((3600, 24, 600), (3600, 1, 3000), (300, 24, 100), (300, 1, 900))
LABELS = ("flavor_id", "flavor_name", "display_name", "host", "image_ref")
Result = TypeVar("Result")


class Case(NamedTuple):
    """A response, and what is to become of it."""

    content: bytes
    metric: Metric
    query: AggregateQuery
    names: Sequence[str]


def build_metric(args: GnocchiArgs, prorate: bool) -> Metric:
    return Metric(
        "m", "m", "GiB", Fraction(1, 1024), Fraction(0), LABELS, ("user_id",), Mutate.NONE, args,
        prorate=prorate,
    )  # fmt: skip


def values(rng: random.Random, kind: int, count: int) -> list[float]:
    """Return a resource's values: of few values, all distinct, or a counter."""
    if kind == 0:
        return [float(512 * rng.randint(1, 4))] * count
    if kind == 1:
        return [rng.random() * 1e9 for _ in range(count)]
    total, result = 1e12, []
    for _ in range(count):
        total += rng.randint(0, 10**6)
        result.append(total)
    return result


def rows(rng: random.Random, kind: int, id_: int, begins: Sequence[Any]) -> Iterator[Any]:
    """Yield the groups of a resource; of one in twenty there are two."""
    granularity = (begins[1] - begins[0]).total_seconds()
    buckets = [
        [begin.isoformat(), granularity, value]
        for begin, value in zip(begins, values(rng, kind, len(begins)), strict=True)
    ]
    group = {
        "display_name": "vm", "ended_at": None, "flavor_id": f"f{id_ % 4}",
        "flavor_name": "m1.small", "host": f"compute-{id_ % 40}", "id": f"{id_:032x}",
        "image_ref": None, "project_id": f"{id_ % 20:032x}",
        "revision_start": f"2026-01-01T00:00:00.{id_:06}+00:00", "revision_end": None,
        "started_at": f"2026-01-01T00:00:00.{id_:06}+00:00", "user_id": "u1",
    }  # fmt: skip
    if id_ % 20:
        yield {"measures": {"measures": {"aggregated": buckets}}, "group": group}
        return
    cut = len(begins) // 2
    turn = begins[cut].isoformat()
    for part, changes in (
        (buckets[:cut], {"revision_end": turn}),
        (buckets[cut:], {"revision_start": turn, "flavor_id": "large"}),
    ):
        yield {"measures": {"measures": {"aggregated": part}}, "group": {**group, **changes}}


def build_case(shape: tuple[int, int, int], kinds: Sequence[int], method: str | None) -> Case:
    seconds, periods, count = shape
    step = datetime.timedelta(seconds=seconds)
    window = Window(BEGIN, HOUR, periods)
    args = GnocchiArgs("instance", "id", "mean", method, seconds)
    start = BEGIN if method is None else BEGIN - HOUR
    stop = window.end + PATIENCE
    begins = [start + index * step for index in range((stop - start) // step)]
    rng = random.Random(1)
    content = [
        row for id_ in range(count) for row in rows(rng, kinds[id_ % len(kinds)], id_, begins)
    ]
    names = (*LABELS, "id", "project_id", "user_id")
    scopes = [f"{index:032x}" for index in range(20)]
    query = AggregateQuery(
        "m", "mean", "instance", "project_id", scopes,
        sorted({*names, "revision_start", "revision_end", "started_at", "ended_at"}),
        start, stop, seconds, HOUR,
    )  # fmt: skip
    return Case(json.dumps(content).encode(), build_metric(args, False), query, names)


def read(case: Case) -> list[AggregateGroup]:
    return read_groups(case.content) or []


def build(case: Case, response: AggregateResponse, window: Window) -> list[Series]:
    args: Any = case.metric.extra_args
    reduction = build_reduction(case.metric, args, window, PATIENCE, case.query.granularity)
    return UsageSeries(response, case.metric, len(LABELS) + 2, reduction).build()


def best(rounds: int, prepare: Callable[[], Any], run: Callable[[Any], Result]) -> float:
    """Return the CPU seconds of the fastest round."""
    seconds = []
    for _ in range(rounds):
        argument = prepare()
        gc.collect()
        start = time.thread_time()
        result = run(argument)
        seconds.append(time.thread_time() - start)
        del result
    return min(seconds)


def measure(name: str, case: Case, window: Window, rounds: int) -> None:
    def respond(groups: list[AggregateGroup]) -> AggregateResponse:
        return AggregateResponse(groups, case.names, case.query)

    frames = sum(len(series.points) for series in build(case, respond(read(case)), window))
    stages = [
        best(rounds, lambda: None, lambda _: read(case)),
        best(rounds, lambda: read(case), respond),
        best(rounds, lambda: respond(read(case)), lambda response: build(case, response, window)),
    ]
    work = best(rounds, lambda: None, lambda _: json.loads(case.content))
    figures = [seconds / frames * 1e6 for seconds in (*stages, sum(stages), work)]
    print(f"{name:<34}" + "".join(f"{figure:10.2f}" for figure in figures), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    startup.limit_garbage_collection()
    print(f"{'us a frame':<34}{'JSON':>10}{'response':>10}{'series':>10}{'all':>10}{'(loads)':>10}")
    for shape in SHAPES:
        seconds, periods, _ = shape
        window = Window(BEGIN, HOUR, periods)
        name = f"{periods} x {seconds} s"
        mixed = build_case(shape, (0, 1, 2), None)
        measure(f"{name}, mixed gauges", mixed, window, options.rounds)
        prorated = mixed._replace(metric=build_metric(mixed.metric.extra_args, True))  # type: ignore[arg-type]
        measure(f"{name}, prorated", prorated, window, options.rounds)
        counters = build_case(shape, (2,), "rate:sum")
        measure(f"{name}, counters", counters, window, options.rounds)


if __name__ == "__main__":
    main()

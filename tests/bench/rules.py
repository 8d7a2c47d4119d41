"""Part *rules*: compiling price rules, and pricing by many of them.

Each figure is the best of several rounds, because other load of the machine disturbs it least.
"""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial

from ratekit.cmd import startup
from ratekit.domain.rules.rule import (
    CostType,
    MappingRule,
    Rule,
    RuleBook,
    RuleTarget,
    Terms,
    ThresholdRule,
)
from ratekit.domain.series import Series
from ratekit.interfaces import Pricer
from ratekit.rating.hashmap import Hashmap
from tests.bench.figures import Row, measure_reference
from tests.bench.options import Options

PART = "rules"
METRICS = 50
SIZES = (10, 1_000, 10_000)
POINTS = 24_000
NEWYEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
FLAT = Terms(Decimal("0.0123"), CostType.FLAT, "uptime")
RATE = Terms(Decimal("1.1"), CostType.RATE, "uptime")


def build_book(size: int, metrics: int = METRICS) -> RuleBook:
    """Return flavor prices of many metrics, a tenth of them for one scope, and some other rules."""
    rules: list[Rule] = []
    for index in range(size):
        scope = f"scope{index}" if index % 10 == 9 else None
        terms = Terms(FLAT.cost, FLAT.type, FLAT.group, scope)
        flavor = RuleTarget(f"metric{index % metrics}", "flavor_name")
        rules.append(MappingRule(flavor, f"flavor{index // metrics}", terms))
    for index in range(min(size, metrics)):
        metric = f"metric{index}"
        rules.append(MappingRule(RuleTarget(metric, "zone"), "nova", RATE))
        if index % 2:
            rules.append(ThresholdRule(RuleTarget(metric), Decimal(10), RATE))
            rules.append(ThresholdRule(RuleTarget(metric, "vcpus"), Decimal(4), RATE))
    return RuleBook(1, tuple(rules))


def build_changing_book(flavors: int, times: int) -> RuleBook:
    """Return flavor prices of one metric; each changes every day at a different second."""
    rules: list[Rule] = []
    for number in range(flavors):
        target, first = RuleTarget("metric0", "flavor_name"), NEWYEAR + number * HOUR / 3600
        bounds = [None, *(first + day * 24 * HOUR for day in range(times - 1)), None]
        for start, end in itertools.pairwise(bounds):
            terms = Terms(FLAT.cost, FLAT.type, FLAT.group, None, start, end)
            rules.append(MappingRule(target, f"flavor{number}", terms))
    return RuleBook(1, tuple(rules))


def build_threshold_book(count: int) -> RuleBook:
    """Return thresholds on the quantity and on a label, all in one group."""
    rules: list[Rule] = [MappingRule(RuleTarget("metric0"), None, FLAT)]
    for level in range(count // 2):
        rules.append(ThresholdRule(RuleTarget("metric0"), Decimal(level), RATE))
        rules.append(ThresholdRule(RuleTarget("metric0", "vcpus"), Decimal(level), RATE))
    return RuleBook(1, tuple(rules))


def usage(metric: str, scope: str = "p1", points: int = 24) -> Series:
    return Series(
        scope=scope,
        metric=metric,
        unit="instance",
        groupby={"id": "0" * 36, "project_id": scope, "flavor_name": "flavor0"},
        metadata={"zone": "nova", "vcpus": "8", "display_name": "web"},
        points=[(NEWYEAR + n * HOUR, Decimal("1.25") + n) for n in range(points)],
    )


def shortest_time(call: Callable[[], object], times: int, rounds: int = 5) -> float:
    """Return the shortest CPU time of one call, in seconds."""
    seconds = []
    for _ in range(rounds):
        begin = time.process_time()
        for _ in range(times):
            call()
        seconds.append((time.process_time() - begin) / times)
    return min(seconds)


def compile_and_price(rules: RuleBook, usages: Sequence[Series]) -> Pricer:
    """Compile and price one usage for each metric and scope: tables are built when needed."""
    pricer = Hashmap().compile(rules)
    for series in usages:
        pricer(series, [Decimal(0)])
    return pricer


def usage_of_each_scope(rules: RuleBook) -> Sequence[Series]:
    keys = {(rule.target.metric, rule.terms.scope or "p1") for rule in rules.rules}
    return [usage(metric, scope, 1) for metric, scope in sorted(keys)]


def microseconds(pricer: Pricer, series: Series) -> float:
    """Return the microseconds that a usage of ``series`` takes."""
    before = [Decimal(0)] * len(series.points)
    times = POINTS // len(before) // 5
    return shortest_time(partial(pricer, series, before), times) / len(before) * 1e6


def run(options: Options) -> Iterator[Row]:
    """Yield what compiling takes, and a price for each usage by these rules.

    "24" and "1" are usages in a series: labels are read once for all of a series.
    """
    startup.limit_garbage_collection()
    for size in SIZES:
        yield _measure_size(size, options.rounds)
    rules = build_book(SIZES[-1])
    scenarios = (
        ("thresholds on quantity and label", rules, usage("metric1")),
        ("rules for one scope", rules, usage("metric9", "scope9")),
        ("10,000 mappings of one metric", build_book(10_000, 1), usage("metric0")),
        ("10,000 thresholds of one group", build_threshold_book(10_000), usage("metric0")),
    )
    for name, book, series in scenarios:
        reference = measure_reference()
        values = {"24, µs/usage": microseconds(Hashmap().compile(book), series)}
        yield Row(PART, name, values, reference)
    book, days = build_changing_book(500, 20), usage("metric0", points=480)
    reference = measure_reference()
    seconds = shortest_time(lambda: Hashmap().compile(book)(days, [Decimal(0)] * 480), 1)
    values = {"compile and price ms": seconds * 1e3}
    yield Row(PART, "500 mappings, changed 20 times, 20 days", values, reference)


def _measure_size(size: int, rounds: int) -> Row:
    rules = build_book(size)
    usages = usage_of_each_scope(rules)
    reference = measure_reference()
    seconds = shortest_time(partial(compile_and_price, rules, usages), 1, rounds)
    pricer = compile_and_price(rules, usages)
    values = {
        "compile and price ms": seconds * 1e3,
        "24, µs/usage": microseconds(pricer, usage("metric0")),
        "1, µs/usage": microseconds(pricer, usage("metric0", points=1)),
        "no rules, µs/usage": microseconds(pricer, usage("none")),
    }
    return Row(PART, f"{size:,} mappings", values, reference)

"""How long compiling price rules and pricing by them takes: python -m tests.bench.bench_hashmap.

Each figure is the best of some rounds, so that a busy machine disturbs it least.
"""

import datetime
import itertools
import time
from collections.abc import Callable, Sequence
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

SERVICES = 50
SIZES = (10, 1_000, 10_000)
POINTS = 24_000
NEWYEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
FLAT = Terms(Decimal("0.0123"), CostType.FLAT, "uptime")
RATE = Terms(Decimal("1.1"), CostType.RATE, "uptime")


def book(size: int, services: int = SERVICES) -> RuleBook:
    """Flavor prices of many services, a tenth of them for one scope, and a few more rules."""
    rules: list[Rule] = []
    for index in range(size):
        own = f"scope{index}" if index % 10 == 9 else None
        terms = Terms(FLAT.cost, FLAT.type, FLAT.group, own)
        flavor = RuleTarget(f"service{index % services}", "flavor_name")
        rules.append(MappingRule(flavor, f"flavor{index // services}", terms))
    for index in range(min(size, services)):
        service = f"service{index}"
        rules.append(MappingRule(RuleTarget(service, "zone"), "nova", RATE))
        if index % 2:
            rules.append(ThresholdRule(RuleTarget(service), Decimal(10), RATE))
            rules.append(ThresholdRule(RuleTarget(service, "vcpus"), Decimal(4), RATE))
    return RuleBook(1, tuple(rules))


def changed(flavors: int, times: int) -> RuleBook:
    """Flavor prices of one service, each changed every day at its own second."""
    rules: list[Rule] = []
    for number in range(flavors):
        target, first = RuleTarget("service0", "flavor_name"), NEWYEAR + number * HOUR / 3600
        bounds = [None, *(first + day * 24 * HOUR for day in range(times - 1)), None]
        for start, end in itertools.pairwise(bounds):
            terms = Terms(FLAT.cost, FLAT.type, FLAT.group, None, start, end)
            rules.append(MappingRule(target, f"flavor{number}", terms))
    return RuleBook(1, tuple(rules))


def levels(count: int) -> RuleBook:
    """Thresholds of one service and of one field, all in one group."""
    rules: list[Rule] = [MappingRule(RuleTarget("service0"), None, FLAT)]
    for level in range(count // 2):
        rules.append(ThresholdRule(RuleTarget("service0"), Decimal(level), RATE))
        rules.append(ThresholdRule(RuleTarget("service0", "vcpus"), Decimal(level), RATE))
    return RuleBook(1, tuple(rules))


def usage(service: str, scope: str = "p1", points: int = 24) -> Series:
    return Series(
        scope=scope,
        metric=service,
        unit="instance",
        groupby={"id": "0" * 36, "project_id": scope, "flavor_name": "flavor0"},
        metadata={"zone": "nova", "vcpus": "8", "display_name": "web"},
        points=[(NEWYEAR + n * HOUR, Decimal("1.25") + n) for n in range(points)],
    )


def best(call: Callable[[], object], times: int, rounds: int = 5) -> float:
    """Return the shortest time of one call, in seconds."""
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(times):
            call()
        found.append((time.perf_counter() - begin) / times)
    return min(found)


def compiled(rules: RuleBook, usages: Sequence[Series]) -> Pricer:
    """Compile and price one usage for each service and scope: tables are made when needed."""
    pricer = Hashmap().compile(rules)
    for series in usages:
        pricer(series, [Decimal(0)])
    return pricer


def everywhere(rules: RuleBook) -> Sequence[Series]:
    whose = {(rule.target.metric, rule.terms.scope or "p1") for rule in rules.rules}
    return [usage(service, scope, 1) for service, scope in sorted(whose)]


def each(pricer: Pricer, series: Series) -> float:
    """Return the microseconds that a usage of ``series`` takes."""
    before = [Decimal(0)] * len(series.points)
    times = POINTS // len(before) // 5
    return best(partial(pricer, series, before), times) / len(before) * 1e6


def main() -> None:
    startup.limit_garbage_collection()
    print("compile: sort all rules and make the tables of all services and scopes")
    print("µs for each usage; labels are looked at once for the usages of one series")
    print("  mappings      compile  24 a series   1 a series   unpriced")
    for size in SIZES:
        rules = book(size)
        usages = everywhere(rules)
        compiling = best(partial(compiled, rules, usages), 1)
        pricer = compiled(rules, usages)
        row = f"{size:>10} {compiling * 1e3:>9.1f} ms"
        for service, points, width in (("service0", 24, 12), ("service0", 1, 12), ("none", 24, 10)):
            row += f" {each(pricer, usage(service, points=points)):>{width}.2f}"
        print(row)
    others = (
        ("thresholds on quantity and field", rules, usage("service1")),
        ("rules of the scope's own", rules, usage("service9", "scope9")),
        ("10,000 mappings of one service", book(10_000, 1), usage("service0")),
        ("10,000 thresholds of one group", levels(10_000), usage("service0")),
    )
    for name, rules, series in others:
        print(f"{name:36} {each(Hashmap().compile(rules), series):>12.2f}")
    rules, days = changed(500, 20), usage("service0", points=480)
    seconds = best(lambda: Hashmap().compile(rules)(days, [Decimal(0)] * 480), 1)
    print(f"compile 500 mappings that changed 20 times, price 20 days: {seconds * 1e3:.1f} ms")


if __name__ == "__main__":
    main()

"""How long compiling price rules and pricing by them takes: python -m tests.bench.bench_hashmap."""

import datetime
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from ratekit.domain.rules import CostType, Mapping, Parent, Rule, RuleBook, Terms, Threshold
from ratekit.domain.series import Series
from ratekit.rating.hashmap import Hashmap

SERVICES = 50
SIZES = (10, 1_000, 10_000)
POINTS = 24_000
NEWYEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def book(size: int) -> RuleBook:
    """Flavor prices of many services, a tenth of them for one scope, and a few more rules."""
    rules: list[Rule] = []
    for index in range(size):
        own = f"scope{index}" if index % 10 == 9 else None
        terms = Terms(Decimal("0.0123"), CostType.FLAT, "uptime", own)
        flavor = Parent(f"service{index % SERVICES}", "flavor_name")
        rules.append(Mapping(flavor, f"flavor{index // SERVICES}", terms))
    for index in range(min(size, SERVICES)):
        service = f"service{index}"
        rate = Terms(Decimal("1.1"), CostType.RATE, "uptime")
        rules.append(Mapping(Parent(service, "zone"), "nova", rate))
        if index % 2:
            rules.append(Threshold(Parent(service), Decimal(10), rate))
            rules.append(Threshold(Parent(service, "vcpus"), Decimal(4), rate))
    return RuleBook(1, tuple(rules))


def usage(service: str, scope: str, points: int) -> Series:
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


def price_everywhere(rules: RuleBook) -> None:
    pricer = Hashmap().compile(rules)
    for index in range(SERVICES):
        pricer(usage(f"service{index}", "p1", 1), [Decimal(0)])


def main() -> None:
    print("compile: sort all rules and make the tables of all services")
    print(f"{'mappings':>10} {'compile':>12} {'24 points':>14} {'1 point':>14} {'no rules':>14}")
    for size in SIZES:
        rules = book(size)
        compiling = best(partial(price_everywhere, rules), 1)
        pricer = Hashmap().compile(rules)
        row = f"{size:>10} {compiling * 1e3:>9.1f} ms"
        for service, points in (("service0", 24), ("service0", 1), ("unpriced", 24)):
            series, before = usage(service, "p1", points), [Decimal(0)] * points
            seconds = best(partial(pricer, series, before), POINTS // points // 5)
            row += f" {seconds / points * 1e6:>8.2f} µs/pt"
        print(row)
    thresholds = usage("service1", "p1", 24)
    seconds = best(partial(pricer, thresholds, [Decimal(0)] * 24), 200)
    print(f"with thresholds on quantity and field: {seconds / 24 * 1e6:.2f} µs/pt of 24")
    own = usage("service9", "scope9", 24)
    seconds = best(partial(pricer, own, [Decimal(0)] * 24), 200)
    print(f"with rules of the scope's own:         {seconds / 24 * 1e6:.2f} µs/pt of 24")


if __name__ == "__main__":
    main()

"""A cloud of four projects with all that goes wrong, until noon of the day of the tests."""

from __future__ import annotations

from decimal import Decimal

from ratekit.admin import hashmap
from ratekit.domain.period import Window
from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.monitoring import ProcessorRecord
from ratekit.domain.reprocessing.task import Order, RepricedWindow, TaskKind, TaskNote
from ratekit.domain.rules.rule import CostType, MappingRule, Rule, RuleTarget, Terms
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries
from ratekit.interfaces import Storage
from tests.api_client import NOW
from tests.contract.given import HOUR, batch, build_series, hour

#: What a name could be, to be taken for markup.
SCRIPT = "<script>alert(1)</script>"
#: Names by id; b fails, c has a gap, d is silent in one metric, e is only late.
NAMES = {"a": SCRIPT, "b": "beta", "c": "gamma", "d": "delta", "e": "epsilon"}
METRICS = ("instance", "volume.size")
#: Until when projects are rated that have no problem, and until when b and e are, in hours.
DUE, FAILED = (NOW - hour(0)) // HOUR - 1, 300
CALENDAR = Calendar(HOUR, 2)
ERROR = f"Gnocchi answered {SCRIPT}"


def fill(storage: Storage) -> None:
    """Store it all."""
    change_rules(storage, -24, "ann", "first", price("m1", "0.1"), price(SCRIPT, "9"))
    _rate(storage, "abcde", 0, 100)
    _observe(storage, "abcde", 99.5)
    _rate(storage, "abde", 100, 20, listed="abde")
    change_rules(storage, 119.5, "bob", SCRIPT, price("m1", "0.2"), price("m2", "7", 500))
    _rate(storage, "abcde", 120, FAILED - 120)
    excluded = [Exclusion("a", "volume.size", SCRIPT, f"bad {SCRIPT}", "replace it")]
    _rate(storage, "acd", FAILED, DUE - FAILED, silent="d", exclusions=excluded)
    states = {state.scope.id: state for state in _observe(storage, "abcde", DUE + 1.5)}
    storage.ledger.postpone([states["b"]], ERROR, NOW + HOUR)
    storage.monitoring.record(ProcessorRecord("host, worker 1", hour(0), NOW, NOW + HOUR))
    _queue_tasks(storage)


def price(flavor: str, cost: str, start: int | None = None) -> Rule:
    """Return the price of a flavor from an hour on."""
    terms = Terms(Decimal(cost), CostType.FLAT, start=None if start is None else hour(start))
    return MappingRule(RuleTarget("instance", "flavor_name"), flavor, terms)


def change_rules(storage: Storage, now: float, maker: str, comment: str, *rules: Rule) -> None:
    """Let these rules be in force from the next period on."""
    plan = hashmap.plan(storage.rules, rules, CALENDAR, hour(now))
    hashmap.make_change(storage.rules, plan, hour(now), maker, comment)


def _observe(storage: Storage, ids: str, now: float) -> list[State]:
    scopes = [Scope(id_, NAMES[id_]) for id_ in ids]
    observation = storage.ledger.observe(scopes, hour(now), hour(0), hour(now))
    return list(observation.states)


def _rate(
    storage: Storage,
    ids: str,
    begin: int,
    count: int,
    *,
    listed: str = "abcde",
    silent: str = "",
    exclusions: list[Exclusion] | None = None,
) -> None:
    states = {state.scope.id: state for state in _observe(storage, listed, begin)}
    series = [
        entry for id_ in ids for entry in _usage(id_, begin, count, volumes=id_ not in silent)
    ]
    storage.ledger.commit(
        batch(
            [states[id_] for id_ in ids],
            *series,
            periods=Window(hour(begin), HOUR, count),
            rules=storage.rules.read().version,
            metrics=METRICS,
            exclusions=exclusions or [],
        )
    )


def _usage(id_: str, begin: int, count: int, volumes: bool) -> list[RatedSeries]:
    """Return instances that are dearer by project, and volumes for nothing but some digits."""
    cost = Decimal("0.1") if begin < 120 else Decimal("0.2")
    quantity = "abcde".index(id_) + 1
    instances = build_series(
        id_,
        [(str(quantity), str(cost * quantity))] * count,
        begin=hour(begin),
        metadata={"flavor_name": "m1"},
    )
    free = build_series(
        id_, [("3", "1E-28")] * count, metric="volume.size", unit="GiB", begin=hour(begin)
    )
    return [instances, free] if volumes else [instances]


def _queue_tasks(storage: Storage) -> None:
    """Queue four tasks: half done, failing, cancelled, untouched."""
    note = TaskNote(f"wrong {SCRIPT}", f"eve {SCRIPT}", NOW - HOUR)
    orders = [
        Order(Scope(id_, NAMES[id_]), hour(10), hour(14), HOUR, TaskKind.COLLECT) for id_ in "abcd"
    ]
    first, failing, cancelled, _ = storage.tasks.add(orders, note)
    task = storage.task_ledger.read(first)
    assert task is not None
    usage = build_series("a", [("1", "0.7"), ("1", "0.7")], begin=hour(10))
    window = RepricedWindow(
        Window(hour(10), HOUR, 3), {hour(12): f"missing {SCRIPT}"}, [usage], 2, METRICS
    )
    storage.task_ledger.swap(task, window, NOW)
    task = storage.task_ledger.read(failing)
    assert task is not None
    storage.task_ledger.postpone(task, ERROR, NOW + HOUR)
    storage.tasks.cancel(cancelled, NOW)

"""Bills to hand on, on every database: each part adds up, and to the whole."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from ratekit.admin import resource_costs
from ratekit.admin.bill import Statement, read_statement
from ratekit.admin.bill.statement import MAX_PARTS
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Reports, Storage
from tests.contract.given import (
    HOUR,
    START,
    batch,
    build_series,
    hour,
    list_scopes,
    note,
    statements,
    window,
)

UTC = datetime.UTC
CALENDAR = Calendar(HOUR, 0)


def read(storage: Storage, *scopes: str, hours: int = 48) -> Statement:
    chosen = frozenset(scopes) if scopes else ALL_SCOPES
    selection = Selection(START, hour(hours), scopes=chosen)
    return read_statement(storage, CALENDAR, selection, UTC)


def rate(storage: Storage, prices: dict[str, Sequence[str]]) -> None:
    states = list_scopes(storage, *prices)
    series = [
        build_series(scope, [("1", price) for price in costs], labels={"id": f"vm of {scope}"})
        for scope, costs in prices.items()
    ]
    hours = max(map(len, prices.values()))
    storage.ledger.commit(batch(states, *series, periods=window(hours)))


class BusyReports:
    """Usage is rated before each report of a snapshot."""

    def __init__(self, reports: Reports, interrupt: Callable[[], None]) -> None:
        self._reports = reports
        self._interrupt = interrupt

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[BusyReports]:
        with self._reports.snapshot() as snapshot:
            yield BusyReports(snapshot, self._interrupt)

    def __getattr__(self, name: str) -> Any:
        report = getattr(self._reports, name)

        def answer(*arguments: Any) -> Any:
            self._interrupt()
            return report(*arguments)

        return answer


def make_busy(storage: Storage) -> Storage:
    """Return the storage with reports between which an hour of project a is rated, for 5 each."""
    hours = iter(range(1, 100))

    def rate_another() -> None:
        begin = hour(next(hours))
        series = build_series("a", [("1", "5")], begin=begin, labels={"id": "new"})
        storage.ledger.commit(batch(list_scopes(storage, "a"), series, periods=window(1, begin)))

    reports: Any = BusyReports(storage.reports, rate_another)
    return dataclasses.replace(storage, reports=reports)


def test_parts_add_up_to_the_whole(storage: Storage) -> None:
    rate(storage, {"a": ["0.1", "1e-28"], "b": ["7"], "c": ["-2", "0"]})
    statement = read(storage)
    assert [(row.id, row.name, row.price) for row in statement.projects] == [
        ("b", "name of b", Decimal(7)),
        ("a", "name of a", Decimal("0.1000000000000000000000000001")),
        ("c", "name of c", Decimal(-2)),
    ]
    assert [part.bill.total for part in statement.parts] == [
        row.price for row in statement.projects
    ]
    [total] = storage.reports.summary(Selection(scopes=ALL_SCOPES), (), UTC)
    assert statement.whole.total == total.price
    for part in statement.parts:
        assert part.bill.resources is not None
        assert add_up(resource.price for resource in part.bill.resources) == part.bill.total


def test_a_chosen_project_without_usage_has_a_part(storage: Storage) -> None:
    rate(storage, {"a": ["1"]})
    list_scopes(storage, "a", "idle")
    assert [part.id for part in read(storage, "a", "idle").parts] == ["a", "idle"]
    assert [part.id for part in read(storage).parts] == ["a"]
    alone = read(storage, "idle")
    assert (alone.project_count, alone.whole.points) == (1, 0)


def test_only_the_dearest_of_many_projects_have_parts(storage: Storage) -> None:
    count = MAX_PARTS + 20
    # Many cost the same, also at the limit.
    rate(storage, {f"p{number:03}": [str(number // 30)] for number in range(count)})
    statement = read(storage)
    assert (statement.project_count, len(statement.projects)) == (count, count)
    assert len(statement.parts) == MAX_PARTS
    prices = [part.bill.total for part in statement.parts]
    assert prices == [row.price for row in statement.projects[:MAX_PARTS]]
    assert all(part.bill.points == 1 for part in statement.parts)


def test_usage_that_is_rated_meanwhile_is_in_all_sums_or_in_none(storage: Storage) -> None:
    rate(storage, {"a": ["1"], "b": ["2"]})
    statement = read(make_busy(storage))
    [part, _] = sorted(statement.parts, key=lambda part: part.id)
    # What was rated before the first report may be in it.
    assert part.bill.total in (1, 6)
    hours = {1: hour(1), 6: hour(2)}[int(part.bill.total)]
    assert statement.whole.total == add_up(part.bill.total for part in statement.parts)
    assert part.bill.resources is not None
    assert add_up(resource.price for resource in part.bill.resources) == part.bill.total
    assert (part.bill.rated_until, part.state.rated_until) == (hours, hours)
    [more] = read(storage, "a").parts
    assert more.bill.total > 11


def test_a_part_costs_the_statements_of_its_resources_alone(storage: Storage) -> None:
    rate(storage, {f"p{number:02}": ["1"] for number in range(12)})
    counts = []
    for projects in (("p01", "p02"), ("p01", "p02", "p03"), ()):
        with statements() as sent:
            statement = read(storage, *projects)
        assert len(statement.parts) == len(projects) or 12
        counts.append(len(sent))
    with statements() as sent:
        resource_costs.read(
            storage.reports, Selection(START, hour(48), scopes=frozenset({"p01"})), 9
        )
    resources = counts[1] - counts[0]
    assert resources <= len(sent)
    assert counts[2] - counts[0] == 10 * resources


def test_purged_frames_leave_the_sums_of_totals(storage: Storage) -> None:
    rate(storage, {"a": ["1"] * 30})
    storage.purge.start(hour(24), totals=False)
    assert [removed.frames for removed in storage.purge.remove(1000)] == [24]
    [part] = read(storage).parts
    assert part.resources_since == hour(24)
    assert part.bill.total == 30
    assert part.bill.resources is not None
    assert add_up(resource.price for resource in part.bill.resources) == 6


def test_prices_of_the_time_range_and_of_the_project(storage: Storage) -> None:
    def rule(cost: str, scope: str | None, begin: float, end: float | None = None) -> MappingRule:
        terms = Terms(
            Decimal(cost),
            CostType.FLAT,
            scope=scope,
            start=hour(begin),
            end=None if end is None else hour(end),
        )
        return MappingRule(RuleTarget("instance"), None, terms)

    rules = [rule("1", None, -9, 0), rule("2", None, 0, 5), rule("3", None, 5), rule("4", "a", 7)]
    rate(storage, {"a": ["1"], "b": ["1"]})
    storage.rules.change(0, [], rules, note())
    statement = read(storage)
    costs = [entry.rule.terms.cost for entry in statement.prices["instance"]]
    assert sorted(costs) == [2, 3]
    special = {part.id: part.prices for part in statement.parts}
    assert [entry.rule.terms.cost for entry in special["a"]["instance"]] == [4]
    assert special["b"] == {}
    alone = read(storage, "a")
    assert alone.prices == {}
    costs = [entry.rule.terms.cost for entry in alone.parts[0].prices["instance"]]
    assert sorted(costs) == [2, 3, 4]


def test_how_many_projects_are_not_rated_to_the_end(storage: Storage) -> None:
    rate(storage, {"a": ["1"], "b": ["1"], "gone": ["1"]})
    storage.scopes.deactivate("gone", hour(1))
    statement = read(storage)
    assert statement.behind == 2
    assert statement.whole.rated_until == hour(1)
    assert read(storage, hours=1).behind == 0

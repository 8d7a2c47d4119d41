"""Bills to hand on, on every database: each part adds up, and to the whole."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from ratekit import errors
from ratekit.admin.bill import Statement, read_statement
from ratekit.admin.bill.statement import MAX_PARTS
from ratekit.domain.reporting.bill import add_up
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.schedule.calendar import Calendar
from ratekit.interfaces import Reports, Storage
from tests.contract.given import HOUR, START, batch, build_series, hour, list_scopes, note, window

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


class BusyReports(Reports):
    """Usage is rated between its reports.

    :param interrupt: is called before each report of resources
    """

    def __init__(self, reports: Reports, interrupt: Callable[[], None]) -> None:
        self._reports = reports
        self._interrupt = interrupt

    def summary_page(self, *arguments: Any) -> Any:
        self._interrupt()
        return self._reports.summary_page(*arguments)

    def scopes(self, *arguments: Any) -> Any:
        return self._reports.scopes(*arguments)

    def summary(self, *arguments: Any) -> Any:
        return self._reports.summary(*arguments)

    def prices(self, *arguments: Any) -> Any:
        return self._reports.prices(*arguments)

    def labels(self) -> Any:
        return self._reports.labels()

    def frames(self, *arguments: Any) -> Any:
        return self._reports.frames(*arguments)

    def count_frames(self, *arguments: Any) -> Any:
        return self._reports.count_frames(*arguments)

    def newest_usage(self, *arguments: Any) -> Any:
        return self._reports.newest_usage(*arguments)

    def coverage(self, *arguments: Any) -> Any:
        return self._reports.coverage(*arguments)


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
    rate(storage, {"a": ["1"]})
    hours = iter([1])

    def rate_another() -> None:
        for begin in hours:
            series = build_series("a", [("1", "5")], begin=hour(begin), labels={"id": "new"})
            states = list_scopes(storage, "a")
            storage.ledger.commit(batch(states, series, periods=window(1, hour(begin))))

    busy = dataclasses.replace(storage, reports=BusyReports(storage.reports, rate_another))
    [part] = read(busy).parts
    assert part.bill.total == 6
    assert part.bill.resources is not None
    assert add_up(resource.price for resource in part.bill.resources) == 6


def test_usage_that_keeps_changing_is_tried_later(storage: Storage) -> None:
    rate(storage, {"a": ["1"]})
    hours = iter(range(1, 100))

    def rate_another() -> None:
        begin = hour(next(hours))
        series = build_series("a", [("1", "5")], begin=begin)
        storage.ledger.commit(batch(list_scopes(storage, "a"), series, periods=window(1, begin)))

    busy = dataclasses.replace(storage, reports=BusyReports(storage.reports, rate_another))
    with pytest.raises(errors.TryLater, match="while the bill was read"):
        read(busy)


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

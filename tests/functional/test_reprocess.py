"""Periods of the real cloud that are collected and priced anew."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ratekit.domain.reprocessing.task import Order, PeriodOutcome, TaskKind, TaskNote
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.scope import Scope
from ratekit.processing.reprocessor import TaskSummary
from tests.functional.conftest import Office
from tests.functional.test_scopes import HOUR, natural


def queue(office: Office, kind: TaskKind) -> int:
    """Have everything that was rated priced anew; return the number of tasks."""
    note = TaskNote("because", "operator", office.plan.end)
    orders = [
        Order(Scope(id_), rated.since, rated.until, HOUR, kind)
        for id_, rated in office.storage.tasks.rated().items()
    ]
    return len(office.storage.tasks.add(orders, note))


def raise_prices(office: Office) -> None:
    """Add a price to all instances that there ever were."""
    rules = office.storage.rules
    terms = Terms(Decimal("0.123456789"), CostType.FLAT, group="surcharge")
    note = ChangeNote(office.plan.end, "operator", retroactive=True)
    rules.change(rules.read().version, [], [MappingRule(RuleTarget("instance"), None, terms)], note)


def test_what_is_collected_anew_is_what_was_collected_first(office: Office) -> None:
    office.rate()
    before = natural(office.frames())
    count = queue(office, TaskKind.COLLECT)
    assert office.finish_tasks() == TaskSummary(done=count)
    assert natural(office.frames()) == before
    accounts = [account for _, account in office.storage.tasks.tasks(ended=True)]
    assert {outcome for one in accounts for outcome in one.periods} == {PeriodOutcome.SAME}
    assert sum(one.new.points for one in accounts) == len(before)


def test_other_prices_come_out_alike_whether_collected_anew_or_not(
    new_office: Callable[[], Office],
) -> None:
    contents = []
    for kind in (None, TaskKind.COLLECT, TaskKind.RATES):
        office = new_office()
        if kind is None:
            raise_prices(office)
        office.rate()
        if kind is not None:
            old = natural(office.frames())
            raise_prices(office)
            queue(office, kind)
            assert office.finish_tasks().failed == 0
            assert natural(office.frames()) != old
        contents.append(natural(office.frames()))
    assert contents[0] == contents[1] == contents[2]

"""Periods of the real cloud that are collected and priced again."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ratekit.domain.reprocessing.task import Order, PeriodOutcome, TaskKind, TaskNote
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.scope import Scope
from ratekit.processing.reprocessor import TaskSummary
from tests.builders import HOUR
from tests.functional.conftest import Deployment
from tests.functional.test_scopes import by_key


def queue(deployment: Deployment, kind: TaskKind) -> int:
    """Queue tasks for all rated periods; return their number."""
    note = TaskNote("because", "operator", deployment.plan.end)
    orders = [
        Order(Scope(id_), rated.since, rated.until, HOUR, kind)
        for id_, rated in deployment.storage.tasks.rated_ranges().items()
    ]
    return len(deployment.storage.tasks.add(orders, note))


def raise_prices(deployment: Deployment) -> None:
    """Add a surcharge to all instances, also in the past."""
    rules = deployment.storage.rules
    terms = Terms(Decimal("0.123456789"), CostType.FLAT, group="surcharge")
    note = ChangeNote(deployment.plan.end, "operator", retroactive=True)
    rules.change(rules.read().version, [], [MappingRule(RuleTarget("instance"), None, terms)], note)


def test_collecting_again_gives_the_same_usage(deployment: Deployment) -> None:
    deployment.rate()
    before = by_key(deployment.frames())
    count = queue(deployment, TaskKind.COLLECT)
    assert deployment.finish_tasks() == TaskSummary(finished_tasks=count)
    assert by_key(deployment.frames()) == before
    accounts = [account for _, account in deployment.storage.tasks.tasks(ended=True)]
    assert {outcome for account in accounts for outcome in account.periods} == {PeriodOutcome.SAME}
    assert sum(account.new.points for account in accounts) == len(before)


def test_new_prices_are_equal_with_and_without_collecting_again(
    new_deployment: Callable[[], Deployment],
) -> None:
    contents = []
    for kind in (None, TaskKind.COLLECT, TaskKind.RATES):
        deployment = new_deployment()
        if kind is None:
            raise_prices(deployment)
        deployment.rate()
        if kind is not None:
            old = by_key(deployment.frames())
            raise_prices(deployment)
            queue(deployment, kind)
            assert deployment.finish_tasks().failed_tasks == 0
            assert by_key(deployment.frames()) != old
        contents.append(by_key(deployment.frames()))
    assert contents[0] == contents[1] == contents[2]

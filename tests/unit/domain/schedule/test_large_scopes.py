"""How often a large scope is divided."""

import pytest

from ratekit.domain.schedule.density import Density
from ratekit.domain.schedule.large_scopes import LargeScopes

LIMIT = 1000


def usage(weight: int) -> Density:
    """Return the density of a scope of which one period weighs so much."""
    return Density(0, weight)


@pytest.fixture
def scopes() -> LargeScopes:
    return LargeScopes()


def test_a_scope_is_large_when_one_period_is_too_much(scopes: LargeScopes) -> None:
    scopes.learn("small", 4, LIMIT, Density(100, 200), load=0.9)
    scopes.learn("large", 4, LIMIT, Density(100, 201), load=0.9)
    assert dict(scopes.max_periods) == {"large": 24}
    assert scopes.parts("small", 24, LIMIT) == 1
    assert scopes.parts("large", 1, LIMIT) == 2
    assert scopes.parts("large", 24, LIMIT) == 6


def test_a_scope_that_shrinks_is_no_longer_large(scopes: LargeScopes) -> None:
    scopes.learn("p1", 1, LIMIT, usage(1500), load=0.9)
    scopes.learn("p1", 1, LIMIT, usage(700), load=0.9)
    assert "p1" in scopes.max_periods
    scopes.learn("p1", 1, LIMIT, usage(499), load=0.9)
    assert "p1" not in scopes.max_periods


def test_each_failure_divides_further_up_to_a_limit(scopes: LargeScopes) -> None:
    parts = []
    while scopes.divide("p1", 1, LIMIT):
        parts.append(scopes.parts("p1", 1, LIMIT))
    assert parts == [8, 64, 512]


def test_a_slow_back_end_is_remembered_until_it_is_fast(scopes: LargeScopes) -> None:
    scopes.divide("p1", 1, LIMIT)
    scopes.learn("p1", 1, LIMIT, usage(900), load=0.9)
    assert scopes.parts("p1", 1, LIMIT) == 8
    for _ in range(3):
        scopes.learn("p1", 1, LIMIT, usage(900), load=0.1)
    assert scopes.parts("p1", 1, LIMIT) == 1
    scopes.learn("p1", 1, LIMIT, usage(400), load=0.1)
    assert "p1" not in scopes.max_periods


def test_a_refused_transaction_leads_to_one_period(scopes: LargeScopes) -> None:
    scopes.shorten("p1")
    assert not scopes.max_periods
    scopes.learn("p1", 1, LIMIT, usage(1500), load=0.1)
    scopes.shorten("p1")
    assert dict(scopes.max_periods) == {"p1": 1}
    scopes.learn("p1", 1, LIMIT, usage(1500), load=0.1)
    assert dict(scopes.max_periods) == {"p1": 1}


def test_parts_become_smaller_where_responses_are_too_large(scopes: LargeScopes) -> None:
    scopes.learn("p1", 1, LIMIT, usage(1500), load=3)
    assert scopes.parts("p1", 1, LIMIT) == 3
    assert scopes.parts("p1", 2, LIMIT) == 6

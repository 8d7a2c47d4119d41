"""How often a large scope is divided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratekit.domain.schedule.density import Density
from ratekit.domain.schedule.large_scopes import LargeScopes, Load

LIMIT = 1000
FAST = Load(time=0.1, share=0.1)
SLOW = Load(time=0.9, share=0.9)


def usage(weight: int) -> Density:
    """Return the density of a scope of which one period weighs so much."""
    return Density(0, weight)


@pytest.fixture
def scopes() -> LargeScopes:
    return LargeScopes()


def test_a_scope_is_large_when_one_period_is_too_much(scopes: LargeScopes) -> None:
    scopes.learn("small", 4, LIMIT, Density(100, 200), SLOW)
    scopes.learn("large", 4, LIMIT, Density(100, 201), SLOW)
    assert dict(scopes.max_periods) == {"large": 24}
    assert scopes.parts("small", 24, LIMIT) == 1
    assert scopes.parts("large", 1, LIMIT) == 2
    assert scopes.parts("large", 24, LIMIT) == 6


def test_a_scope_that_shrinks_is_no_longer_large(scopes: LargeScopes) -> None:
    scopes.learn("p1", 1, LIMIT, usage(1500), SLOW)
    scopes.learn("p1", 1, LIMIT, usage(700), FAST)
    assert "p1" in scopes.max_periods
    scopes.learn("p1", 1, LIMIT, usage(499), FAST)
    assert "p1" not in scopes.max_periods


def test_each_failure_divides_further_up_to_a_limit(scopes: LargeScopes) -> None:
    parts = []
    while scopes.divide("p1", 1, LIMIT):
        parts.append(scopes.parts("p1", 1, LIMIT))
    assert parts == [8, 64, 512]


def test_a_light_scope_whose_requests_fail_is_divided_likewise(scopes: LargeScopes) -> None:
    scopes.divide("p1", 1, LIMIT)
    scopes.learn("p1", 1, LIMIT, usage(10), SLOW)
    scopes.divide("p1", 1, LIMIT)
    first = scopes.parts("p1", 1, LIMIT)
    scopes.divide("p1", 1, LIMIT)
    assert scopes.parts("p1", 1, LIMIT) == 8 * first


@given(st.floats(0, 1000), st.floats(0, 500))
def test_a_slow_back_end_alone_divides_nothing(time: float, weight: float) -> None:
    scopes = LargeScopes()
    for _ in range(30):
        scopes.learn("p1", 1, LIMIT, Density(0, weight), Load(time, 0.1))
        assert scopes.parts("p1", 1, LIMIT) == 1
        assert "p1" not in scopes.max_periods


@given(st.floats(0, 1000), st.integers(1001, 50_000))
def test_a_slow_back_end_does_not_divide_a_large_scope_further(time: float, weight: int) -> None:
    scopes = LargeScopes()
    counts = set()
    for _ in range(30):
        scopes.learn("p1", 1, LIMIT, usage(weight), Load(time, 0.1))
        counts.add(scopes.parts("p1", 1, LIMIT))
    assert counts == {-(-weight // LIMIT)}


def test_a_divided_scope_stays_divided_until_its_parts_are_fast(scopes: LargeScopes) -> None:
    scopes.divide("p1", 1, LIMIT)
    for _ in range(5):
        scopes.learn("p1", 1, LIMIT, usage(900), Load(time=8 * 0.5))
        assert scopes.parts("p1", 1, LIMIT) == 8
    for _ in range(5):
        scopes.learn("p1", 1, LIMIT, usage(400), FAST)
    assert "p1" not in scopes.max_periods


def test_a_refused_transaction_leads_to_one_period_for_now(scopes: LargeScopes) -> None:
    assert not scopes.shorten("p1")
    assert not scopes.max_periods
    scopes.learn("p1", 1, LIMIT, usage(1500), FAST)
    assert scopes.shorten("p1")
    assert not scopes.shorten("p1")
    lengths = []
    for _ in range(30):
        lengths.append(scopes.max_periods["p1"])
        scopes.learn("p1", 1, LIMIT, usage(1500), FAST)
    assert lengths == [*[1] * 25, 2, 4, 8, 16, 24]


def test_parts_become_smaller_where_responses_are_too_large(scopes: LargeScopes) -> None:
    scopes.learn("p1", 1, LIMIT, usage(1500), Load(share=3))
    assert scopes.parts("p1", 1, LIMIT) == 3
    assert scopes.parts("p1", 2, LIMIT) == 6


def test_light_usage_in_large_responses_stays_divided(scopes: LargeScopes) -> None:
    scopes.divide("p1", 1, LIMIT)
    for _ in range(10):
        parts = scopes.parts("p1", 1, LIMIT)
        assert 3 <= parts <= 8
        scopes.learn("p1", 1, LIMIT, usage(10), Load(time=0.5, share=2.5 / parts))


def test_failures_of_a_back_end_that_is_down_are_forgotten(scopes: LargeScopes) -> None:
    scopes.divide("small", 1, LIMIT)
    scopes.learn("large", 1, LIMIT, usage(1500), FAST)
    scopes.divide("large", 1, LIMIT)
    for scope in ("small", "large", "unknown"):
        scopes.relieve(scope, LIMIT)
    assert dict(scopes.max_periods) == {"large": 24}
    assert scopes.parts("large", 1, LIMIT) == 2

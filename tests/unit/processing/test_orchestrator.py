"""The orchestrator: which scopes a cycle rates."""

import dataclasses
import datetime
import logging
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.rules.history import ChangeNote
from ratekit.domain.rules.rule import CostType, MappingRule, RuleTarget, Terms
from ratekit.domain.scope import Scope
from ratekit.processing.cycle import CycleResult
from tests.builders import HOUR, MINUTE, MONTH
from tests.sharing import FakeSharing
from tests.unit.processing.rating_bench import (
    BACK_END_DOWN,
    DUE,
    NOW,
    REFUSED,
    RatingBench,
    always,
    for_scope,
)

RULE = MappingRule(RuleTarget("cpu"), None, Terms(Decimal(1), CostType.FLAT))
NOTE = ChangeNote(NOW, "ann")


def test_when_nothing_is_due_the_collector_is_not_called() -> None:
    bench = RatingBench("a")
    bench.rate()
    calls = len(bench.collector.calls)
    assert bench.rate() == CycleResult()
    assert len(bench.collector.calls) == calls


def test_an_hour_later_one_more_period_is_rated_for_all_at_once() -> None:
    bench = RatingBench("a", "b")
    bench.rate()
    bench.now += HOUR
    bench.rate()
    assert bench.hours_rated() == {"a": DUE + 1, "b": DUE + 1}
    assert [call.scopes for call in bench.collector.calls[-2:]] == [("a", "b")] * 2


def test_a_new_scope_starts_where_the_operator_says() -> None:
    bench = RatingBench("a", start="2026-01-01T04:30:00Z")
    bench.rate()
    assert min(begin for _, _, begin in bench.ledger.frames) == MONTH + 4 * HOUR


def test_a_scope_no_longer_listed_is_rated_up_to_where_it_was_last_seen() -> None:
    bench = RatingBench("a", "b")
    bench.rate()
    bench.fetcher.listed_scopes = [Scope("b")]
    bench.now += 24 * HOUR
    bench.rate()
    # Last seen at 11:00:05, so hour 11 is its last.
    assert bench.hours_rated() == {"a": 12, "b": DUE + 24}
    bench.rate()
    assert bench.ledger.active == {"b"}


def test_a_scope_that_returns_is_not_charged_for_the_time_between() -> None:
    bench = RatingBench("a", "b")
    bench.rate()
    scopes, bench.fetcher.listed_scopes = bench.fetcher.listed_scopes, [Scope("b")]
    for _ in range(2):
        bench.now += 24 * HOUR
        bench.rate()
    bench.fetcher.listed_scopes = scopes
    bench.rate()
    bench.now += 5 * HOUR
    bench.rate()
    hours = {(begin - MONTH) // HOUR for scope, _, begin in bench.ledger.frames if scope == "a"}
    assert hours == {*range(12), *range(11 + 48, 11 + 48 + 4)}


def test_scopes_that_appear_and_disappear_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ratekit")
    bench = RatingBench("a", "b")
    bench.rate()
    bench.rate()
    bench.fetcher.listed_scopes = [Scope("b")]
    bench.now += 24 * HOUR
    for _ in range(3):
        bench.rate()
    messages = [text for text in caplog.messages if "scopes" in text]
    assert messages == [
        "new scopes: 2 (a, b)",
        "scopes that are no longer listed, rated to the end: 1 (a)",
    ]


def test_an_empty_list_of_scopes_is_an_error_and_changes_nothing() -> None:
    bench = RatingBench("a", "b")
    bench.rate()
    bench.fetcher.listed_scopes = []
    bench.now += 5 * HOUR
    with pytest.raises(
        errors.OperatorError, match="the fetcher returned no scopes; assuming a misconfiguration"
    ):
        bench.rate()
    bench.fetcher.listed_scopes = [Scope("a"), Scope("b")]
    assert bench.rate().periods == 2 * 5


def test_many_new_scopes_are_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ratekit")
    RatingBench(*"abcdefg").rate()
    assert "new scopes: 7 (a, b, c, d, e and 2 more)" in caplog.messages


def test_when_the_fetcher_does_not_answer_nothing_happens() -> None:
    bench = RatingBench("a")
    bench.fetcher.error = errors.TryLater("Keystone does not answer")
    with pytest.raises(errors.TryLater, match="Keystone"):
        bench.rate()
    assert bench.ledger.states == {}


def test_a_failed_scope_is_not_tried_before_its_delay_ends() -> None:
    bench = RatingBench("a")
    bench.fail(always(BACK_END_DOWN))
    bench.rate()
    bench.mend()
    calls = len(bench.collector.calls)
    bench.now += MINUTE - datetime.timedelta(seconds=1)
    assert bench.rate() == CycleResult(failed_scopes=1, retry_at=NOW + MINUTE)
    assert len(bench.collector.calls) == calls
    bench.now += datetime.timedelta(seconds=1)
    assert bench.rate().periods == DUE


def test_a_cycle_that_does_not_wait_tries_failed_scopes_at_once() -> None:
    bench = RatingBench("a")
    bench.fail(always(REFUSED))
    bench.rate()
    bench.mend()
    assert bench.rate(wait_for_retry=False).periods == DUE


def test_a_state_off_the_grid_is_put_off_with_the_remedy_and_the_others_are_rated() -> None:
    bench = RatingBench("a", "b")
    bench.rate()
    state = bench.ledger.states["a"]
    bench.ledger.states["a"] = dataclasses.replace(state, rated_until=MONTH + 90 * MINUTE)
    bench.now += HOUR
    delay = bench.now + MINUTE
    assert bench.rate() == CycleResult(frames=2, periods=1, failed_scopes=1, retry_at=delay)
    assert bench.ledger.errors == {
        "a": "rated until 2026-01-01T01:30:00Z, which is not the start of a period of 1 h: "
        "set [collect] period back to its previous value, or see ratekit scope reset"
    }
    assert bench.rate() == CycleResult(failed_scopes=1, retry_at=delay)


def test_daemons_rate_each_scope_exactly_once() -> None:
    scopes = [f"s{number:03d}" for number in range(64)]
    rated = []
    for index in range(3):
        bench = RatingBench(*scopes, sharing=FakeSharing(index, 3))
        assert bench.rate().failed_scopes == 0
        assert set(bench.ledger.states) == set(scopes)
        rated.append({scope for scope, hours in bench.hours_rated().items() if hours})
    assert sorted(scope for part in rated for scope in part) == scopes
    assert min(len(part) for part in rated) > 8


def test_the_earliest_retry_time_is_reported() -> None:
    bench = RatingBench("a", "b")
    bench.fail(for_scope("a", REFUSED))
    first = bench.rate().retry_at
    bench.fail(for_scope("b", REFUSED))
    bench.now += MINUTE / 2
    bench.now += HOUR
    bench.ledger.states["a"] = dataclasses.replace(
        bench.ledger.states["a"], retry_at=bench.now + MINUTE / 3
    )
    assert first == NOW + MINUTE
    assert bench.rate() == CycleResult(failed_scopes=2, retry_at=bench.now + MINUTE / 3)


class TestRequiredRules:
    """Where all prices come from rules, nothing is rated while there has never been a rule."""

    def test_nothing_is_rated_but_scopes_start_when_they_were_first_listed(self) -> None:
        bench = RatingBench("a", requires_rules=True)
        for _ in range(2):
            with pytest.raises(errors.NoRules, match=r"hashmap apply FILE.*without_rules = free"):
                bench.rate()
        assert bench.collector.calls == []
        assert bench.ledger.frames == {}
        # A month later, the first month is still to be rated.
        bench.now += 31 * 24 * HOUR
        bench.rules.change(1, [], [RULE], NOTE)
        bench.rate()
        assert min(begin for _, _, begin in bench.ledger.frames) == MONTH
        assert bench.hours_rated() == {"a": DUE + 31 * 24}

    def test_a_rule_that_has_ended_is_a_rule(self) -> None:
        bench = RatingBench("a", requires_rules=True)
        bench.rules.change(1, [], [RULE], NOTE)
        bench.rules.change(2, [(bench.rules.book.rules[0], MONTH)], [], NOTE)
        bench.rate()
        assert bench.hours_rated() == {"a": DUE}

    def test_when_nothing_is_due_nothing_is_held(self) -> None:
        bench = RatingBench("a", start="now", requires_rules=True)
        assert bench.rate() == CycleResult()

    def test_a_reload_may_allow_it(self) -> None:
        bench = RatingBench("a", requires_rules=True)
        bench.orchestrator.adopt(dataclasses.replace(bench.settings, requires_rules=False))
        bench.rate()
        assert bench.hours_rated() == {"a": DUE}

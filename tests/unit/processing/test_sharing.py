"""Processes that share scopes: who rates what, and what others have already rated."""

from __future__ import annotations

import dataclasses

from ratekit.domain.schedule.division import Turn
from ratekit.processing.run_context import Progress
from tests.builders import HOUR, MINUTE
from tests.sharing import PATIENCE, FakeSharing
from tests.unit.processing.rating_bench import DUE, RatingBench

SCOPES = [f"s{number:02d}" for number in range(24)]


def rated(bench: RatingBench) -> set[str]:
    return {scope for scope, hours in bench.hours_rated().items() if hours}


def with_turn(sharing: FakeSharing, turn: Turn) -> set[str]:
    division = sharing.current()
    return {scope for scope in SCOPES if division.turn(scope) is turn}


def test_a_worker_rates_its_own_scopes_first_and_then_helps() -> None:
    sharing = FakeSharing(worker=0, workers=2)
    bench = RatingBench(*SCOPES, sharing=sharing, limit=DUE)
    bench.rate()
    assert rated(bench) == set(SCOPES)
    calls = [call for call in bench.collector.calls if call.metric == "cpu"]
    order = [scope for call in calls for scope in call.scopes]
    own = with_turn(sharing, Turn.OWN)
    assert 0 < len(own) < len(SCOPES)
    assert set(order[: len(own)]) == own


def test_what_another_worker_has_claimed_is_left_to_it() -> None:
    sharing = FakeSharing(worker=0, workers=2)
    bench = RatingBench(*SCOPES, sharing=sharing)
    bench.now -= DUE * HOUR + HOUR  # nothing is due: only observe
    bench.rate()
    bench.now += DUE * HOUR + HOUR
    sharing.rival_pks = {bench.ledger.states[scope].scope_pk for scope in SCOPES[:5]}
    bench.rate()
    assert rated(bench) == set(SCOPES[5:])
    assert sharing.claims[-1] == []


def test_scopes_of_other_daemons_are_taken_only_after_a_time_without_progress() -> None:
    sharing = FakeSharing(0, 2)
    bench = RatingBench(*SCOPES, sharing=sharing)
    own = with_turn(sharing, Turn.OWN)
    result = bench.rate()
    assert rated(bench) == own
    assert result.look_again_at == bench.now + PATIENCE
    moving = min(with_turn(sharing, Turn.RESCUE))
    bench.now += PATIENCE - MINUTE
    state = bench.ledger.states[moving]
    bench.ledger.states[moving] = dataclasses.replace(state, rated_until=state.rated_until + HOUR)
    bench.rate()
    assert rated(bench) == own | {moving}
    bench.now += MINUTE
    bench.rate()
    assert bench.hours_rated()[moving] == 1
    assert {scope for scope, hours in bench.hours_rated().items() if hours >= DUE} == (
        set(SCOPES) - {moving}
    )


def test_scopes_that_others_have_rated_meanwhile_are_not_collected() -> None:
    bench = RatingBench("a", "b", "c", limit=DUE)

    def rate_elsewhere(progress: Progress) -> None:
        if len(bench.progress) > 1:
            return
        states = bench.ledger.states
        end = states["a"].rated_until
        states["b"] = dataclasses.replace(states["b"], rated_until=end)
        states["c"] = dataclasses.replace(states["c"], rated_until=end - HOUR)

    bench.on_progress = rate_elsewhere
    bench.rate()
    windows = {
        call.scopes: call.window.count for call in bench.collector.calls if call.metric == "cpu"
    }
    assert windows == {("a",): DUE, ("c",): 1}
    assert set(bench.hours_rated().values()) == {DUE}


def test_a_change_of_the_group_ends_the_cycle_after_the_batch() -> None:
    sharing = FakeSharing(0, 1)
    bench = RatingBench(*SCOPES, sharing=sharing, limit=DUE)
    bench.on_progress = lambda _: sharing.resize(2)
    bench.rate()
    bench.on_progress = lambda _: None
    assert len(rated(bench)) == 1
    first = rated(bench)
    bench.rate()
    assert rated(bench) == first | with_turn(sharing, Turn.OWN)

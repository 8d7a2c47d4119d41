"""What every ledger knows about scopes: who is new, who is gone, who is back, who failed."""

from __future__ import annotations

import threading

import pytest

from ratekit import errors
from ratekit.domain.scope import Scope, State
from ratekit.interfaces import Observation, Storage
from tests.contract.conftest import Open
from tests.contract.given import START, batch, hour, listed, rated, statements, window


def observe(
    storage: Storage, *ids: str, now: float, resume: float = 0, start: float = 0
) -> Observation:
    """Let the fetcher list scopes so many hours after the start."""
    scopes = [Scope(one, f"name of {one}") for one in ids]
    return storage.ledger.observe(scopes, hour(now), hour(start), hour(resume))


def advance(storage: Storage, state: State, hours: int) -> None:
    """Rate a scope that used nothing."""
    periods = window(hours, state.rated_until)
    assert not storage.ledger.commit(batch([state], periods=periods)).lost


class TestObserve:
    def test_a_new_scope_starts_at_the_start(self, storage: Storage) -> None:
        seen = observe(storage, "a", now=5.5, start=2)
        (state,) = seen.states
        assert (state.scope, state.rated_until, state.last_seen) == (
            Scope("a", "name of a"),
            hour(2),
            hour(5.5),
        )
        assert seen.added == (state.scope,)
        assert (seen.returned, seen.retired) == ((), ())

    def test_a_known_scope_keeps_its_state(self, storage: Storage) -> None:
        (state,) = observe(storage, "a", now=0).states
        advance(storage, state, 3)
        seen = observe(storage, "a", now=4, start=9, resume=9)
        assert [one.rated_until for one in seen.states] == [hour(3)]
        assert seen.added == ()

    def test_seeing_twice_changes_nothing(self, storage: Storage) -> None:
        first = observe(storage, "a", "b", now=1)
        assert observe(storage, "a", "b", now=1) == Observation(first.states)

    def test_a_new_name_is_kept(self, storage: Storage) -> None:
        observe(storage, "a", "b", now=0)
        seen = storage.ledger.observe(
            [Scope("a", "Zoë"), Scope("b", "name of b")], START, START, START
        )
        assert [one.scope.name for one in seen.states] == ["Zoë", "name of b"]

    def test_a_name_that_is_no_text_holds_nobody_up(self, storage: Storage) -> None:
        odd = [Scope("a", "half \ud800"), Scope("b", "nul \x00")]
        for _ in range(2):
            seen = storage.ledger.observe(odd, START, START, START)
            assert [one.scope.name for one in seen.states] == ["half ?", "nul ?"]
        storage.ledger.postpone(seen.states, "odd \ud800\x00", hour(1))
        assert [one.last_error for one in storage.reports.scopes()] == ["odd ??"] * 2

    def test_a_scope_that_is_gone_stays_until_it_is_rated_up_to_when_it_was_seen(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=1.5).states
        advance(storage, state, 1)
        seen = observe(storage, now=3)
        assert [one.scope.id for one in seen.states] == ["a"]
        assert seen.retired == ()
        advance(storage, seen.states[0], 1)
        seen = observe(storage, now=3)
        assert seen == Observation((), retired=(state.scope,))
        assert observe(storage, now=4) == Observation(())

    def test_a_scope_that_is_back_resumes_without_the_gap(self, storage: Storage) -> None:
        (state,) = observe(storage, "a", now=0.5).states
        advance(storage, state, 1)
        observe(storage, now=2)
        seen = observe(storage, "a", now=8.5, resume=8)
        assert seen.returned == (state.scope,)
        assert [(one.rated_until, one.last_seen) for one in seen.states] == [(hour(8), hour(8.5))]
        assert observe(storage, "a", now=8.5, resume=8).returned == ()

    def test_a_scope_that_is_back_is_never_rated_twice(self, storage: Storage) -> None:
        (state,) = observe(storage, "a", now=0.5).states
        advance(storage, state, 4)
        observe(storage, now=2)
        seen = observe(storage, "a", now=3, resume=3)
        assert [one.rated_until for one in seen.states] == [hour(4)]

    def test_last_seen_never_moves_back(self, storage: Storage) -> None:
        observe(storage, "a", now=2)
        assert observe(storage, "a", now=1).states[0].last_seen == hour(2)

    def test_an_older_list_retires_nobody(self, storage: Storage) -> None:
        (state,) = observe(storage, "a", now=2).states
        advance(storage, state, 5)
        seen = observe(storage, now=1)
        assert (len(seen.states), seen.retired) == (1, ())

    def test_an_id_may_have_255_letters_and_no_more(self, storage: Storage) -> None:
        longest = "ä" * 255
        assert observe(storage, longest, now=0).added == (Scope(longest, f"name of {longest}"),)
        work = batch(list(observe(storage, longest, now=0).states), rated(longest, [("1", "1")]))
        assert storage.ledger.commit(work).frames == 1
        with pytest.raises(errors.OperatorError, match="255"):
            observe(storage, longest + "ä", now=0)

    def test_ids_are_compared_letter_by_letter(self, storage: Storage) -> None:
        assert len(observe(storage, "a", "A", "ä", now=0).added) == 3

    def test_many_scopes_take_as_many_statements_as_few(self, storage: Storage) -> None:
        counts = []
        for size in (5, 200):
            names = [f"{size} {number}" for number in range(size)]
            with statements() as seen:
                observe(storage, *names, now=0)
                observe(storage, *names, now=1)
                observe(storage, now=2)
                observe(storage, *names, now=3)
            counts.append(len(seen))
        assert counts[0] == counts[1] <= 4 * 8

    def test_processors_that_see_the_same_at_once_agree(
        self, storage: Storage, open_another: Open
    ) -> None:
        names = [f"scope {number}" for number in range(30)]
        gate = threading.Barrier(3)
        seen: list[Observation] = []

        def look(mine: Storage, order: int) -> None:
            gate.wait()
            seen.append(observe(mine, *names[::order], now=1))

        threads = [
            threading.Thread(target=look, args=(open_another(), order)) for order in (1, -1, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 3
        assert all({one.scope.id for one in each.states} == set(names) for each in seen)
        assert len(storage.reports.scopes()) == 30


class TestPostpone:
    def test_a_failure_is_counted_and_told(self, storage: Storage) -> None:
        states = listed(storage, "a", "b")
        storage.ledger.postpone(states[:1], "Gnocchi is ill", hour(1))
        storage.ledger.postpone(states[:1], "Gnocchi is worse " + "x" * 5000, hour(2))
        (state,) = listed(storage, "a")
        assert (state.failures, state.retry_at) == (2, hour(2))
        first, second = storage.reports.scopes()
        assert first.last_error is not None
        assert first.last_error.startswith("Gnocchi is worse")
        assert len(first.last_error) <= 1000
        assert (second.failures, second.last_error, second.retry_at) == (0, None, None)

    def test_success_forgets_failures(self, storage: Storage) -> None:
        (state,) = listed(storage, "a")
        storage.ledger.postpone([state], "no", hour(1))
        advance(storage, state, 1)
        (row,) = storage.reports.scopes()
        assert (row.failures, row.last_error, row.retry_at) == (0, None, None)

    def test_a_scope_that_another_processor_has_rated_is_left_alone(self, storage: Storage) -> None:
        (state,) = listed(storage, "a")
        advance(storage, state, 1)
        storage.ledger.postpone([state], "too late", hour(1))
        assert listed(storage, "a")[0].failures == 0

    def test_many_scopes_take_one_statement(self, storage: Storage) -> None:
        states = listed(storage, *(f"scope {number}" for number in range(200)))
        with statements() as seen:
            storage.ledger.postpone(states, "no", hour(1))
        assert len([one for one in seen if one.startswith("UPDATE")]) == 1

    def test_nobody_failed_is_fine(self, storage: Storage) -> None:
        storage.ledger.postpone([], "nothing", hour(1))
        assert listed(storage, "a")[0].failures == 0

"""Every ledger records scopes that are new, missing, listed again, or failed."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.schedule.calendar import Calendar
from ratekit.domain.scope import Scope, State
from ratekit.interfaces import Observation, Storage
from tests.contract.conftest import Open
from tests.contract.given import (
    HOUR,
    START,
    batch,
    build_series,
    hour,
    list_scopes,
    statements,
    window,
)


def observe(
    storage: Storage, *ids: str, now: float, resume: float = 0, start: float = 0
) -> Observation:
    """Record a list of the fetcher, ``now`` hours after the start."""
    scopes = [Scope(id_, f"name of {id_}") for id_ in ids]
    return storage.ledger.observe(scopes, hour(now), hour(start), hour(resume))


def advance(storage: Storage, state: State, hours: int) -> None:
    """Rate a scope without usage."""
    periods = window(hours, state.rated_until)
    assert not storage.ledger.commit(batch([state], periods=periods)).lost_scopes


@pytest.mark.with_fake
class TestObserve:
    def test_a_new_scope_starts_at_the_start(self, storage: Storage) -> None:
        observation = observe(storage, "a", now=5.5, start=2)
        (state,) = observation.states
        assert (state.scope, state.rated_until, state.last_seen) == (
            Scope("a", "name of a"),
            hour(2),
            hour(5.5),
        )
        assert observation.new_scopes == (state.scope,)
        assert (observation.returned_scopes, observation.retired_scopes) == ((), ())

    def test_a_known_scope_keeps_its_state(self, storage: Storage) -> None:
        (state,) = observe(storage, "a", now=0).states
        advance(storage, state, 3)
        observation = observe(storage, "a", now=4, start=9, resume=9)
        assert [state.rated_until for state in observation.states] == [hour(3)]
        assert observation.new_scopes == ()

    def test_the_same_list_twice_changes_nothing(self, storage: Storage) -> None:
        first = observe(storage, "a", "b", now=1)
        assert observe(storage, "a", "b", now=1) == Observation(first.states)

    def test_a_new_name_is_kept(self, storage: Storage) -> None:
        observe(storage, "a", "b", now=0)
        observation = storage.ledger.observe(
            [Scope("a", "Zoë"), Scope("b", "name of b")], START, START, START
        )
        assert [state.scope.name for state in observation.states] == ["Zoë", "name of b"]

    @pytest.mark.databases_only
    def test_a_name_that_is_not_valid_text_does_not_stop_the_rating(self, storage: Storage) -> None:
        invalid_scopes = [Scope("a", "half \ud800"), Scope("b", "nul \x00")]
        for _ in range(2):
            observation = storage.ledger.observe(invalid_scopes, START, START, START)
            assert [state.scope.name for state in observation.states] == ["half ?", "nul ?"]
        storage.ledger.postpone(observation.states, "odd \ud800\x00", hour(1))
        assert [row.last_error for row in storage.reports.scopes(ALL_SCOPES)] == ["odd ??"] * 2

    def test_a_scope_that_is_gone_stays_until_it_is_rated_up_to_when_it_was_seen(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=1.5).states
        advance(storage, state, 1)
        observation = observe(storage, now=3)
        assert [state.scope.id for state in observation.states] == ["a"]
        assert observation.retired_scopes == ()
        advance(storage, observation.states[0], 1)
        observation = observe(storage, now=3)
        assert observation == Observation((), retired_scopes=(state.scope,))
        assert observe(storage, now=4) == Observation(())

    def test_a_scope_that_is_back_resumes_without_the_gap(self, storage: Storage) -> None:
        (state,) = observe(storage, "a", now=0.5).states
        advance(storage, state, 1)
        observe(storage, now=2)
        observation = observe(storage, "a", now=8.5, resume=8)
        assert observation.returned_scopes == (state.scope,)
        assert [(state.rated_until, state.last_seen) for state in observation.states] == [
            (hour(8), hour(8.5))
        ]
        assert observe(storage, "a", now=8.5, resume=8).returned_scopes == ()

    def test_a_scope_that_is_back_is_never_rated_twice(self, storage: Storage) -> None:
        (state,) = observe(storage, "a", now=0.5).states
        advance(storage, state, 4)
        observe(storage, now=2)
        observation = observe(storage, "a", now=3, resume=3)
        assert [state.rated_until for state in observation.states] == [hour(4)]

    def test_the_period_in_which_a_scope_was_last_seen_is_rated_even_if_it_was_at_its_begin(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=1).states
        advance(storage, state, 1)
        observation = observe(storage, now=5)
        assert ([state.scope.id for state in observation.states], observation.retired_scopes) == (
            ["a"],
            (),
        )
        advance(storage, observation.states[0], 1)
        assert observe(storage, now=5).retired_scopes == (state.scope,)

    def test_a_scope_that_is_back_before_it_was_rated_to_its_end_loses_nothing_and_skips_the_gap(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=0.5).states
        observe(storage, now=2.5)
        observation = observe(storage, "a", now=7.5, resume=7)
        assert observation.returned_scopes == (state.scope,)
        # First the hour in which it was last seen before the gap; then from its return on.
        assert [(state.rated_until, state.last_seen) for state in observation.states] == [
            (START, hour(0.5))
        ]
        advance(storage, state, 1)
        observation = observe(storage, "a", now=9.5, resume=9)
        assert [(state.rated_until, state.last_seen) for state in observation.states] == [
            (hour(7), hour(9.5))
        ]
        assert observation.returned_scopes == ()

    def test_a_scope_that_comes_and_goes_while_it_lags_skips_every_gap(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=0.5).states
        observe(storage, now=2.5)
        observe(storage, "a", now=4.5, resume=4)
        observe(storage, now=6.5)
        observe(storage, "a", now=8.5, resume=8)
        ranges = []
        for now in (10.5, 11.5, 12.5):
            (state,) = observe(storage, "a", now=now, resume=now - 0.5).states
            ranges.append((state.rated_until, state.last_seen))
            if state.last_seen < hour(now):
                advance(storage, state, 1)
        assert ranges == [
            (START, hour(0.5)),
            (hour(4), hour(4.5)),
            (hour(8), hour(12.5)),
        ]

    def test_a_scope_that_is_back_and_gone_before_it_was_rated_to_its_end_is_retired_late(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=0.5).states
        observe(storage, now=2.5)
        observe(storage, "a", now=4.5, resume=4)
        (state,) = observe(storage, now=6.5).states
        advance(storage, state, 1)
        (state,) = observe(storage, now=7.5).states
        assert (state.rated_until, state.last_seen) == (hour(4), hour(4.5))
        advance(storage, state, 1)
        assert observe(storage, now=8.5) == Observation((), retired_scopes=(state.scope,))
        assert observe(storage, "a", now=9.5, resume=9).states[0].rated_until == hour(9)

    def test_a_scope_that_is_listed_again_in_the_hour_in_which_it_was_last_seen_has_no_gap(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=2.2).states
        observe(storage, now=2.4)
        observation = observe(storage, "a", now=2.6, resume=2)
        assert [(state.rated_until, state.last_seen) for state in observation.states] == [
            (START, hour(2.6))
        ]
        assert observation.returned_scopes == ()
        advance(storage, state, 5)
        assert observe(storage, "a", now=7.5, resume=7).states[0].rated_until == hour(5)

    def test_a_scope_that_is_listed_again_in_the_next_hour_has_no_gap_either(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=2.2).states
        observe(storage, now=2.4)
        observe(storage, "a", now=3.6, resume=3)
        advance(storage, state, 3)
        (state,) = observe(storage, "a", now=7.5, resume=7).states
        assert (state.rated_until, state.last_seen) == (hour(3), hour(7.5))

    def test_a_scope_that_leaves_and_returns_between_two_lists_has_no_gap(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=0.5).states
        observation = observe(storage, "a", now=50.5, resume=50)
        assert observation == Observation((dataclasses.replace(state, last_seen=hour(50.5)),))

    def test_a_scope_that_leaves_between_two_lists_is_rated_until_it_was_last_listed(
        self, storage: Storage
    ) -> None:
        observe(storage, "a", now=0.5)
        (state,) = observe(storage, now=50.5).states
        assert (state.rated_until, state.last_seen) == (START, hour(0.5))
        advance(storage, state, 1)
        assert observe(storage, now=51.5).retired_scopes == (state.scope,)

    def test_a_scope_that_is_listed_twice_is_one_scope(self, storage: Storage) -> None:
        twice = [Scope("a", "first"), Scope("b", "b"), Scope("a", "last")]
        for returned in ((), (), (Scope("a", "last"), Scope("b", "b"))):
            observation = storage.ledger.observe(twice, hour(1.5), START, START)
            assert sorted(state.scope for state in observation.states) == [
                Scope("a", "last"),
                Scope("b", "b"),
            ]
            assert sorted(observation.returned_scopes) == list(returned)
            if not returned and not observation.new_scopes:
                for state in observation.states:
                    advance(storage, state, 2)
                assert len(observe(storage, now=2).retired_scopes) == 2

    def test_processors_whose_clocks_differ_rate_the_same_and_report_each_change_once(
        self, storage: Storage, open_another: Open
    ) -> None:
        behind = 0.025
        calendar = Calendar(HOUR, 1)
        news: list[tuple[int, str]] = []
        rated_hours: list[int] = []
        for turn in range(12):
            now = turn + 0.01
            ids = "a" if turn < 3 or turn >= 8 else ""
            for processor_storage, at in ((storage, now), (open_another(), now - behind)):
                observation = observe(processor_storage, *ids, now=at, resume=at // 1)
                for scopes in ("new_scopes", "returned_scopes", "retired_scopes"):
                    news += [(turn, scopes) for _ in getattr(observation, scopes)]
                for state in observation.states:
                    due = (calendar.due_scope(state, hour(at)).until - state.rated_until) // HOUR
                    if due > 0:
                        advance(processor_storage, state, due)
                        first = (state.rated_until - START) // HOUR
                        rated_hours += range(first, first + due)
        assert news == [(0, "new_scopes"), (3, "retired_scopes"), (8, "returned_scopes")]
        assert rated_hours == [0, 1, 2, 8, 9, 10]

    def test_a_list_older_than_the_newest_makes_no_scope_missing_or_returned(
        self, storage: Storage
    ) -> None:
        (state,) = observe(storage, "a", now=2.5).states
        assert observe(storage, now=2.4) == Observation((state,))
        observe(storage, now=2.6)
        # Missing from the newest list; an older list changes nothing.
        assert observe(storage, "a", now=2.3, resume=2) == Observation((state,))
        observe(storage, now=2.7)
        assert observe(storage, "a", now=9.5, resume=9).returned_scopes == (state.scope,)
        advance(storage, state, 3)
        assert observe(storage, "a", now=9.6, resume=9).states[0].rated_until == hour(9)

    def test_last_seen_never_moves_back(self, storage: Storage) -> None:
        observe(storage, "a", now=2)
        assert observe(storage, "a", now=1).states[0].last_seen == hour(2)

    def test_an_older_list_retires_no_scope(self, storage: Storage) -> None:
        (state,) = observe(storage, "a", now=2).states
        advance(storage, state, 5)
        observation = observe(storage, now=1)
        assert (len(observation.states), observation.retired_scopes) == (1, ())

    @pytest.mark.databases_only
    def test_an_id_may_have_255_letters_and_no_more(self, storage: Storage) -> None:
        longest = "ä" * 255
        assert observe(storage, longest, now=0).new_scopes == (
            Scope(longest, f"name of {longest}"),
        )
        work = batch(
            list(observe(storage, longest, now=0).states), build_series(longest, [("1", "1")])
        )
        assert storage.ledger.commit(work).frames == 1
        observation = observe(storage, longest + "ä", "b", now=1)
        assert observation.new_scopes == (Scope("b", "name of b"),)

    @pytest.mark.databases_only
    @pytest.mark.parametrize("bad", ["x" * 256, "x\x00", "x\ud800"])
    def test_an_id_that_no_database_can_store_is_skipped_and_reported_once(
        self, storage: Storage, bad: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        for now in range(3):
            observation = observe(storage, bad, "a", now=now)
            assert [state.scope.id for state in observation.states] == ["a"]
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert len(record.getMessage().encode("utf-8", "replace").splitlines()) == 1

    def test_ids_are_compared_by_code_point(self, storage: Storage) -> None:
        assert len(observe(storage, "a", "A", "ä", now=0).new_scopes) == 3

    @pytest.mark.databases_only
    def test_many_scopes_take_as_many_statements_as_few(self, storage: Storage) -> None:
        counts = []
        for first, size in ((1, 5), (5, 200)):
            names = [f"{size} {number}" for number in range(size)]
            observe(storage, now=first - 0.5)  # its scopes and the first list of all cost extra
            with statements() as sent_statements:
                observe(storage, *names, now=first)
                observe(storage, *names, now=first + 1)
                observe(storage, now=first + 2)
                observe(storage, *names, now=first + 3)
            counts.append(len(sent_statements))
        assert counts[0] == counts[1] <= 4 * 8

    def test_processors_that_see_the_same_at_once_agree(
        self, storage: Storage, open_another: Open
    ) -> None:
        names = [f"scope {number}" for number in range(30)]
        barrier = threading.Barrier(3)
        observations: list[Observation] = []

        def look(own_storage: Storage, order: int) -> None:
            barrier.wait()
            observations.append(observe(own_storage, *names[::order], now=1))

        threads = [
            threading.Thread(target=look, args=(open_another(), order)) for order in (1, -1, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(observations) == 3
        assert all(
            {state.scope.id for state in observation.states} == set(names)
            for observation in observations
        )
        assert len(storage.reports.scopes(ALL_SCOPES)) == 30


@pytest.mark.with_fake
class TestPostpone:
    @pytest.mark.databases_only
    def test_a_failure_is_counted_and_reported(self, storage: Storage) -> None:
        states = list_scopes(storage, "a", "b")
        storage.ledger.postpone(states[:1], "Gnocchi is down", hour(1))
        again = list_scopes(storage, "a")
        storage.ledger.postpone(again, "Gnocchi is still down " + "x" * 5000, hour(2))
        (state,) = list_scopes(storage, "a")
        assert (state.failures, state.retry_at) == (2, hour(2))
        first, second = storage.reports.scopes(ALL_SCOPES)
        assert first.last_error is not None
        assert first.last_error.startswith("Gnocchi is still down")
        assert len(first.last_error) <= 1000
        assert (second.failures, second.last_error, second.retry_at) == (0, None, None)

    def test_a_failure_that_is_recorded_twice_is_counted_once(self, storage: Storage) -> None:
        states = list_scopes(storage, "a")
        for _ in range(2):
            storage.ledger.postpone(states, "no", hour(1))
        assert list_scopes(storage, "a")[0].failures == 1

    def test_success_clears_failures(self, storage: Storage) -> None:
        (state,) = list_scopes(storage, "a")
        storage.ledger.postpone([state], "no", hour(1))
        advance(storage, state, 1)
        (row,) = storage.reports.scopes(ALL_SCOPES)
        assert (row.failures, row.last_error, row.retry_at) == (0, None, None)

    def test_a_scope_that_another_processor_has_rated_is_not_changed(
        self, storage: Storage
    ) -> None:
        (state,) = list_scopes(storage, "a")
        advance(storage, state, 1)
        storage.ledger.postpone([state], "too late", hour(1))
        assert list_scopes(storage, "a")[0].failures == 0

    @pytest.mark.databases_only
    def test_many_scopes_take_one_statement(self, storage: Storage) -> None:
        states = list_scopes(storage, *(f"scope {number}" for number in range(200)))
        with statements() as sent_statements:
            storage.ledger.postpone(states, "no", hour(1))
        assert (
            len([statement for statement in sent_statements if statement.startswith("UPDATE")]) == 1
        )

    def test_no_failures_change_nothing(self, storage: Storage) -> None:
        storage.ledger.postpone([], "nothing", hour(1))
        assert list_scopes(storage, "a")[0].failures == 0

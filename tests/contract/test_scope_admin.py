"""What operators do with one scope holds against every processor, whatever it is doing."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from collections.abc import Callable
from decimal import Decimal

import pytest

from ratekit import errors
from ratekit.domain.period import EPOCH
from ratekit.domain.reporting.reports import ALL_SCOPES, ResetPlan, StateRow
from ratekit.domain.scope import Scope, State
from ratekit.domain.series import RatedSeries, Series
from ratekit.interfaces import CommitResult, RatedBatch, Storage
from ratekit.storage.sql import open_storage
from tests.contract.conftest import Open
from tests.contract.given import (
    START,
    Breaking,
    batch,
    build_series,
    hour,
    list_scopes,
    note,
    read_frames,
    total,
    window,
)

ONE = [("1", "0.5")]
THREE = [("1", "0.1"), ("1", "0.2"), ("1", "0.4")]


def row(storage: Storage, scope: str) -> StateRow:
    """Return what reports tell of a scope."""
    return next(row for row in storage.reports.scopes(ALL_SCOPES) if row.id == scope)


def work(state: State, *pairs: tuple[str, str]) -> RatedBatch:
    """Return a batch of a scope from where it is."""
    series = build_series(state.scope.id, pairs, begin=state.rated_until)
    return batch([state], series, periods=window(len(pairs), state.rated_until))


def three_hours(storage: Storage, *scopes: str) -> list[State]:
    """Rate scopes for three hours; return their states."""
    for state in list_scopes(storage, *scopes, now=hour(3.5)):
        assert storage.ledger.commit(work(state, *THREE)).frames == 3
    return list_scopes(storage, *scopes, now=hour(3.5))


class Pausing(Breaking):
    """Points that pause the transaction that writes them."""

    def __init__(self, series: Series) -> None:
        super().__init__(series)
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def interrupt(self) -> None:
        """Wait for the event."""
        self.reached.set()
        self.go_on.wait(20)


def pause_writing(rated_series: RatedSeries) -> tuple[RatedSeries, Pausing]:
    """Return a series that stops the commit that writes it."""
    points = Pausing(rated_series.series)
    return RatedSeries(
        dataclasses.replace(rated_series.series, points=points), rated_series.prices
    ), points


class Doing(threading.Thread):
    """Does something in a thread, and keeps what came of it."""

    def __init__(self, action: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._what = action
        self.result: object = None
        self.start()

    def run(self) -> None:
        """Keep the result or the error."""
        try:
            self.result = self._what()
        except errors.RatekitError as error:
            self.result = error

    def still_waits(self) -> bool:
        """Give it some time; tell whether that was not enough."""
        self.join(0.5)
        return self.is_alive()


class TestDeactivate:
    def test_a_deactivated_scope_is_not_rated_and_still_seen(self, storage: Storage) -> None:
        list_scopes(storage, "a", "b")
        assert storage.scopes.deactivate("a", hour(0.25))
        observation = storage.ledger.observe([Scope("a"), Scope("b")], hour(1.5), START, START)
        assert [state.scope.id for state in observation.states] == ["b"]
        assert (
            observation.new_scopes,
            observation.returned_scopes,
            observation.retired_scopes,
        ) == ((), (), ())
        state_row = row(storage, "a")
        assert (
            state_row.deactivated_at,
            state_row.last_seen,
            state_row.active,
            state_row.rated_until,
        ) == (
            hour(0.25),
            hour(1.5),
            True,
            START,
        )
        assert row(storage, "b").deactivated_at is None

    def test_a_batch_collected_before_is_not_written(
        self, storage: Storage, open_another: Open
    ) -> None:
        states = list_scopes(storage, "a", "b")
        open_another().scopes.deactivate("a", hour(0.25))
        result = storage.ledger.commit(
            batch(states, build_series("a", ONE), build_series("b", ONE))
        )
        assert result == CommitResult(frames=1, lost_scopes=(states[0].scope,))
        assert [frame[0] for frame in read_frames(storage)] == ["b"]
        assert row(storage, "a").rated_until == START

    def test_a_running_commit_is_waited_for(self, storage: Storage, open_another: Open) -> None:
        states = list_scopes(storage, "a")
        series, points = pause_writing(build_series("a", ONE))
        commit = Doing(lambda: storage.ledger.commit(batch(states, series)))
        assert points.reached.wait(20)
        second_storage = open_another()
        deactivation = Doing(lambda: second_storage.scopes.deactivate("a", hour(1)))
        assert deactivation.still_waits()
        points.go_on.set()
        for thread in (commit, deactivation):
            thread.join(20)
        assert (commit.result, deactivation.result) == (CommitResult(frames=1), True)
        assert (row(storage, "a").rated_until, row(storage, "a").deactivated_at) == (
            hour(1),
            hour(1),
        )

    def test_the_second_time_changes_nothing(self, storage: Storage) -> None:
        list_scopes(storage, "a")
        assert storage.scopes.deactivate("a", hour(1))
        assert not storage.scopes.deactivate("a", hour(2))
        assert row(storage, "a").deactivated_at == hour(1)

    def test_a_scope_that_goes_while_it_is_deactivated_is_rated_to_its_end_later(
        self, storage: Storage
    ) -> None:
        list_scopes(storage, "a", now=hour(0.5))
        storage.scopes.deactivate("a", hour(0.6))
        storage.ledger.observe([], hour(5), START, START)
        storage.ledger.observe([Scope("a")], hour(8.5), START, hour(8))
        storage.scopes.activate("a")
        (state,) = list_scopes(storage, "a", now=hour(9.5), resume=hour(9))
        assert (state.rated_until, state.last_seen) == (START, hour(0.5))
        storage.ledger.commit(work(state, *ONE))
        assert list_scopes(storage, "a", now=hour(9.6), resume=hour(9))[0].rated_until == hour(8)


class TestActivate:
    def test_it_resumes_where_it_stopped_without_failures(self, storage: Storage) -> None:
        (state,) = three_hours(storage, "a")
        storage.ledger.postpone([state], "Gnocchi is ill", hour(9))
        storage.scopes.deactivate("a", hour(4))
        assert storage.scopes.activate("a")
        (again,) = list_scopes(storage, "a", now=hour(20))
        assert (again.rated_until, again.failures, again.retry_at) == (hour(3), 0, None)
        assert (row(storage, "a").last_error, row(storage, "a").deactivated_at) == (None, None)

    def test_it_may_resume_later(self, storage: Storage) -> None:
        three_hours(storage, "a")
        storage.scopes.deactivate("a", hour(4))
        assert storage.scopes.activate("a", hour(10))
        assert list_scopes(storage, "a", now=hour(20))[0].rated_until == hour(10)

    def test_it_cannot_resume_earlier(self, storage: Storage) -> None:
        three_hours(storage, "a")
        storage.scopes.deactivate("a", hour(4))
        with pytest.raises(errors.OperatorError, match="ratekit scope reset"):
            storage.scopes.activate("a", hour(2))
        assert row(storage, "a").deactivated_at == hour(4)
        assert storage.scopes.activate("a", hour(3))

    def test_an_active_scope_is_not_changed(self, storage: Storage) -> None:
        (state,) = list_scopes(storage, "a")
        assert not storage.scopes.activate("a")
        with pytest.raises(errors.OperatorError, match="not deactivated"):
            storage.scopes.activate("a", hour(5))
        assert list_scopes(storage, "a") == [state]

    def test_a_batch_from_before_is_not_written_if_it_resumes_later(self, storage: Storage) -> None:
        (state,) = three_hours(storage, "a")
        storage.scopes.deactivate("a", hour(4))
        storage.scopes.activate("a", hour(10))
        assert storage.ledger.commit(work(state, *ONE)).lost_scopes == (state.scope,)


class TestReset:
    def test_a_plan_counts_what_would_be_removed_and_changes_nothing(
        self, storage: Storage
    ) -> None:
        three_hours(storage, "a", "b")
        assert storage.scopes.plan_reset("a", hour(1)) == ResetPlan(
            scope="a",
            since=hour(1),
            rated_until=hour(3),
            resets=0,
            step=datetime.timedelta(hours=1),
            frames=2,
            price=Decimal("0.6"),
            rated_since=hour(0),
        )
        assert total(storage, "a") == (3, Decimal("0.7"))
        nothing = storage.scopes.plan_reset("a", hour(3))
        assert (nothing.frames, nothing.price) == (0, Decimal(0))

    def test_it_removes_the_charges_of_one_scope_since_then(
        self, storage: Storage, url: str
    ) -> None:
        three_hours(storage, "a", "b")
        domains = open_storage(url, scope_key="domain_id", fetcher="static", collector="gnocchi")
        three_hours(domains, "a")
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(1)))
        assert [(id_, begin) for id_, begin, _, _ in read_frames(storage)] == [
            ("a", hour(0)),
            ("b", hour(0)),
            ("b", hour(1)),
            ("b", hour(2)),
        ]
        assert total(storage, "a") == (1, Decimal("0.1"))
        assert total(storage, "b") == total(domains, "a") == (3, Decimal("0.7"))
        states = list_scopes(storage, "a", "b", now=hour(4))
        assert [state.rated_until for state in states] == [hour(1), hour(3)]

    def test_it_is_rated_again_to_the_same_frames(self, storage: Storage) -> None:
        three_hours(storage, "a")
        before = read_frames(storage), total(storage)
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(1)))
        (state,) = list_scopes(storage, "a", now=hour(4))
        assert storage.ledger.commit(work(state, *THREE[1:])).frames == 2
        assert (read_frames(storage), total(storage)) == before

    def test_a_period_rated_after_the_plan_is_a_conflict(
        self, storage: Storage, open_another: Open
    ) -> None:
        (state,) = three_hours(storage, "a")
        plan = storage.scopes.plan_reset("a", hour(1))
        open_another().ledger.commit(work(state, *ONE))
        with pytest.raises(errors.Conflict, match="rated until 2026-03-01T04:00:00Z") as caught:
            storage.scopes.reset(plan)
        assert "\n" not in str(caught.value)
        assert total(storage) == (4, Decimal("1.2"))
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(1)))
        assert total(storage) == (1, Decimal("0.1"))

    def test_a_plan_can_be_used_once(self, storage: Storage) -> None:
        three_hours(storage, "a")
        plan = storage.scopes.plan_reset("a", hour(3))
        storage.scopes.reset(plan)
        with pytest.raises(errors.Conflict):
            storage.scopes.reset(plan)

    def test_a_batch_from_before_is_not_written_even_if_it_begins_there(
        self, storage: Storage, open_another: Open
    ) -> None:
        (slow,) = list_scopes(storage, "a")
        three_hours(open_another(), "a")
        storage.scopes.reset(storage.scopes.plan_reset("a", START))
        # It was collected for the very hour to which the scope was reset, by old data.
        assert storage.ledger.commit(work(slow, ("9", "9"))).lost_scopes == (slow.scope,)
        assert read_frames(storage) == []
        (state,) = list_scopes(storage, "a")
        assert storage.ledger.commit(work(state, *ONE)).frames == 1

    def test_a_running_commit_is_waited_for_and_is_a_conflict(
        self, storage: Storage, open_another: Open
    ) -> None:
        (state,) = three_hours(storage, "a")
        series, points = pause_writing(build_series("a", ONE, begin=hour(3)))
        second_storage = open_another()
        plan = second_storage.scopes.plan_reset("a", hour(1))
        commit = Doing(
            lambda: storage.ledger.commit(batch([state], series, periods=window(1, hour(3))))
        )
        assert points.reached.wait(20)
        reset = Doing(lambda: second_storage.scopes.reset(plan))
        assert reset.still_waits()
        points.go_on.set()
        for thread in (commit, reset):
            thread.join(20)
        assert commit.result == CommitResult(frames=1)
        assert isinstance(reset.result, errors.Conflict)
        assert total(storage) == (4, Decimal("1.2"))

    def test_a_commit_and_a_reset_at_once_leave_no_hole_and_charge_nothing_twice(
        self, storage: Storage, open_another: Open
    ) -> None:
        second_storage = open_another()
        for turn in range(10):
            name = f"scope {turn}"
            (state,) = three_hours(storage, name)
            plan = second_storage.scopes.plan_reset(name, hour(1))
            barrier = threading.Barrier(2)

            def rate(state: State = state, barrier: threading.Barrier = barrier) -> CommitResult:
                barrier.wait()
                return storage.ledger.commit(work(state, *ONE))

            def reset(plan: ResetPlan = plan, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                second_storage.scopes.reset(plan)

            both = Doing(rate), Doing(reset)
            for thread in both:
                thread.join(20)
            committed, refused = both[0].result, both[1].result
            assert isinstance(committed, CommitResult)
            if refused is None:
                assert committed.lost_scopes == (state.scope,)
                assert (total(storage, name)[0], row(storage, name).rated_until) == (1, hour(1))
            else:
                assert isinstance(refused, errors.Conflict)
                assert committed.frames == 1
                assert (total(storage, name)[0], row(storage, name).rated_until) == (4, hour(4))

    def test_price_rules_stay_closed_for_what_was_charged(self, storage: Storage) -> None:
        three_hours(storage, "a")
        storage.scopes.reset(storage.scopes.plan_reset("a", START))
        assert storage.rules.last_rated_end() == hour(3)
        (state,) = list_scopes(storage, "a")
        storage.ledger.commit(work(state, *ONE))
        assert storage.rules.last_rated_end() == hour(3)
        with pytest.raises(errors.OperatorError, match="has been rated"):
            storage.rules.change(0, [], [], note(hour(5)), unrated_since=EPOCH)

    def test_failures_are_cleared(self, storage: Storage) -> None:
        (state,) = three_hours(storage, "a")
        storage.ledger.postpone([state], "off the grid", hour(9))
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(2)))
        state_row = row(storage, "a")
        assert (state_row.failures, state_row.last_error, state_row.retry_at) == (0, None, None)

    def test_a_deactivated_scope_stays_so(self, storage: Storage) -> None:
        three_hours(storage, "a")
        storage.scopes.deactivate("a", hour(4))
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(2)))
        assert row(storage, "a").deactivated_at == hour(4)
        assert storage.ledger.observe([Scope("a")], hour(5), START, START).states == ()

    def test_a_scope_that_is_gone_is_rated_to_its_end_once_more(self, storage: Storage) -> None:
        (state,) = list_scopes(storage, "a", now=hour(2.5))
        storage.ledger.commit(work(state, *THREE))
        assert storage.ledger.observe([], hour(6), START, START).retired_scopes == (state.scope,)
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(1)))
        (again,) = storage.ledger.observe([], hour(7), START, START).states
        assert (again.rated_until, again.last_seen) == (hour(1), hour(2.5))
        storage.ledger.commit(work(again, *THREE[1:]))
        assert storage.ledger.observe([], hour(8), START, START).retired_scopes == (state.scope,)
        assert total(storage) == (3, Decimal("0.7"))

    def test_a_scope_that_is_gone_and_reset_returns_without_the_gap(self, storage: Storage) -> None:
        (state,) = list_scopes(storage, "a", now=hour(2.5))
        storage.ledger.commit(work(state, *THREE))
        storage.ledger.observe([], hour(6), START, START)
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(1)))
        (again,) = list_scopes(storage, "a", now=hour(9.5), resume=hour(9))
        assert (again.rated_until, again.last_seen) == (hour(1), hour(2.5))
        storage.ledger.commit(work(again, *THREE[1:]))
        assert list_scopes(storage, "a", now=hour(9.6), resume=hour(9))[0].rated_until == hour(9)

    @pytest.mark.parametrize("gaps", [False, True])
    def test_gaps_stay_unless_they_are_to_be_rated(self, storage: Storage, gaps: bool) -> None:
        (state,) = list_scopes(storage, "a", now=hour(0.5))
        storage.ledger.commit(work(state, *ONE))
        storage.ledger.observe([], hour(3), START, START)
        (state,) = list_scopes(storage, "a", now=hour(5.5), resume=hour(5))
        storage.ledger.commit(work(state, *ONE))
        storage.scopes.deactivate("a", hour(6))
        storage.scopes.activate("a", hour(8))
        (state,) = list_scopes(storage, "a", now=hour(9.5))
        storage.ledger.commit(work(state, *ONE))
        before = read_frames(storage)
        assert [begin for _, begin, _, _ in before] == [hour(0), hour(5), hour(8)]

        storage.scopes.reset(storage.scopes.plan_reset("a", START), gaps=gaps)
        starts = []
        for _ in range(9):
            (state,) = list_scopes(storage, "a", now=hour(9.5))
            starts.append(state.rated_until)
            if state.rated_until == hour(9):
                break
            storage.ledger.commit(work(state, *ONE))
        if gaps:
            assert starts == [hour(number) for number in range(9)]
        else:
            assert starts == [hour(0), hour(5), hour(8), hour(9)]
            assert read_frames(storage) == before

    def test_a_gap_that_is_rated_from_its_middle_on_remains_before_that(
        self, storage: Storage
    ) -> None:
        three_hours(storage, "a")
        storage.scopes.deactivate("a", hour(3))
        storage.scopes.activate("a", hour(8))
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(5)), gaps=True)
        assert list_scopes(storage, "a", now=hour(9.5))[0].rated_until == hour(5)
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(2)))
        (state,) = list_scopes(storage, "a", now=hour(9.5))
        storage.ledger.commit(work(state, *ONE))
        assert list_scopes(storage, "a", now=hour(9.5))[0].rated_until == hour(5)

    def test_a_gap_that_is_rated_does_not_block_a_later_reset(self, storage: Storage) -> None:
        three_hours(storage, "a")
        storage.scopes.deactivate("a", hour(3))
        storage.scopes.activate("a", hour(8))
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(2)), gaps=True)
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(1)))
        (state,) = list_scopes(storage, "a", now=hour(9.5))
        assert (state.rated_until, state.last_seen) == (hour(1), hour(9.5))


@pytest.mark.parametrize(
    "change",
    [
        lambda scopes: scopes.deactivate("x", START),
        lambda scopes: scopes.activate("x"),
        lambda scopes: scopes.plan_reset("x", START),
        lambda scopes: scopes.reset(ResetPlan("x", START, START, 0, None, 0, Decimal(0))),
    ],
)
def test_an_unknown_scope_is_an_operators_error(
    storage: Storage, change: Callable[[object], object]
) -> None:
    list_scopes(storage, "a")
    with pytest.raises(errors.OperatorError, match=r"\Ano scope 'x'\Z"):
        change(storage.scopes)

"""Every ledger charges each period exactly once, and completely."""

from __future__ import annotations

import dataclasses
import datetime
import multiprocessing
import signal
import threading
from decimal import Decimal
from fractions import Fraction

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratekit import errors
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.domain.scope import Scope
from ratekit.domain.series import Shared
from ratekit.interfaces import CommitResult, Storage
from ratekit.storage.sql import open_storage
from tests.contract.conftest import Open
from tests.contract.given import (
    START,
    Killing,
    batch,
    build_breaking_series,
    build_series,
    hour,
    list_scopes,
    note,
    read_frames,
    statements,
    total,
    window,
)

ONE = [("1", "0.5")]


@pytest.mark.with_fake
class TestCommit:
    def test_frames_and_states_are_written_together(self, storage: Storage) -> None:
        states = list_scopes(storage, "a")
        result = storage.ledger.commit(batch(states, build_series("a", ONE)))
        assert result == CommitResult(frames=1, lost_scopes=())
        assert read_frames(storage) == [("a", START, Decimal(1), Decimal("0.5"))]
        assert total(storage) == (1, Decimal("0.5"))
        assert list_scopes(storage, "a")[0].rated_until == hour(1)

    def test_what_a_quantity_is_a_share_of_is_stored_and_nothing_where_it_is_not(
        self, storage: Storage
    ) -> None:
        states = list_scopes(storage, "a", "b", "c")
        pairs, least = [("1", "1"), ("2", "2"), ("3", "3")], "1E-18"
        work = batch(
            states,
            build_series("a", pairs, shared={0: ("3", "0.333333333333333333"), 2: (least, least)}),
            build_series("b", pairs),
            build_series("c", pairs, shared={1: ("9" * 47 + "." + "9" * 18, "1")}),
            periods=window(3),
        )
        assert storage.ledger.commit(work).frames == 9
        assert {
            (frame.scope, frame.begin, frame.shared)
            for frame in storage.reports.frames(Selection(scopes=ALL_SCOPES))
        } == {
            ("a", hour(0), Shared(Decimal(3), Decimal("0.333333333333333333"))),
            ("a", hour(1), None),
            ("a", hour(2), Shared(Decimal(least), Decimal(least))),
            *(("b", hour(number), None) for number in range(3)),
            ("c", hour(0), None),
            ("c", hour(1), Shared(Decimal("9" * 47 + "." + "9" * 18), Decimal(1))),
            ("c", hour(2), None),
        }

    def test_a_silent_scope_is_advanced_without_frames(self, storage: Storage) -> None:
        states = list_scopes(storage, "a")
        assert storage.ledger.commit(batch(states)).frames == 0
        assert list_scopes(storage, "a")[0].rated_until == hour(1)

    def test_the_same_batch_is_written_once(self, storage: Storage) -> None:
        work = batch(list_scopes(storage, "a"), build_series("a", ONE))
        storage.ledger.commit(work)
        assert storage.ledger.commit(work) == CommitResult(
            frames=0, lost_scopes=(Scope("a", "name of a"),)
        )
        assert total(storage) == (1, Decimal("0.5"))

    def test_a_scope_that_lost_is_skipped_and_the_others_commit(self, storage: Storage) -> None:
        states = list_scopes(storage, "a", "b", "c")
        storage.ledger.commit(batch(states[1:2], build_series("b", [("1", "7")])))
        result = storage.ledger.commit(batch(states, *(build_series(name, ONE) for name in "abc")))
        assert result == CommitResult(frames=2, lost_scopes=(Scope("b", "name of b"),))
        assert total(storage, "b") == (1, Decimal(7))
        assert total(storage, "a", "c") == (2, Decimal(1))
        assert {state.rated_until for state in list_scopes(storage, "a", "b", "c")} == {hour(1)}

    def test_refreshed_states_show_what_others_have_done(self, storage: Storage) -> None:
        first, second, third = states = list_scopes(storage, "a", "b", "c")
        assert list(storage.ledger.refresh(states)) == list(states)
        storage.ledger.commit(batch([second], periods=window(2)))
        storage.ledger.postpone([third], "no reply", hour(9))
        assert list(storage.ledger.refresh([third, second])) == [
            dataclasses.replace(third, failures=1, retry_at=hour(9)),
            dataclasses.replace(second, rated_until=hour(2)),
        ]
        assert list(storage.ledger.refresh([first])) == [first]
        assert list(storage.ledger.refresh([])) == []

    def test_a_scope_that_is_no_longer_rated_is_missing_from_refreshed_states(
        self, storage: Storage
    ) -> None:
        states = list_scopes(storage, "a", "b", now=hour(-0.5))
        storage.ledger.observe([states[1].scope], hour(1), START, START)
        assert list(storage.ledger.refresh(states)) == [states[1]]

    def test_an_inactive_scope_loses(self, storage: Storage) -> None:
        (state,) = list_scopes(storage, "a", now=hour(-0.5))
        storage.ledger.observe([], hour(1), START, START)
        result = storage.ledger.commit(batch([state], build_series("a", ONE)))
        assert result == CommitResult(frames=0, lost_scopes=(state.scope,))
        assert read_frames(storage) == []

    def test_two_processors_that_commit_at_once_charge_once(
        self, storage: Storage, open_another: Open
    ) -> None:
        names = [f"scope {number}" for number in range(20)]
        work = batch(list_scopes(storage, *names), *(build_series(name, ONE) for name in names))
        barrier = threading.Barrier(4)
        results: list[CommitResult] = []

        def commit(own_storage: Storage) -> None:
            barrier.wait()
            results.append(own_storage.ledger.commit(work))

        threads = [threading.Thread(target=commit, args=(open_another(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(result.frames for result in results) == 20
        assert sum(len(result.lost_scopes) for result in results) == 3 * 20
        assert total(storage) == (20, Decimal(10))

    def test_processors_that_share_some_scopes_charge_each_once(
        self, storage: Storage, open_another: Open
    ) -> None:
        names = [f"scope {number}" for number in range(12)]
        states = list_scopes(storage, *names)
        barrier = threading.Barrier(3)
        results: list[CommitResult] = []

        def commit(own_storage: Storage, first: int) -> None:
            batch_states = states[first : first + 8]
            work = batch(
                batch_states,
                *(build_series(state.scope.id, ONE) for state in reversed(batch_states)),
            )
            barrier.wait()
            results.append(own_storage.ledger.commit(work))

        threads = [
            threading.Thread(target=commit, args=(open_another(), first)) for first in (0, 2, 4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(result.frames for result in results) == 12
        assert total(storage) == (12, Decimal(6))

    @pytest.mark.databases_only
    def test_a_commit_that_fails_halfway_writes_nothing(self, storage: Storage) -> None:
        states = list_scopes(storage, "a", "b")
        work = batch(states, build_series("a", ONE), build_breaking_series(build_series("b", ONE)))
        with pytest.raises(InterruptedError):
            storage.ledger.commit(work)
        assert read_frames(storage) == []
        assert list_scopes(storage, "a", "b") == states
        again = batch(states, build_series("a", ONE), build_series("b", ONE))
        assert storage.ledger.commit(again).frames == 2

    def test_a_processor_killed_halfway_writes_nothing(self, storage: Storage, url: str) -> None:
        states = list_scopes(storage, "a", "b")
        process = multiprocessing.get_context("spawn").Process(target=commit_and_die, args=(url,))
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
        assert read_frames(storage) == []
        work = batch(states, build_series("a", ONE), build_series("b", ONE))
        assert storage.ledger.commit(work) == CommitResult(frames=2)

    def test_changed_rules_raise_and_nothing_is_written(self, storage: Storage) -> None:
        states = list_scopes(storage, "a")
        version = storage.rules.change(0, [], [], note())
        with pytest.raises(errors.RulesChanged):
            storage.ledger.commit(batch(states, build_series("a", ONE), rules=0))
        assert read_frames(storage) == []
        assert (
            storage.ledger.commit(batch(states, build_series("a", ONE), rules=version)).frames == 1
        )

    @pytest.mark.databases_only
    @pytest.mark.parametrize(
        ("quantity", "price"),
        [
            ("1e48", "1"),
            ("1", "1e38"),
            ("0." + "0" * 18 + "1", "1"),
            ("1", "0." + "0" * 28 + "1"),
            ("NaN", "1"),
            ("1", "Infinity"),
        ],
    )
    def test_a_value_that_does_not_fit_is_refused_whole(
        self, storage: Storage, quantity: str, price: str
    ) -> None:
        states = list_scopes(storage, "a", "b")
        work = batch(states, build_series("a", ONE), build_series("b", [(quantity, price)]))
        with pytest.raises(errors.OperatorError, match="metric instance"):
            storage.ledger.commit(work)
        assert read_frames(storage) == []
        assert list_scopes(storage, "a", "b") == states

    @pytest.mark.databases_only
    @pytest.mark.parametrize(
        ("whole", "share"),
        [
            ("1e48", "0.5"),
            ("0." + "0" * 18 + "1", "0.5"),
            ("NaN", "0.5"),
            ("1", "10"),
            ("1", "0." + "3" * 19),
            ("1", "NaN"),
        ],
    )
    def test_a_whole_or_a_share_that_does_not_fit_is_refused_whole(
        self, storage: Storage, whole: str, share: str
    ) -> None:
        states = list_scopes(storage, "a")
        work = batch(states, build_series("a", ONE, shared={0: (whole, share)}))
        with pytest.raises(errors.OperatorError, match="metric instance"):
            storage.ledger.commit(work)
        assert read_frames(storage) == []

    @pytest.mark.databases_only
    def test_a_sum_that_does_not_fit_is_refused_whole(self, storage: Storage) -> None:
        states = list_scopes(storage, "a")
        largest_price = "9" * 37
        work = batch(
            states,
            build_series("a", [("1", largest_price)], labels={"id": "1"}),
            build_series("a", [("1", largest_price)], labels={"id": "2"}),
        )
        with pytest.raises(errors.OperatorError, match="a sum"):
            storage.ledger.commit(work)
        assert read_frames(storage) == []

    def test_frames_that_are_there_although_the_state_says_no_are_an_operators_error(
        self, storage: Storage, url: str
    ) -> None:
        states = list_scopes(storage, "a")
        storage.ledger.commit(batch(states, build_series("a", ONE)))
        engine = sa.create_engine(sa.make_url(url))
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE scopes SET rated_until = '2026-03-01 00:00:00.000000'"
            )
        engine.dispose()
        with pytest.raises(errors.OperatorError) as caught:
            storage.ledger.commit(batch(states, build_series("a", ONE)))
        assert "\n" not in str(caught.value)
        assert total(storage) == (1, Decimal("0.5"))

    def test_descriptors_outlive_a_database_that_was_restored_from_a_backup(
        self, storage: Storage, open_another: Open, url: str
    ) -> None:
        states = list_scopes(storage, "a")
        storage.ledger.commit(batch(states, build_series("a", ONE, labels={"id": "old"})))
        engine = sa.create_engine(sa.make_url(url))
        with engine.begin() as connection:
            for table in ("totals", "frames", "descriptors"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
            connection.exec_driver_sql(
                "UPDATE scopes SET rated_until = '2026-03-01 00:00:00.000000'"
            )
        engine.dispose()
        other_states = list_scopes(storage, "b")
        open_another().ledger.commit(
            batch(other_states, build_series("b", ONE, labels={"id": "new"}))
        )
        storage.ledger.commit(batch(states, build_series("a", ONE, labels={"id": "old"})))
        frames = storage.reports.frames(Selection(scopes=ALL_SCOPES))
        assert [(frame.scope, frame.groupby["id"]) for frame in frames] == [
            ("a", "old"),
            ("b", "new"),
        ]

    @pytest.mark.databases_only
    def test_labels_of_any_alphabet_come_back_as_they_were(self, storage: Storage) -> None:
        labels = {"name": "Zürich 東京 🦊", "quote": "\"'\\\n\t\x00", "half": "\ud800", "": ""}
        metadata = {"none": None, "empty": "", "Z": "z", "z": "Z"}
        work = batch(
            list_scopes(storage, "a"),
            build_series("a", ONE, unit="°C", labels=labels, metadata=metadata),
        )
        storage.ledger.commit(work)
        (frame,) = storage.reports.frames(Selection(scopes=ALL_SCOPES))
        assert frame.groupby == {"project_id": "a", **labels}
        assert frame.metadata == metadata
        assert frame.unit == "°C"

    @pytest.mark.databases_only
    def test_labels_that_differ_in_case_or_blanks_are_different(self, storage: Storage) -> None:
        values = ["x", "X", "x ", None, "", "null"]
        work = batch(
            list_scopes(storage, "a"),
            *(build_series("a", ONE, labels={"id": value}) for value in values),
        )
        assert storage.ledger.commit(work).frames == 6
        frames = storage.reports.frames(Selection(scopes=ALL_SCOPES))
        assert {frame.groupby["id"] for frame in frames} == set(values)

    @pytest.mark.databases_only
    def test_costs_that_binary_floats_cannot_hold_stay_exact(self, storage: Storage) -> None:
        count = 160
        work = batch(
            list_scopes(storage, "a"),
            *(
                build_series("a", [("0.1", "0.1")], labels={"id": str(number)})
                for number in range(count)
            ),
            build_series("a", [("0", "1" * 36 + "." + "0" * 27 + "1")], metric="large"),
        )
        storage.ledger.commit(work)
        rows = storage.reports.summary(Selection(scopes=ALL_SCOPES), ("metric",), datetime.UTC)
        assert [(row.quantity, row.price) for row in rows] == [
            (Decimal(16), Decimal(16)),
            (Decimal(0), Decimal("1" * 36 + "." + "0" * 27 + "1")),
        ]
        assert total(storage)[1] == Decimal("1" * 34 + "27." + "0" * 27 + "1")

    @pytest.mark.databases_only
    def test_numbers_with_an_exponent_stay_exact(self, storage: Storage) -> None:
        values = [("1E+3", "1E-28"), ("123E-18", "123456789012345678901234567E+10")]
        work = batch(
            list_scopes(storage, "a"),
            *(build_series("a", [pair], labels={"id": pair[0]}) for pair in values),
        )
        storage.ledger.commit(work)
        frame_values = sorted((quantity, price) for _, _, quantity, price in read_frames(storage))
        assert frame_values == sorted(
            (Decimal(quantity), Decimal(price)) for quantity, price in values
        )

    @pytest.mark.databases_only
    def test_names_that_differ_in_blanks_at_their_end_are_different(self, storage: Storage) -> None:
        scopes = ["a", "a ", "A"]
        names = ["instance", "instance ", "Instance"]
        work = batch(
            list_scopes(storage, *scopes),
            *(
                build_series(scope, ONE, metric=name, unit=unit)
                for scope in scopes
                for name in names
                for unit in ("h", "h ")
            ),
        )
        assert storage.ledger.commit(work).frames == 18
        rows = storage.reports.summary(
            Selection(scopes=ALL_SCOPES), ("scope", "metric"), datetime.UTC
        )
        assert {tuple(row.group.values()): row.points for row in rows} == {
            (scope, name): 2 for scope in scopes for name in names
        }
        for scope in scopes:
            assert total(storage, scope) == (6, Decimal(3))

    @pytest.mark.databases_only
    def test_a_batch_takes_as_many_statements_for_many_scopes_as_for_few(
        self, storage: Storage
    ) -> None:
        counts = []
        storage.ledger.commit(batch(list_scopes(storage, "before")))
        for size in (5, 200):
            names = [f"{size} {number}" for number in range(size)]
            states = list_scopes(storage, *names)
            work = batch(states, *(build_series(name, ONE) for name in names))
            with statements() as sent_statements:
                storage.ledger.commit(work)
            counts.append(len(sent_statements))
        assert counts[0] == counts[1] <= 12

    @pytest.mark.databases_only
    def test_a_batch_takes_no_statement_for_metrics_that_are_as_before(
        self, storage: Storage
    ) -> None:
        counts = []
        for number, metrics in enumerate([("instance",), ("instance",), ("cpu", "instance")]):
            (state,) = list_scopes(storage, "a")
            series = build_series("a", ONE, begin=hour(number))
            work = batch([state], series, periods=window(1, hour(number)), metrics=metrics)
            with statements() as sent_statements:
                storage.ledger.commit(work)
            counts.append(
                len([statement for statement in sent_statements if "metric_set" in statement])
            )
        # The scopes' query; after a change also: insert the set, record, update.
        assert counts == [4, 1, 4]

    @pytest.mark.databases_only
    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        values=st.lists(
            st.tuples(
                st.decimals(allow_nan=False, allow_infinity=False, places=18,
                            min_value=Decimal(-10) ** 25, max_value=Decimal(10) ** 25),
                st.decimals(allow_nan=False, allow_infinity=False, places=28,
                            min_value=Decimal(-(10**30)), max_value=Decimal(10) ** 30),
            ),
            min_size=1,
            max_size=12,
        )
    )  # fmt: skip
    def test_sums_are_those_of_fractions(
        self, storage: Storage, values: list[tuple[Decimal, Decimal]]
    ) -> None:
        scope = f"scope {len(storage.reports.scopes(ALL_SCOPES))}"
        series = [
            build_series(scope, [(str(quantity), str(price))], labels={"id": str(number)})
            for number, (quantity, price) in enumerate(values)
        ]
        storage.ledger.commit(batch(list_scopes(storage, scope), *series))
        for groupby in ((), ("project_id",)):
            (row,) = storage.reports.summary(
                Selection(scopes=frozenset({scope})), groupby, datetime.UTC
            )
            assert row.quantity is not None
            assert Fraction(row.quantity) == sum(Fraction(quantity) for quantity, _ in values)
            assert Fraction(row.price) == sum(Fraction(price) for _, price in values)
            assert row.points == len(values)


def commit_and_die(url: str) -> None:
    """Act as another process that is killed while it writes."""
    storage = open_storage(url, scope_key="project_id", fetcher="keystone", collector="gnocchi")
    states = list_scopes(storage, "a", "b")
    storage.ledger.commit(
        batch(
            states,
            build_series("a", ONE),
            build_breaking_series(build_series("b", ONE), points=Killing),
        )
    )

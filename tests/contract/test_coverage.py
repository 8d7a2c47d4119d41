"""What a storage tells of periods without usage, on every database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures

import pytest

from ratekit import errors
from ratekit.domain.reporting.coverage import Kind, cells
from ratekit.domain.reporting.reports import ALL_SCOPES
from ratekit.domain.scope import Scope
from ratekit.domain.series import RatedSeries
from ratekit.interfaces import CommitResult, Ledger, RatedBatch, Storage
from tests.contract.conftest import Open
from tests.contract.given import batch, build_series, hour, list_scopes, statements, window

ONE = ("1", "0.5")
BOTH = ("cpu", "instance")


def rate(
    storage: Storage,
    scopes: Sequence[str],
    begin: int,
    used: Mapping[str, str],
    metrics: tuple[str, ...] = BOTH,
) -> CommitResult:
    """Rate hours from ``begin`` on, one a letter: ``#`` is used, anything else silent.

    :param used: by metric, the same for all scopes
    """
    count = max(map(len, used.values()))
    everybody = [
        *scopes,
        *(row.id for row in storage.reports.scopes(ALL_SCOPES) if row.id not in scopes),
    ]
    states = list_scopes(storage, *everybody, now=hour(begin))[: len(scopes)]
    return storage.ledger.commit(
        batch(
            states,
            *(
                rated_series
                for scope in scopes
                for metric, line in used.items()
                for rated_series in series(scope, metric, begin, line)
            ),
            periods=window(count, hour(begin)),
            metrics=metrics,
        )
    )


def series(scope: str, metric: str, begin: int, line: str) -> list[RatedSeries]:
    """Return a series a used hour."""
    return [
        build_series(
            scope, [ONE], metric=metric, begin=hour(begin + number), labels={"n": str(number)}
        )
        for number, letter in enumerate(line)
        if letter == "#"
    ]


def read_coverage(storage: Storage, scope: str, count: int, begin: int = 0) -> dict[str, list[str]]:
    """Return each metric's cells as one word each."""
    facts = storage.reports.coverage(scope, hour(begin), hour(begin + count))
    table = cells(facts, window(count, hour(begin)))
    return {
        metric: [str(cell.points) if cell.kind is Kind.POINTS else cell.kind.value for cell in line]
        for metric, line in table.items()
    }


class TestCoverage:
    def test_silence_differs_from_metrics_that_were_not_collected(self, storage: Storage) -> None:
        rate(storage, ["a", "b"], 0, {"instance": "##"}, metrics=("instance",))
        rate(storage, ["a"], 2, {"instance": "#.", "cpu": ".#"})
        rate(storage, ["a"], 4, {"cpu": "#"}, metrics=("cpu",))
        assert read_coverage(storage, "a", 6) == {
            "cpu": ["not configured", "not configured", "silent", "1", "1", "not rated yet"],
            "instance": ["1", "1", "1", "silent", "not configured", "not rated yet"],
        }
        assert read_coverage(storage, "b", 3) == {"instance": ["1", "1", "not rated yet"]}

    def test_purged_totals_are_no_silence(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"instance": "##", "cpu": ".#"})
        rate(storage, ["a"], 2, {"instance": "#.", "cpu": "##"})
        storage.purge.start(hour(3), totals=False)
        list(storage.purge.remove(9))
        # The frames are gone, but the totals tell what was used.
        assert read_coverage(storage, "a", 4) == {
            "cpu": ["silent", "1", "1", "1"],
            "instance": ["1", "1", "1", "silent"],
        }
        storage.purge.start(hour(2), totals=True)
        list(storage.purge.remove(9))
        assert read_coverage(storage, "a", 4) == {
            "cpu": ["purged", "purged", "1", "1"],
            "instance": ["purged", "purged", "1", "silent"],
        }

    def test_the_set_that_is_in_force_began_long_before(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"instance": "#"}, metrics=("instance",))
        rate(storage, ["a"], 1, {"cpu": "." * 9})
        assert read_coverage(storage, "a", 1, begin=8) == {
            "cpu": ["silent"],
            "instance": ["silent"],
        }

    def test_all_units_of_a_metric_are_its_points(self, storage: Storage) -> None:
        states = list_scopes(storage, "a")
        work = [build_series("a", [ONE], unit=unit) for unit in ("h", "min")]
        storage.ledger.commit(batch(states, *work))
        assert read_coverage(storage, "a", 1) == {"instance": ["2"]}

    def test_time_in_which_a_scope_was_deactivated_is_a_gap(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"cpu": "#"})
        storage.scopes.deactivate("a", hour(1))
        storage.scopes.activate("a", hour(3))
        rate(storage, ["a"], 3, {"cpu": "#"})
        assert read_coverage(storage, "a", 5)["cpu"] == ["1", "gap", "gap", "1", "not rated yet"]

    def test_time_in_which_a_scope_was_not_listed_is_a_gap(self, storage: Storage) -> None:
        list_scopes(storage, "a", now=hour(0.5))
        storage.ledger.observe([], hour(2), hour(0), hour(2))
        (state,) = list_scopes(storage, "a", now=hour(3), resume=hour(3))
        work = batch([state], *series("a", "cpu", 0, "#"), metrics=("cpu",))
        storage.ledger.commit(work)
        gap_then_waiting = ["1", "gap", "gap", "not rated yet"]
        assert read_coverage(storage, "a", 4) == {"cpu": gap_then_waiting}

    def test_an_unknown_scope_is_refused(self, storage: Storage) -> None:
        with pytest.raises(errors.OperatorError, match="no scope 'a'"):
            storage.reports.coverage("a", hour(0), hour(1))

    def test_many_periods_take_as_many_statements_as_few(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"cpu": "#" * 30})
        counts = []
        for count in (1, 30):
            with statements() as sent_statements:
                storage.reports.coverage("a", hour(0), hour(count))
            counts.append(len(sent_statements))
        assert counts[0] == counts[1]


class TestReset:
    def test_periods_that_are_rated_again_are_by_the_metrics_of_now(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"instance": "##"}, metrics=("instance",))
        rate(storage, ["a"], 2, {"cpu": "##"})
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(1)))
        assert read_coverage(storage, "a", 2) == {"instance": ["1", "not rated yet"]}
        rate(storage, ["a"], 1, {"cpu": "."}, metrics=("cpu",))
        assert read_coverage(storage, "a", 2) == {
            "cpu": ["not configured", "silent"],
            "instance": ["1", "not configured"],
        }

    def test_after_a_reset_to_the_begin_the_same_metrics_are_recorded_again(
        self, storage: Storage
    ) -> None:
        for _ in range(2):
            rate(storage, ["a"], 0, {"cpu": ".#"})
            assert read_coverage(storage, "a", 2)["cpu"] == ["silent", "1"]
            storage.scopes.reset(storage.scopes.plan_reset("a", hour(0)))
            assert read_coverage(storage, "a", 2) == {}


class TestSets:
    def test_a_scope_that_is_lost_keeps_its_set(self, storage: Storage) -> None:
        states = list_scopes(storage, "a")
        storage.ledger.commit(batch(states, metrics=("cpu",)))
        assert storage.ledger.commit(batch(states, metrics=("disk",))).lost_scopes
        assert read_coverage(storage, "a", 1) == {"cpu": ["silent"]}

    def test_the_order_of_names_makes_no_change(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"cpu": "#"}, metrics=("cpu", "disk"))
        rate(storage, ["a"], 1, {"cpu": "#"}, metrics=("disk", "cpu", "disk"))
        assert len(storage.reports.coverage("a", hour(0), hour(2)).changes) == 1

    def test_names_of_any_alphabet_are_stored(self, storage: Storage) -> None:
        names = ("", "a b ", "é\x00\n", "名\U0001f600")
        storage.ledger.commit(batch(list_scopes(storage, "a"), metrics=names))
        assert set(read_coverage(storage, "a", 1)) == set(names)

    def test_two_processors_with_the_same_new_metrics_store_one_set(
        self, storage: Storage, open_another: Open
    ) -> None:
        names = [
            f"{word} {number}" for word in ("one", "two", "three", "four") for number in (0, 1)
        ]
        states = list_scopes(storage, *names)
        ledgers = [storage.ledger, open_another().ledger]
        for first in range(0, len(names), 2):
            metrics = (names[first],)
            works = [batch([state], metrics=metrics) for state in states[first : first + 2]]
            assert side_by_side(ledgers, works) == [CommitResult(frames=0)] * 2
            for name in names[first : first + 2]:
                assert read_coverage(storage, name, 1) == {names[first]: ["silent"]}


def side_by_side(ledgers: Sequence[Ledger], works: Sequence[RatedBatch]) -> list[CommitResult]:
    """Commit each with its ledger, all at the same time."""
    start = threading.Barrier(len(works))

    def commit(ledger: Ledger, work: RatedBatch) -> CommitResult:
        start.wait(10)
        return ledger.commit(work)

    with futures.ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(commit, ledgers, works))


def count_statements(
    storage: Storage, before: str, after: str, usage_of: Callable[[CommitResult], Sequence[object]]
) -> list[int]:
    """Return with how many statements ``after`` is rated for few and for many new scopes.

    :param before: what was rated before
    :param usage_of: what is reported, of each scope
    """
    counts = []
    for size in (2, 60):
        names = [f"{size} {number}" for number in range(size)]
        rate(storage, names, 0, {"cpu": before})
        with statements() as sent_statements:
            assert len(usage_of(rate(storage, names, 2, {"cpu": after}))) == size
        counts.append(len(sent_statements))
    return counts


A = Scope("a", "name of a")


class TestResumed:
    def test_usage_that_comes_back_is_reported_once(self, storage: Storage) -> None:
        resumed_usage = [
            rate(storage, ["a"], number, {"cpu": letter, "instance": "#"}).resumed_usage
            for number, letter in enumerate(".##..##.#")
        ]
        # The second time, a stop was not reported, because there had been silence before.
        assert resumed_usage == [(), (), (), (), (), ((A, "cpu"),), (), (), ()]

    def test_usage_that_comes_back_within_a_batch_and_goes_on_is_reported(
        self, storage: Storage
    ) -> None:
        assert rate(storage, ["a"], 0, {"cpu": "##."}).stopped_usage == ((A, "cpu"),)
        result = rate(storage, ["a"], 3, {"cpu": ".##"})
        assert (result.stopped_usage, result.resumed_usage) == ((), ((A, "cpu"),))

    def test_usage_that_stops_again_after_a_day_is_reported_as_stopped_alone(
        self, storage: Storage
    ) -> None:
        rate(storage, ["a"], 0, {"cpu": "##."})
        rate(storage, ["a"], 3, {"cpu": "." * 24})
        result = rate(storage, ["a"], 27, {"cpu": "#."})
        assert (result.stopped_usage, result.resumed_usage) == (((A, "cpu"),), ())
        assert rate(storage, ["a"], 29, {"cpu": "#"}).resumed_usage == ((A, "cpu"),)

    def test_a_metric_that_is_no_longer_collected_is_forgotten(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"cpu": "#.", "instance": "##"})
        rate(storage, ["a"], 2, {"instance": "#"}, metrics=("instance",))
        assert rate(storage, ["a"], 3, {"cpu": "#"}).resumed_usage == ()

    def test_usage_that_stopped_after_a_reset_is_found_again(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"cpu": "##."})
        storage.scopes.reset(storage.scopes.plan_reset("a", hour(2)))
        assert rate(storage, ["a"], 2, {"cpu": "."}).stopped_usage == ((A, "cpu"),)

    def test_many_scopes_take_as_many_statements_as_few(self, storage: Storage) -> None:
        few, many = count_statements(storage, "#.", "#", lambda result: result.resumed_usage)
        assert few == many


class TestFallenSilent:
    def test_stopped_usage_is_reported_once(self, storage: Storage) -> None:
        stopped_usage = [
            rate(storage, ["a"], number, {"cpu": letter, "instance": "#"}).stopped_usage
            for number, letter in enumerate("..##..#.")
        ]
        # The second time it had been silent before.
        assert stopped_usage == [(), (), (), (), ((A, "cpu"),), (), (), ()]

    @pytest.mark.parametrize(
        ("before", "line", "is_reported"),
        [
            ("###", "###...", True),
            ("###", "...", True),
            ("", "##.", True),
            ("", ".#.", True),
            ("..#", "#.", True),
            ("##.", ".", False),
            ("##.", "#.", False),
            ("#.#", ".", False),
            ("###", ".#.", False),
            ("###", "#.#", False),
            ("", "#.#.", False),
            ("", "...", False),
            ("#..", ".#.", False),
        ],
    )
    def test_only_metrics_that_were_never_silent_before_are_reported(
        self, before: str, line: str, is_reported: bool, storage: Storage
    ) -> None:
        if before:
            rate(storage, ["a"], 0, {"cpu": before})
        result = rate(storage, ["a"], len(before), {"cpu": line})
        assert result.stopped_usage == (((A, "cpu"),) if is_reported else ())

    def test_silence_of_more_than_a_day_ago_does_not_count(self, storage: Storage) -> None:
        rate(storage, ["a", "b"], 0, {"cpu": "#."})
        rate(storage, ["a"], 2, {"cpu": "#" * 24})
        rate(storage, ["b"], 2, {"cpu": "#" * 22})
        assert rate(storage, ["a"], 26, {"cpu": "."}).stopped_usage == ((A, "cpu"),)
        assert rate(storage, ["b"], 24, {"cpu": "."}).stopped_usage == ()

    def test_a_metric_that_is_no_longer_collected_is_not_silent(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"cpu": "##", "instance": "##"})
        result = rate(storage, ["a"], 2, {"cpu": "."}, metrics=("cpu",))
        assert result.stopped_usage == ((A, "cpu"),)

    def test_only_scopes_that_were_advanced_are_reported(self, storage: Storage) -> None:
        rate(storage, ["a", "b"], 0, {"cpu": "#"})
        states = list_scopes(storage, "a", "b")
        work = batch(states, periods=window(1, hour(1)), metrics=BOTH)
        rate(storage, ["b"], 1, {"cpu": "#"})
        result = storage.ledger.commit(work)
        assert (result.lost_scopes, result.stopped_usage) == (
            (Scope("b", "name of b"),),
            ((A, "cpu"),),
        )

    def test_a_scope_that_returns_is_not_reported(self, storage: Storage) -> None:
        rate(storage, ["a"], 0, {"cpu": "###"})
        storage.scopes.deactivate("a", hour(3))
        storage.scopes.activate("a", hour(5))
        assert rate(storage, ["a"], 5, {"cpu": "."}).stopped_usage == ()

    def test_many_scopes_take_as_many_statements_as_few(self, storage: Storage) -> None:
        few, many = count_statements(storage, "##", ".", lambda result: result.stopped_usage)
        assert few == many

"""What keeps scopes from being charged, over all scopes, on every database."""

from __future__ import annotations

import pytest

from ratekit.domain.reporting.exclusion import Exclusion
from ratekit.domain.reporting.interruption import Interruption, InterruptionKind
from ratekit.interfaces import Storage
from tests.contract.given import batch, build_series, hour, list_scopes, statements, window
from tests.contract.test_coverage import rate

_POLICY = ("its archive policy is 'low'", "replace it")


def read(storage: Storage, begin: float, end: float) -> list[Interruption]:
    """Return the interruptions between two hours."""
    return list(storage.monitoring.interruptions(hour(begin), hour(end)))


class TestGaps:
    @pytest.fixture(autouse=True)
    def gap(self, storage: Storage) -> None:
        """Scope a is not listed from 1:30 to 4:00; b always is."""
        rate(storage, ["a", "b"], 0, {"cpu": "##"})
        list_scopes(storage, "b", now=hour(1.5))
        list_scopes(storage, "a", "b", now=hour(4), resume=hour(4))

    def test_a_gap_is_found_where_it_overlaps(self, storage: Storage) -> None:
        (gap,) = read(storage, 3, 5)
        assert (gap.scope, gap.kind, gap.metric, gap.count) == ("a", InterruptionKind.GAP, "", 1)
        assert (gap.begin, gap.end) == (hour(0), hour(4))
        assert read(storage, 4, 9) == []
        assert read(storage, -2, 0) == []

    def test_gaps_of_a_scope_are_one_interruption(self, storage: Storage) -> None:
        rate(storage, ["a", "b"], 4, {"cpu": "##"})
        list_scopes(storage, "b", now=hour(6.5))
        list_scopes(storage, "a", "b", now=hour(9), resume=hour(9))
        (gap,) = read(storage, 0, 24)
        assert (gap.count, gap.begin, gap.end) == (2, hour(0), hour(9))

    def test_a_gap_that_lasts_has_no_end(self, storage: Storage) -> None:
        list_scopes(storage, "b", now=hour(4.5))
        lasting = [entry for entry in read(storage, 0, 24) if entry.end is None]
        # The scope is rated up to the period in which it was listed last.
        assert [entry.scope for entry in lasting] == ["a"]

    def test_a_scope_that_is_no_longer_rated_is_left_out(self, storage: Storage) -> None:
        storage.scopes.deactivate("a", hour(5))
        assert read(storage, 0, 24) == []


class TestExclusions:
    @pytest.fixture(autouse=True)
    def exclusions(self, storage: Storage) -> None:
        """Two resources of a are excluded in the first hour, one in the second; one of b."""
        first = [Exclusion("a", "cpu", name, *_POLICY) for name in ("i1", "i2")]
        for number, excluded in enumerate((first, first[:1])):
            states = list_scopes(storage, "a", "b", now=hour(number))
            of_b = [] if number else [Exclusion("b", "cpu", "i3", *_POLICY)]
            storage.ledger.commit(
                batch(states, periods=window(1, hour(number)), exclusions=[*excluded, *of_b])
            )

    def test_resources_are_counted_once(self, storage: Storage) -> None:
        lasting, ended = read(storage, 0, 24)
        kind = InterruptionKind.EXCLUDED
        assert lasting == Interruption("a", kind, "cpu", 2, hour(0), None)
        assert ended == Interruption("b", kind, "cpu", 1, hour(0), hour(1))

    def test_only_those_that_overlap_count(self, storage: Storage) -> None:
        (lasting,) = read(storage, 1, 2)
        assert (lasting.scope, lasting.count) == ("a", 1)


def test_usage_that_stopped_is_silent_since_then(storage: Storage) -> None:
    rate(storage, ["a", "b"], 0, {"cpu": "##.", "instance": "###"})
    kind = InterruptionKind.SILENT
    assert read(storage, 0, 24) == [
        Interruption("a", kind, "cpu", 1, hour(2), None),
        Interruption("b", kind, "cpu", 1, hour(2), None),
    ]
    assert read(storage, 0, 2) == []
    rate(storage, ["a"], 3, {"cpu": "#", "instance": "#"})
    assert [entry.scope for entry in read(storage, 0, 24)] == ["b"]


def test_three_statements_whatever_there_is(storage: Storage) -> None:
    rate(storage, [f"scope{number:03}" for number in range(50)], 0, {"cpu": "#.", "instance": "##"})
    with statements() as sent:
        assert len(read(storage, 0, 24)) == 50
    assert len([statement for statement in sent if "FROM scopes" in statement]) <= 3
    assert len(sent) <= 5


def test_nothing_is_wrong_where_all_is_rated(storage: Storage) -> None:
    states = list_scopes(storage, "a")
    storage.ledger.commit(batch(states, build_series("a", [("1", "1")])))
    assert read(storage, 0, 24) == []

"""Divisions: each scope is one process's own, the same one's in every process."""

import datetime

from hypothesis import given
from hypothesis import strategies as st

from ratekit.coordination.group import Group
from ratekit.domain.schedule.division import Seat, StallWatch, Turn, worker_of
from tests.builders import HOUR, MINUTE
from tests.sharing import FakeSharing

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
IDS = [f"{number:032x}" for number in range(400)]


@given(st.text(), st.integers(1, 5), st.integers(1, 4))
def test_each_scope_is_one_process_s_own(scope: str, daemons: int, workers: int) -> None:
    turns = [
        FakeSharing(daemon, daemons, worker, workers).current().turn(scope)
        for daemon in range(daemons)
        for worker in range(workers)
    ]
    assert turns.count(Turn.OWN) == 1
    assert turns.count(Turn.HELP) == workers - 1
    assert turns.count(Turn.RESCUE) == (daemons - 1) * workers


def test_a_scope_is_in_the_same_worker_in_every_process() -> None:
    """Python's own hash differs from process to process."""
    assert [worker_of(id_, 2) for id_ in IDS[:8]] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_each_process_has_an_order_of_its_own() -> None:
    first, second = (FakeSharing(daemon, 2).current() for daemon in range(2))
    own_ids = [id_ for id_ in IDS if first.turn(id_) is Turn.OWN]
    assert sorted(own_ids, key=first.place) not in (own_ids, own_ids[::-1])
    assert sorted(own_ids, key=first.place) == sorted(own_ids, key=first.place)
    # A helper starts from the end.
    assert sorted(own_ids, key=second.place) == sorted(own_ids, key=first.place)[::-1]


@given(
    st.dictionaries(st.text(min_size=1, max_size=20), st.integers(1, 8), min_size=1, max_size=6),
    st.text(),
)
def test_all_members_of_a_group_agree(workers: dict[str, int], scope: str) -> None:
    members = tuple(sorted(workers.items()))
    seats = [
        Seat(name, index)
        for name, count in members
        for index in range(count)
        if Group(name, members).divide(index, HOUR).turn(scope) is Turn.OWN
    ]
    assert len(seats) == 1


def test_shares_follow_the_numbers_of_workers() -> None:
    ids = [f"project-{number}" for number in range(6000)]
    division = Group("a", (("a", 1), ("b", 2), ("c", 3))).divide(0, HOUR)
    counts = {name: 0 for name in "abc"}
    for id_ in ids:
        counts[division.seat_of(id_).member] += 1
    assert 700 < counts["a"] < 1300
    assert 1600 < counts["b"] < 2400
    assert 2500 < counts["c"] < 3500


def test_a_member_that_leaves_moves_only_its_own_scopes() -> None:
    before = Group("a", (("a", 2), ("b", 2), ("c", 2))).divide(0, HOUR)
    after = Group("a", (("a", 2), ("b", 2))).divide(0, HOUR)
    moved = [id_ for id_ in IDS if before.seat_of(id_) != after.seat_of(id_)]
    assert moved
    assert {before.seat_of(id_).member for id_ in moved} == {"c"}


class TestStalls:
    def test_what_stands_for_the_whole_time_is_found(self) -> None:
        watch = StallWatch()
        assert watch.find({1: "x", 2: "x"}, MINUTE, NOON) == (set(), NOON + MINUTE)
        later = NOON + MINUTE / 2
        assert watch.find({1: "x", 2: "y"}, MINUTE, later) == (set(), NOON + MINUTE)
        assert watch.find({1: "x", 2: "y"}, MINUTE, NOON + MINUTE) == ({1}, later + MINUTE)

    def test_what_was_done_meanwhile_starts_again(self) -> None:
        watch = StallWatch()
        watch.find({1: "x"}, MINUTE, NOON)
        watch.find({}, MINUTE, NOON + MINUTE)
        assert watch.find({1: "x"}, MINUTE, NOON + HOUR)[0] == set()

    def test_a_clock_that_is_set_back_delays_nothing_for_long(self) -> None:
        watch = StallWatch()
        watch.find({1: "x"}, MINUTE, NOON + HOUR)
        watch.find({1: "x"}, MINUTE, NOON)
        assert watch.find({1: "x"}, MINUTE, NOON + MINUTE)[0] == {1}

"""How a worker learns who shares the scopes."""

from __future__ import annotations

import datetime

from ratekit import errors
from ratekit.coordination.board import GroupBoard
from ratekit.coordination.claims import Claims
from ratekit.daemon.cooperation import Cooperation
from ratekit.daemon.presence import DaemonName
from ratekit.daemon.sharing import (
    CoordinatedGroup,
    SeenProcessors,
    WorkerSharing,
    find_daemons,
)
from ratekit.daemon.status_board import StatusBoard
from ratekit.domain.reporting.monitoring import ProcessorRecord
from ratekit.domain.schedule.division import Turn
from tests.builders import HOUR, MINUTE
from tests.unit.daemon.fake_monitoring import FakeMonitoring

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def report(name: str, age: datetime.timedelta, is_rating: bool = False) -> ProcessorRecord:
    next_cycle = None if is_rating else NOON + HOUR
    return ProcessorRecord(name, NOON - HOUR, NOON - age, next_cycle)


def test_daemons_that_have_reported_lately_share_the_scopes() -> None:
    records = [
        report("a, worker 1 of 2", MINUTE),
        report("a, worker 2 of 2", 9 * MINUTE, is_rating=True),
        report("b #2, worker 1 of 4", 9 * MINUTE, is_rating=True),
        report("dead, worker 1 of 1", 3 * MINUTE),
        report("killed, worker 1 of 1", 11 * MINUTE, is_rating=True),
        report("another program", MINUTE),
    ]
    assert find_daemons(records, NOON) == {"a": 2, "b #2": 4}


def test_a_database_that_does_not_answer_changes_nothing() -> None:
    monitoring = FakeMonitoring()
    monitoring.record(report("a, worker 1 of 2", MINUTE))
    source = SeenProcessors(monitoring, lambda: NOON)
    assert source.members(0) == {"a": 2}
    monitoring.failure = errors.TryLater("no reply")
    assert source.members(0) == {"a": 2}
    monitoring.failure = None
    monitoring.record(report("b, worker 1 of 1", MINUTE))
    assert source.members(HOUR.total_seconds()) == {"a": 2}
    assert source.members(0) == {"a": 2, "b": 1}


def test_the_division_changes_only_with_the_group() -> None:
    board = GroupBoard.create()
    sharing = WorkerSharing(CoordinatedGroup(board), "a", 0, 1, Claims(1), HOUR, settling=0)
    assert not sharing.is_ready()
    alone = sharing.current()
    assert {alone.turn(f"s{number}") for number in range(50)} == {Turn.OWN}
    board.publish({"a": 1})
    assert sharing.is_ready()
    assert sharing.current() is alone
    board.publish({"a": 1, "b": 1})
    shared = sharing.current()
    assert {shared.turn(f"s{number}") for number in range(50)} == {Turn.OWN, Turn.RESCUE}
    board.publish({"a": 1, "b": 1}, "no reply")
    assert sharing.current() is shared


def test_a_service_that_does_not_answer_at_the_start_delays_nothing() -> None:
    board = GroupBoard.create()
    sharing = WorkerSharing(CoordinatedGroup(board), "a", 0, 1, Claims(1), HOUR, settling=0)
    board.publish({}, "no reply")
    assert sharing.is_ready()


def test_scopes_of_a_worker_that_hangs_are_free_after_15_minutes() -> None:
    board = StatusBoard(2)
    cooperation = Cooperation("a", "a", board, SeenProcessors(FakeMonitoring(), lambda: NOON))
    hanging, other = cooperation.sharing(0), cooperation.sharing(1)
    assert hanging.claim([1, 2]) == [1, 2]
    board.workers[0].heartbeat -= 14 * 60
    assert other.claim([2, 3]) == [3]
    board.workers[0].heartbeat -= 2 * 60
    assert other.claim([2, 3]) == [2, 3]


def test_daemons_that_start_together_know_each_other_before_they_rate() -> None:
    def sharing(settling: float) -> WorkerSharing:
        source = SeenProcessors(FakeMonitoring(), lambda: NOON)
        return WorkerSharing(source, "a", 0, 1, Claims(1), HOUR, settling)

    assert not sharing(settling=3600.0).is_ready()
    assert sharing(settling=0.0).is_ready()


def test_daemons_on_one_host_have_different_names() -> None:
    first, second = DaemonName("database"), DaemonName("database")
    other = DaemonName("another database")
    assert second.text == f"{first.text} #2"
    assert other.text == first.text
    first.close()
    third = DaemonName("database")
    assert third.text == first.text
    for name in (second, other, third):
        name.close()
